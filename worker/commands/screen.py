"""``sluicegate screen``: what the screening says of one text, of a CSV file, or of JSON lines."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from policies.message import Private
from policies.screening.context import Register, ScreenContext, Screening
from policies.screening.model import ModelAltered, shipped_model
from policies.screening.screen import screen as judge
from policies.sms.purpose import Purpose
from worker.errors import ConfigurationError
from worker.plain import plain

MOST_ERRORS: Final = 20
"""So many bad lines are named; the others are counted."""


class Line(Private, frozen=True):
    """One text to screen. The ``owned_`` fields and the sender stand in for the tenant's register; others are ignored."""

    id: str | int
    text: str
    owned_hosts: tuple[str, ...] | None = None
    owned_numbers: tuple[str, ...] | None = None
    sender: str | None = None
    recipient: str | None = None
    purpose: Purpose | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the screening says of a line."""

    id: str | int
    action: str
    score: float
    reasons: tuple[str, ...]


Read = Callable[[bytes], Iterator[tuple[int, "Line | str"]]]
"""The lines of a file, each with its number: a line, or the sentence that says what is wrong with it."""


def screen(
    text: Annotated[str | None, typer.Argument(help="One text, in quotes.")] = None,
    jsonl: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="IN OUT", help="Screen every line of IN, answer in OUT."),
    ] = None,
    table: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--csv", metavar="IN OUT", help="The same for CSV with a header; lists are parted by spaces."
        ),
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="A host that the sender owns; may be repeated.")
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="A number that the sender owns; may be repeated.")
    ] = None,
    sender: Annotated[str, typer.Option(help="Whom the text comes from.")] = "",
    purpose: Annotated[Purpose | None, typer.Option(help="What the text is for.")] = None,
) -> None:
    """Judge texts as they would be judged before they are sent; nothing is sent or kept.

    What is not named as the sender's own is foreign. Exit code 2 where the input is bad: then nothing is written.
    """
    _check_model()
    if (text is not None) + (jsonl is not None) + (table is not None) != 1:
        raise ConfigurationError("give one text, or --jsonl IN OUT, or --csv IN OUT")
    if text is not None:
        line = Line(text, text, tuple(host or ()), tuple(number or ()), sender, "", purpose)
        _show(judge(text, _context(line)))
    elif jsonl is not None:
        _file(*jsonl, _json_lines, _json_answers)
    elif table is not None:
        _file(*table, _csv_lines, _csv_answers)


def _check_model() -> None:
    try:
        shipped_model()
    except ModelAltered as error:
        raise ConfigurationError(f"{error}; install this version again") from None


def _context(line: Line) -> ScreenContext:
    register = Register.of(line.owned_hosts or (), line.owned_numbers or ())
    sender, recipient = line.sender or "", line.recipient or ""
    return ScreenContext(sender=sender, recipient=recipient, purpose=line.purpose, register=register)


def _show(screening: Screening) -> None:
    """One judgement for a reviewer, in sentences."""
    typer.echo(f"{screening.action}  score {screening.score:.3f}")
    for code in screening.codes:
        clauses = next(finding.clauses for finding in screening.reasons if finding.code is code)
        typer.echo(f"  {code}  ({', '.join(clauses)})")
    for evidence in screening.evidence:
        words = plain(evidence.feature)
        typer.echo(f"  {evidence.weight:+.2f}  {words}  at {evidence.start}-{evidence.end}")
    for remedy in screening.remedies:
        typer.echo(f"  to change it: {remedy}")


def _file(source: Path, target: Path, read: Read, written: Callable[[Sequence[Answer]], bytes]) -> None:
    """Screen a file: all of it, or nothing and every bad line named."""
    lines: list[Line] = []
    wrong: list[str] = []
    for number, line in read(_bytes(source)):
        if isinstance(line, str):
            wrong.append(f"{source}: line {number}: {line}")
        else:
            lines.append(line)
    if wrong:
        more = [f"and {len(wrong) - MOST_ERRORS} more bad lines"] if len(wrong) > MOST_ERRORS else []
        raise ConfigurationError(
            *map(plain, wrong[:MOST_ERRORS]), *more, "nothing was screened, nothing was written"
        )
    _check_target(target)
    console = Console(stderr=True)
    shown = track(lines, description="screening", console=console, disable=not sys.stderr.isatty())
    answers = [_answer(line) for line in shown]
    _write(target, written(answers))
    _summary(console, answers)


def _answer(line: Line) -> Answer:
    screening = judge(line.text, _context(line))
    return Answer(line.id, screening.action.value, round(screening.score, 6), tuple(screening.codes))


def _json_lines(data: bytes) -> Iterator[tuple[int, Line | str]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield number, _decoded(line)


def _decoded(line: bytes) -> Line | str:
    try:
        return _LINE.decode(line)
    except msgspec.ValidationError as error:
        return _what(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "this is no JSON object in UTF-8"


def _csv_lines(data: bytes) -> Iterator[tuple[int, Line | str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield 1, "the file is not in UTF-8"
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = {"id", "text"} - set(reader.fieldnames or ())
        if missing:
            yield 1, f"the header lacks {' and '.join(sorted(missing))}"
            return
        for row in reader:
            yield reader.line_num, _row(row)
    except csv.Error:
        yield reader.line_num, "this is no CSV"


def _row(row: Mapping[str | Any, str | Any]) -> Line | str:
    if None in row or None in row.values():
        return "the line has another number of fields than the header"
    known: dict[str, Any] = {
        name: value for name, value in row.items() if name in Line.__struct_fields__ and value
    }
    lists: dict[str, Any] = {
        name: str(known[name]).split() for name in ("owned_hosts", "owned_numbers") if name in known
    }
    try:
        return msgspec.convert(known | lists, Line)
    except msgspec.ValidationError as error:
        return _what(error)


def _what(error: msgspec.ValidationError) -> str:
    """What is wrong, without the value: the library's sentence names types and fields; only an enum's quotes what came."""
    words = str(error)
    return (
        "purpose is one of transactional, marketing, conversational"
        if "enum value" in words
        else _UNQUOTED(words)
    )


def _unquoted(words: str) -> str:
    return (
        words
        if "unknown field" not in words
        else "there is a field that is none of " + ", ".join(Line.__struct_fields__)
    )


_UNQUOTED: Final = _unquoted
_LINE: Final = msgspec.json.Decoder(Line)


def _json_answers(answers: Sequence[Answer]) -> bytes:
    return b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers)


def _csv_answers(answers: Sequence[Answer]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("id", "action", "score", "reasons"))
    writer.writerows((_cell(str(a.id)), a.action, f"{a.score:.6f}", " ".join(a.reasons)) for a in answers)
    return out.getvalue().encode()


def _cell(value: str) -> str:
    """A spreadsheet takes a cell that begins so for a formula."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError(f"{plain(str(path))}: the file cannot be read") from None


def _check_target(path: Path) -> None:
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigurationError(f"{plain(str(path))}: the file cannot be written")


def _write(path: Path, data: bytes) -> None:
    """All of it under its name, or nothing."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        raise ConfigurationError(f"{plain(str(path))}: the file cannot be written") from None


def _summary(console: Console, answers: Iterable[Answer]) -> None:
    actions: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for answer in answers:
        actions[answer.action] += 1
        reasons.update(answer.reasons)
    table = Table("", "texts")
    for name, count in actions.most_common():
        table.add_row(name, str(count), style="bold")
    for name, count in reasons.most_common():
        table.add_row(f"  {name}", str(count))
    console.print(table)
