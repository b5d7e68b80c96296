"""``sluicegate exclusions``: persons of whom nothing is recorded; a person confirms what a child declared, or lifts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Final, TypeVar

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from worker.acts import Operator
from worker.errors import ConfigurationError
from worker.exclusions import Mark
from worker.opening import Opened, open_all
from worker.rights.desk import Desk
from worker.rights.errors import RightsRefused
from worker.rights.excluding import erase_excluded
from worker.rights.exclusion import Exclusion, NobodyExcluded
from worker.rights.opening import tools_of
from worker.runtime import wall_clock
from worker.settings import Settings, load_settings
from worker.store import decisions
from worker.transcripts import iso

app = typer.Typer(
    help="Persons of whom nothing is recorded: list, add, confirm, lift.",
    no_args_is_help=True,
    add_completion=False,
)

TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
WHOM: Final = "A number (+12025550123), x:HANDLE, instagram:…, facebook:…, or an id of a platform."
Which = Annotated[
    str, typer.Argument(help="An id of `list`, or its first digits; or as for `add`.", metavar="WHO")
]
By = Annotated[str, typer.Option("--by", help="Who decides: it stands on the record.")]
Why = Annotated[str, typer.Option("--why", help="Why: it stands on the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_SHORT: Final = 12
T = TypeVar("T")


@app.command("list")
def list_(tenant: TenantId, *, json: AsJson = False) -> None:
    """List them, the longest excluded first; `declared` waits for somebody to confirm or lift it."""
    with _exclusion(tenant) as (_, exclusion, _):
        found = exclusion.all()
    if json:
        rows = [msgspec.structs.asdict(one) | {"since": iso(one.since)} for one in found]
        print(msgspec.json.encode(rows).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo(f"of everybody at {tenant} something may be recorded")
        return
    table = Table("who", "why", "known", "since", "identifiers", box=box.SIMPLE)
    for one in found:
        since = (iso(one.since) or "")[:19]
        table.add_row(one.id[:_SHORT], one.mark, one.source, since, str(one.identifiers))
    Console(highlight=False).print(table)


@app.command()
def add(
    person: Annotated[str, typer.Argument(help=WHOM, metavar="PERSON")],
    tenant: TenantId,
    by: By,
    why: Why,
    *,
    adult: Annotated[
        bool, typer.Option("--adult", help="Not for their age: nothing is recorded all the same.")
    ] = False,
) -> None:
    """Record nothing of a person from now on, and erase what is kept of them."""
    mark = Mark.NAMED if adult else Mark.UNDER_13
    with _exclusion(tenant) as (opened, exclusion, settings):
        due = _or_refused(lambda: exclusion.add(person, _operator(by, why), mark))
        tools = tools_of(opened, settings, wall_clock)
        erase_excluded(Desk(tools), tools)
    typer.echo(f"nothing is recorded of them from now on; {due} conversations erased")


@app.command()
def confirm(which: Which, tenant: TenantId, by: By, why: Why) -> None:
    """Say that somebody looked, and that it is so."""
    with _exclusion(tenant) as (_, exclusion, _):
        _or_refused(lambda: exclusion.confirm(which, _operator(by, why)))
    typer.echo("confirmed")


@app.command()
def lift(which: Which, tenant: TenantId, by: By, why: Why) -> None:
    """Record this person again. What was erased stays erased."""
    with _exclusion(tenant) as (_, exclusion, _):
        _or_refused(lambda: exclusion.lift(which, _operator(by, why)))
    typer.echo("lifted; what they write from now on is recorded")


@contextmanager
def _exclusion(tenant: str) -> Iterator[tuple[Opened, Exclusion, Settings]]:
    settings = load_settings()
    with closing(open_all(settings, migrate=False)) as opened:
        with opened.store.reading() as tx:
            known = decisions.end_of(tx, tenant)[0]
        if not known and not (settings.tenants_dir / f"{tenant}.toml").exists():
            raise ConfigurationError("there is no such tenant: see `sluicegate tenants check`")
        yield opened, Exclusion(opened.store, opened.keyring, tenant, wall_clock), settings


def _or_refused(act: Callable[[], T]) -> T:
    try:
        return act()
    except NobodyExcluded:
        raise ConfigurationError(
            "nobody, or more than one, is excluded under this: see `sluicegate exclusions list`"
        ) from None
    except RightsRefused as refused:
        raise ConfigurationError(refused.sentence) from None


def _operator(by: str, why: str) -> Operator:
    if not by.strip() or not why.strip():
        raise ConfigurationError("--by and --why: say who decides, and why")
    return Operator(name=by, why=why)
