"""``sluicegate logs``: the log's JSON lines as a table. What stands in a line is shown, never interpreted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from policies.verdict import ReasonCode
from worker.errors import ConfigurationError
from worker.inbound import Disposition
from worker.log.schema import schema
from worker.plain import plain

_FOLLOW_SECONDS: Final = 0.2
_COLUMNS: Final = {"at": 12, "line": 13, "tenant": 14, "connector": 10}
_LEVELS: Final = {"warning": "yellow", "error": "bold red"}
_COLOURS: Final = {
    "stored": "green",
    "edited": "green",
    "updated": "green",
    "unsent": "magenta",
    "dropped": "magenta",
    "withheld": "magenta",
    "duplicate": "dim",
    "noted": "dim",
    "foreign": "dim",
    "unrecognised": "yellow",
}
_SHOWN_FIRST: Final = ("event", "disposition", "dispositions", "refusal", "status", "phase", "reasons")
_SHORTENED: Final = {"head": 16}
"""What is long and only ever compared: in the table its beginning is enough."""
_OMITTED: Final = {*_COLUMNS, "level", *_SHOWN_FIRST}

Line = Mapping[str, Any]


class _Console(Console):
    """Shows text as it is; a reader that went away is for the caller to notice."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Rich would end the process with an error."""
        raise BrokenPipeError


def logs(  # noqa: PLR0913 - the options of the command
    file: Annotated[Path | None, typer.Argument(help="A file of log lines; default: standard input.")] = None,
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="Only this tenant's lines.")] = None,
    connector: Annotated[str | None, typer.Option("--connector", "-c", help="Only this connector's.")] = None,
    disposition: Annotated[
        str | None, typer.Option("--disposition", "-d", help="Only where something was stored, dropped, …")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Only with this reason code.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the file grows.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the lines that fit as JSON.")] = False,
    page: Annotated[bool, typer.Option("--schema", help="Print the schema's page and nothing else.")] = False,
) -> None:
    """Show log lines as a coloured table, filtered: sluicegate serve | sluicegate logs --tenant acme."""
    if page:
        typer.echo(schema(), nl=False)
        return
    _check("--disposition", disposition, Disposition)
    _check("--reason", reason, ReasonCode)
    fits = _filter(tenant=tenant, connector=connector, disposition=disposition, reason=reason)
    console = _Console()
    try:
        if not json:
            console.print(Text(_header(), "dim"))
        for raw in _lines(file, follow=follow):
            line = _parsed(raw)
            if fits(line) and not (json and "" in line):
                console.print(_as_json(line) if json else _row(line))
    except (BrokenPipeError, KeyboardInterrupt):
        _leave_quietly()


def _check(option: str, word: str | None, known: type[StrEnum]) -> None:
    """A word that no line can hold would show an empty table."""
    if word is not None and word not in set(known):
        raise ConfigurationError(f"{option}: expected one of {', '.join(known)}")


def _leave_quietly() -> None:
    """Whoever read us has enough: what is left in the buffer goes nowhere, and nobody complains at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines(file: Path | None, *, follow: bool) -> Iterator[bytes]:
    if file is None:
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as opened:
            yield from _followed(opened) if follow else opened
    except OSError:
        raise ConfigurationError(f"{plain(str(file))} cannot be read") from None


def _followed(opened: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, for ever."""
    begun = b""
    while True:
        begun += opened.readline()
        if begun.endswith(b"\n"):
            yield begun
            begun = b""
        else:
            time.sleep(_FOLLOW_SECONDS)


def _parsed(raw: bytes) -> Line:
    """The line, or what cannot be read as one under the key "" (shown, never interpreted)."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"": raw.decode("utf-8", "replace").rstrip("\n")}


def _filter(
    *, tenant: str | None, connector: str | None, disposition: str | None, reason: str | None
) -> Callable[[Line], bool]:
    def fits(line: Line) -> bool:
        return (
            tenant in (None, line.get("tenant"))
            and connector in (None, line.get("connector"))
            and (disposition is None or disposition in _words(line, "disposition", "dispositions"))
            and (
                reason is None
                or reason in {*_words(line, "reasons", "reasons"), *_words(line, "shadow", "shadow")}
            )
        )

    return fits


def _words(line: Line, one: str, many: str) -> Iterable[str]:
    """The dispositions or reason codes of a decision, or those that a delivery counts."""
    value = line.get(many, line.get(one))
    if isinstance(value, dict):
        return [str(word) for word in value]
    if isinstance(value, list):
        return [str(item.get("code")) if isinstance(item, dict) else str(item) for item in value]
    return [value] if isinstance(value, str) else []


def _header() -> str:
    return "".join(name.ljust(width + 1) for name, width in _COLUMNS.items()) + "what"


def _as_json(line: Line) -> Text:
    return Text(msgspec.json.encode(line).decode())


def _row(line: Line) -> Text:
    if "" in line:
        return Text(plain(str(line[""])), "dim")
    row = Text()
    for name, width in _COLUMNS.items():
        row.append(_cell(line, name)[:width].ljust(width + 1), "bold" if name == "line" else "")
    level = _LEVELS.get(str(line.get("level")), "")
    for name in _SHOWN_FIRST:
        if line.get(name):
            row.append(f"{_value(line, name)} ", _colour(line, name) or level)
    rest = [
        f"{plain(str(name))}={_value(line, name)}"
        for name in line
        if name not in _OMITTED and _is_told(line[name])
    ]
    row.append(" ".join(rest), level or "dim")
    return row


def _cell(line: Line, name: str) -> str:
    value = plain(str(line.get(name, "")))
    return value[11:23] if name == "at" else value


def _is_told(value: Any) -> bool:
    return value not in ("", 0, [], {}, None, False)


def _value(line: Line, name: str) -> str:
    value = line[name]
    if name == "reasons":
        return " ".join(map(plain, _reasons(line)))
    if isinstance(value, dict):
        return " ".join(f"{plain(str(word))}={plain(str(count))}" for word, count in value.items())
    if isinstance(value, list):
        return ",".join(plain(str(item)) for item in value)
    return plain(str(value))[: _SHORTENED.get(name)]


def _reasons(line: Line) -> Iterable[str]:
    """The codes of a line; in parentheses those of rules that a tenant only tries."""
    value = line["reasons"]
    told = value if isinstance(value, list) else []
    tried = {str(one.get("code")) for one in told if isinstance(one, dict) and one.get("shadow")}
    return (f"({word})" if word in tried else word for word in _words(line, "reasons", "reasons"))


def _colour(line: Line, name: str) -> str:
    if name == "reasons":
        return "cyan"
    words = list(_words(line, "disposition", "dispositions")) if name.startswith("disposition") else []
    return _COLOURS.get(words[0], "") if len(words) == 1 else ""
