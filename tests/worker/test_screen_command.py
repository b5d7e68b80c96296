"""``sluicegate screen``: one text, CSV and JSON lines; bad lines are named and nothing is half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from worker.commands.screen import screen
from worker.errors import ConfigurationError

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(screen)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
    if isinstance(result.exception, ConfigurationError):
        raise result.exception
    assert result.exit_code == 0
    return result.output


def test_one_text_is_explained() -> None:
    """Action, score, codes with clauses, and what would change it."""
    told = run("Pay the fee at https://evil.top/a")
    assert told.startswith("quarantine  score 0.")
    assert "url_foreign  (VT-1.3, VT-6)" in told
    assert "to change it: link to a host of the sender" in told


def test_a_named_host_is_owned() -> None:
    """--host stands in for the register."""
    assert run("Track it at https://larkfield.example/a", "--host", "larkfield.example").startswith("pass")


def test_json_lines_are_answered_in_order(tmp_path: Path) -> None:
    """Every line gives its id, action, score and reasons; null and unknown fields do no harm."""
    lines: list[dict[str, object]] = [
        {"id": "a", "text": "Your table is booked", "purpose": "transactional", "sender": None, "label": "x"},
        {"id": 2, "text": "Track it at https://larkfield.example", "owned_hosts": ["larkfield.example"]},
        {"id": "c", "text": "Track it at https://larkfield.example", "owned_hosts": ["other.example"]},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    run("--jsonl", str(source), str(target))
    answers = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [(answer["id"], answer["action"], answer["reasons"]) for answer in answers] == [
        ("a", "pass", []),
        (2, "pass", []),
        ("c", "quarantine", ["url_foreign"]),
    ]
    assert all(0 <= answer["score"] <= 1 for answer in answers)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"id": 1}', "missing required field `text`"),
        (b'{"text": "x"}', "missing required field `id`"),
        (b'{"id": 1, "text": 5}', "Expected `str`, got `int`"),
        (b'{"id": 1, "text": "x", "purpose": "secret"}', "purpose is one of"),
        (b"secret", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[1]", "Expected `object`"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(tmp_path: Path, line: bytes, says: str) -> None:
    """The sentence has the line's number and not its content; what stood in OUT stays."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"id": 0, "text": "x"}\n' + line + b"\n")
    target.write_text("before", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        run("--jsonl", str(source), str(target))
    told = "\n".join(caught.value.sentences)
    assert "line 2: " in told
    assert says in told
    assert "secret" not in told
    assert target.read_text("utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_csv_is_read_and_answered(tmp_path: Path) -> None:
    """Quoted fields and lists parted by spaces; a cell that a spreadsheet would run is defused."""
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = [
        "id,text,owned_hosts,purpose",
        '=1,"See https://a.example, or https://b.example",a.example b.example,',
        '2,"Hi",,',
    ]
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    run("--csv", str(source), str(target))
    told = target.read_text("utf-8").splitlines()
    assert told[0] == "id,action,score,reasons"
    assert [line.split(",")[:2] for line in told[1:]] == [["'=1", "pass"], ["2", "pass"]]


@pytest.mark.parametrize(
    ("written", "says"), [("id,words\n1,x\n", "line 1: the header lacks text"), ("id,text\n1\n", "line 2: ")]
)
def test_a_bad_csv_is_refused(tmp_path: Path, written: str, says: str) -> None:
    """A header without text, a row with too few fields."""
    source = tmp_path / "in.csv"
    source.write_text(written, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        run("--csv", str(source), str(tmp_path / "out.csv"))
    assert says in "\n".join(caught.value.sentences)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("arguments", [[], ["text", "--jsonl", "a", "b"]])
def test_one_thing_at_a_time(arguments: list[str]) -> None:
    """No input, or two, is a mistake in the command."""
    with pytest.raises(ConfigurationError, match="give one text"):
        run(*arguments)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The input that is not there, and the output that cannot be."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        run("--jsonl", str(tmp_path / "none"), str(tmp_path / "out"))
    (tmp_path / "in").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        run("--jsonl", str(tmp_path / "in"), str(tmp_path / "no" / "out"))
