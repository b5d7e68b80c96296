"""``sluicegate transcript``: what was kept, on a terminal or as JSON. Everything in it is hostile text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Final

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.plain import plain
from worker.settings import load_settings
from worker.transcripts import UnknownConversation, conversations, export

app = typer.Typer(help="Show what was kept of conversations.", no_args_is_help=True, add_completion=False)

Tenant = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_WIDE: Final = 200
_STATES: Final = {"unsent": "(taken back)", "absent": "(never came)"}


@app.command("list")
def list_(tenant: Tenant, *, json: AsJson = False) -> None:
    """List a tenant's conversations."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        found = conversations(opened.store, opened.keyring, tenant)
    if json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - the command's output
        return
    if not found:
        _say_none(tenant)
        return
    table = _table("conversation", "connector", "account", "person", "opened")
    for talk in found:
        table.add_row(
            *map(_cell, (talk["id"], talk["connector"], talk["account"], _person(talk), talk["opened_at"]))
        )
    _console().print(table)


@app.command()
def show(
    tenant: Tenant,
    conversation: Annotated[
        str | None, typer.Option("--conversation", "-c", help="One conversation's id; default: all of them.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show a tenant's transcripts, decrypted."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        try:
            found = export(opened.store, opened.keyring, tenant, conversation)
        except UnknownConversation:
            raise ConfigurationError("this tenant has no such conversation") from None
    if json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - the command's output
        return
    if not found["conversations"] and not found["unattributed"]:
        _say_none(tenant)
    console = _console()
    for talk in found["conversations"]:
        console.print(_cell(f"{talk['connector']} {talk['account']}  {_person(talk)}  ({talk['id']})"))
        console.print(_entries(talk["entries"]))
    if found["unattributed"]:
        console.print("of messages that never came")
        console.print(_entries(found["unattributed"]))


def _say_none(tenant: str) -> None:
    """Beside the output, not in it: a tenant's file may be gone, and what was kept of it stays."""
    typer.echo(f"nothing is kept of a tenant {plain(tenant)}", err=True)


def _entries(entries: list[Mapping[str, Any]]) -> Table:
    table = _table("when", "who", "what", "said", "state")
    for entry in entries:
        who = {"inbound": "person", "outbound": "tenant"}.get(entry["direction"], "")
        when = (entry["occurred_at"] or entry["unsent_at"] or "")[:19]
        table.add_row(*map(_cell, (when, who, entry["kind"] or "", _said(entry), _state(entry))))
    return table


def _said(entry: Mapping[str, Any]) -> str:
    media = (_media(one) for one in entry["media"])
    details = ", ".join(sorted(entry["details"]))
    return "\n".join(part for part in (entry["text"] or "", *media, details and f"({details})") if part)


def _media(media: Mapping[str, Any]) -> str:
    if media.get("removed"):
        return f"[{media['kind']}, removed: {media['removed']}]"
    return f"[{media['kind']}: {media.get('url') or media.get('id') or 'no reference'}]"


def _state(entry: Mapping[str, Any]) -> str:
    words = [_STATES.get(entry["state"], ""), entry["status"] or "", "edited" if entry["edits"] else ""]
    words += [word for word in ("standby", "history", "withheld") if entry[word]]
    return " ".join(filter(None, words))


def _person(talk: Mapping[str, Any]) -> str:
    return ", ".join(f"{one['kind']} {one['value']}" for one in talk["identifiers"]) or "unknown"


def _cell(text: str) -> Text:
    """Text as it is: line by line without what cannot be seen, and no markup in it."""
    return Text("\n".join(plain(line) for line in text.split("\n")))


def _table(first: str, *columns: str) -> Table:
    """Nothing is cut off: the first column stands on one line, what is long in the others goes on below."""
    table = Table(box=box.SIMPLE)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console() -> Console:
    """Into a pipe or a file, lines are wide."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(highlight=False, markup=False, emoji=False, width=width)
