"""A worker is killed in the middle of its work: what it acknowledged is there, once, and what was unsent is not."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.databases import ENGINES, Provisioner
from tests.flows.senders import Story, beside, check, sending, worker_on
from worker.conformance.rig import Rig


def killed_again_and_again(rig: Rig, directory: Path, rounds: int, senders: int) -> None:
    """Kill the worker at random moments under load, and look each time what is there."""
    random, held = Random(), 0
    stories = [Story(number, random.getrandbits(32)) for number in range(senders)]
    for number in range(rounds):
        with rig.running(), sending(rig.url, stories) as working:
            time.sleep(random.uniform(0.1, 0.6))
            rig.stop(signal.SIGKILL)
        assert {status for one in working for status in one.answers} <= {200}
        with beside(rig, directory / f"copy{number}") as opened:
            held = check(stories, *opened)
    with rig.running(), sending(rig.url, stories) as working:
        time.sleep(0.3)
    assert all(one.answers.get(200) for one in working)
    with beside(rig, directory / "copy") as opened:
        assert check(stories, *opened) >= held > senders


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_acknowledged_is_lost(engine: str, tmp_path: Path, provisioner: Provisioner) -> None:
    """Killed under load of messages, edits, unsends and repetitions on many connections."""
    killed_again_and_again(worker_on(provisioner.empty(engine), tmp_path), tmp_path, rounds=2, senders=24)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_acknowledged_is_lost_in_many_rounds(
    engine: str, tmp_path: Path, provisioner: Provisioner
) -> None:
    """The same, many times."""
    killed_again_and_again(worker_on(provisioner.empty(engine), tmp_path), tmp_path, rounds=30, senders=48)
