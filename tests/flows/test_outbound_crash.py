"""A worker is killed while texts are handed in: the same reference gets the same answer, and there is one text of each."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.databases import ENGINES, Provisioner
from tests.flows.dying_worker import TOLD_BY
from tests.flows.submitters import Submitter, client_of, counts, hand_in, key_of, rig_that_sends, submitting
from tests.worker.api_house import plain

DYING = (sys.executable, str(Path(__file__).with_name("dying_worker.py")), "serve")


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_between_commit_and_answer(
    engine: str, tmp_path: Path, provisioner: Provisioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was answered, the text is there: the same call is answered what was decided then, and makes no other text."""
    trap = tmp_path / "trap"
    monkeypatch.setenv(TOLD_BY, str(trap))
    rig = rig_that_sends(tmp_path / "worker", provisioner.empty(engine), DYING)
    batch = {"messages": [plain(client_reference="a"), plain(text="Your code is 4711", client_reference="b")]}
    with rig.running():
        key = key_of(rig)
        trap.touch()
        with client_of(rig, key) as client, pytest.raises(httpx.TransportError):
            hand_in(client, batch)
        assert rig.stop() == -signal.SIGKILL
    trap.unlink()
    one_of_each = {"submissions": 2, "outbox": 2, "messages": 2}
    assert counts(rig, tmp_path / "killed") == one_of_each
    with rig.running(), client_of(rig, key) as client:
        again = hand_in(client, batch)
        assert [one["status"] for one in json.loads(again.content)["results"]] == [202, 202]
        assert hand_in(client, batch).content == again.content
        first = json.loads(again.content)["results"][0]["result"]
        assert hand_in(client, plain(client_reference="a")).json() == first
        assert hand_in(client, plain(text="Another.", client_reference="a")).status_code == 409
    assert counts(rig, tmp_path / "after") == one_of_each


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_at_any_moment(engine: str, tmp_path: Path, provisioner: Provisioner) -> None:
    """Under load of new and repeated calls on many connections: every reference has one answer and one text."""
    random = Random(4711)
    rig = rig_that_sends(tmp_path / "worker", provisioner.empty(engine))
    submitters = [Submitter(number) for number in range(6)]
    key = ""
    for _ in range(2):
        with rig.running():
            key = key or key_of(rig)
            with submitting(rig, key, submitters):
                time.sleep(random.uniform(0.5, 1.2))
                rig.stop(signal.SIGKILL)
    with rig.running():
        for one in submitters:
            one.finish(rig, key)
    answers = [answers for one in submitters for answers in one.answers.values()]
    assert len(answers) > 12
    assert {len(some) for some in answers} == {1}
    assert set(counts(rig, tmp_path / "copy").values()) == {len(answers)}
