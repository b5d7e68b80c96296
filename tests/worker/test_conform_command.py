"""`sluicegate conform` from end to end: the shipped corpus holds, a wrong label is found, an exception must be needed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from worker.commands.conform import conform
from worker.errors import ConfigurationError
from worker.tour import samples

app = Typer()
app.command()(conform)


def run(*arguments: str) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def last_line(outcome: Result) -> str:
    return outcome.stdout.splitlines()[-1]


def test_the_shipped_corpus_holds() -> None:
    """What a customer runs without arguments passes, every label of it."""
    outcome = run()
    assert outcome.exit_code == 0, outcome.stdout
    passed, failed = (int(word) for word in last_line(outcome).replace(",", "").split() if word.isdigit())
    assert passed > 150
    assert failed == 0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two bodies: one label is right; the other counts two messages and expects another text."""
    directory = tmp_path / "corpus"
    (directory / "instagram").mkdir(parents=True)
    rows = []
    for name, count, text in (("right", 1, "hello"), ("wrong", 2, "good bye")):
        body = samples.text("instagram", samples.Scene.fresh(), "hello", f"mid.of.{name}")
        (directory / "instagram" / f"{name}.json").write_bytes(body)
        item = {"event": "message", "mid": f"mid.of.{name}", "direction": "in", "text": text}
        expected = {"transcript_messages": count, "items": [item]}
        rows.append({"file": f"instagram/{name}.json", "channel": "instagram", "expected": expected})
    (directory / "instagram" / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return directory


MISSES = [
    "instagram/wrong.json: count: 1 messages, expected 2",
    "instagram/wrong.json: text: 'mid.of.wrong' reads 'hello', expected 'good bye'",
]


def test_every_miss_is_printed_and_counted(corpus: Path) -> None:
    """A line for each, the counts last, exit code 1."""
    outcome = run(str(corpus))
    assert outcome.exit_code == 1
    assert outcome.stdout.splitlines() == [*MISSES, "3 passed, 1 failed"]


def test_exceptions_excuse_and_must_be_needed(corpus: Path) -> None:
    """What is excused does not fail; what excuses nothing does."""
    exceptions = corpus / "exceptions.toml"
    exceptions.write_text(
        '[[exception]]\nlabels = ["instagram/wrong.json"]\njudgements = ["count", "text"]\nreason = "made so"\n'
        '[[exception]]\nlabels = ["instagram/right.json"]\njudgements = ["count"]\nreason = "was wrong once"\n'
    )
    outcome = run(str(corpus), "--exceptions", str(exceptions), "--json")
    assert outcome.exit_code == 1
    verdict = msgspec.json.decode(outcome.stdout)
    assert (verdict["passed"], verdict["failed"]) == (3, 1), verdict
    (miss,) = verdict["misses"]
    assert (miss["label"], miss["judgement"]) == ("instagram/right.json", "exception")
    assert [one["judgement"] for one in verdict["excused"]] == ["count", "text"]


def test_what_cannot_be_read_is_said_before_anything_starts(tmp_path: Path) -> None:
    """A directory without labels, or exceptions that are none: a sentence, exit code 2."""
    with pytest.raises(ConfigurationError, match=r"no index\.jsonl"):
        run(str(tmp_path))
    assert ConfigurationError.exit_code == 2
