"""`sluicegate logs`: filters, and lines that try to do something to the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from worker.cli import app
from worker.commands import logs as command
from worker.log.schema import schema

ROOT = Path(__file__).parents[2]

LINES: list[dict[str, Any]] = [
    {
        "at": "2026-11-21T09:30:00.123456Z",
        "line": "lifecycle",
        "level": "info",
        "phase": "ready",
        "tenants": 2,
    },
    {
        "at": "2026-11-21T09:30:01.000001Z",
        "line": "delivery",
        "level": "info",
        "tenant": "acme",
        "connector": "instagram",
        "dispositions": {"stored": 2, "dropped": 1},
        "reasons": {"story_mention": 1},
    },
    {
        "at": "2026-11-21T09:30:01.000002Z",
        "line": "decision",
        "level": "info",
        "tenant": "acme",
        "connector": "instagram",
        "event": "message",
        "disposition": "stored",
        "reasons": [{"code": "story_mention", "rule": "story_mention", "clauses": ["SM-6"]}],
        "ref": "ab" * 16,
    },
    {
        "at": "2026-11-21T09:30:02.000000Z",
        "line": "refusal",
        "level": "warning",
        "tenant": "other",
        "connector": "x",
        "refusal": "signature",
        "status": 401,
    },
]


def shown(*options: str, lines: list[Any] | None = None) -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines or LINES)
    result = CliRunner().invoke(app, ["logs", *options], input=text)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lines_become_a_table() -> None:
    """Time, kind, tenant and connector in columns, then what happened."""
    rows = shown().splitlines()
    assert rows[0].split() == ["at", "line", "tenant", "connector", "what"]
    assert rows[1].startswith("09:30:00.123 lifecycle ")
    assert rows[3].split()[:7] == [
        "09:30:01.000",
        "decision",
        "acme",
        "instagram",
        "message",
        "stored",
        "story_mention",
    ]
    assert len(rows) == 5


def test_what_is_only_tried_stands_in_parentheses() -> None:
    """And is found by its word, in a decision and in a delivery."""
    tried = {"code": "burst", "rule": "burst", "clauses": ["VT-1.5"], "shadow": True}
    lines = [LINES[1] | {"shadow": {"burst": 1}}, LINES[2] | {"reasons": [*LINES[2]["reasons"], tried]}]
    assert "story_mention (burst)" in " ".join(shown(lines=lines).split())
    assert len(shown("--json", "--reason", "burst", lines=lines).splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--tenant", "acme"], ["delivery", "decision"]),
        (["-t", "other"], ["refusal"]),
        (["--connector", "instagram"], ["delivery", "decision"]),
        (["--disposition", "stored"], ["delivery", "decision"]),
        (["--disposition", "dropped"], ["delivery"]),
        (["--reason", "story_mention"], ["delivery", "decision"]),
        (["--reason", "view_once"], []),
        (["--tenant", "acme", "--connector", "x"], []),
    ],
)
def test_filters(options: list[str], kinds: list[str]) -> None:
    """A delivery fits when it counts the word, a decision when it has it."""
    assert [json.loads(line)["line"] for line in shown("--json", *options).splitlines()] == kinds


HOSTILE = {
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "bidirectional": "\u202egnp.exe\u2066",
    "markup": "[bold red]x[/bold red][link=https://evil.example]y[/link]",
    "emoji": ":skull:",
    "carriage return": "good\rbad",
    "next line": "good\u0085bad\u2028worse",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "field", ["tenant", "event", "reasons", "dispositions", "surprise", "at", "a key", "no json"]
)
def test_nothing_in_a_line_reaches_the_terminal_as_more_than_text(name: str, field: str) -> None:
    """Control and bidirectional characters are shown as numbers, markup as itself."""
    bad = HOSTILE[name]
    line: Any = LINES[2] | {
        field: {bad: 1} if field == "dispositions" else [bad] if field == "reasons" else bad
    }
    if field == "a key":
        line = LINES[2] | {bad: "x"}
    if field == "no json":
        line = bad.replace("\n", "")
    output = shown(lines=[line])
    assert not {"\x1b", "\x07", "\r", "\u202e", "\u2066", "\u0085", "\u2028", "\U0001f480"} & set(output)
    assert len(output.split("\n")) == 3  # header, one row, the end
    if name == "markup" and field in {"event", "surprise", "no json"}:
        assert "[bold red]x[/bold red]" in output


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "7", '"x"', "{", "[" * 5000, '{"reasons": 7, "dispositions": null}']
)
def test_what_is_no_line_of_ours_is_passed_on(line: str) -> None:
    """Other programs write into the same stream."""
    shown(lines=[line, "", LINES[0]])


def test_following_shows_lines_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is written in two pieces is one line."""
    monkeypatch.setattr(command, "_FOLLOW_SECONDS", 0.01)
    path = tmp_path / "worker.log.writer"
    path.write_text(json.dumps(LINES[0]) + "\n")
    found: list[bytes] = []
    lines: Iterator[bytes] = command._lines(path, follow=True)
    reader = threading.Thread(target=lambda: found.extend(next(lines) for _ in range(2)))
    reader.start()
    with path.open("a") as file:
        for piece in ('{"line":', '"job"}', "\n"):
            file.write(piece)
            file.flush()
            time.sleep(0.03)
    reader.join(5)
    assert [json.loads(line)["line"] for line in found] == ["lifecycle", "job"]


def test_a_file_that_is_not_there_is_said_plainly() -> None:
    """Exit code 2 and a sentence, as everywhere."""
    result = CliRunner().invoke(app, ["logs", "/nonexistent/worker.log.writer"])
    assert "cannot be read" in str(result.exception)


@pytest.mark.parametrize("option", ["--disposition", "--reason"])
def test_a_word_that_no_line_can_hold_is_refused(option: str) -> None:
    """A table that is empty because of a slip would look like an answer."""
    result = CliRunner().invoke(app, ["logs", "/dev/null", option, "stord"])
    assert f"{option}: expected one of " in str(result.exception)


def test_the_schemas_page_is_printed_as_it_is() -> None:
    """This is how docs/log-schema.md is made."""
    assert shown("--schema") == schema()


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`sluicegate logs | head` ends quietly."""
    path = tmp_path / "worker.log.writer"
    path.write_text((json.dumps(LINES[2]) + "\n") * 5000)
    words = [sys.executable, "-c", "from worker.cli import main; main()", "logs", str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
