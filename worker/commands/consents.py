"""``sluicegate consents``: what persons allowed or withdrew. Read from files line by line; listed without their names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from worker.acts import Operator, record_act
from worker.api.consents import IMPORT, checked
from worker.api.errors import problem
from worker.api.models import Problem
from worker.api.reading import Unreadable, read
from worker.consents import ConsentBook, Given, Told, given
from worker.errors import ConfigurationError
from worker.opening import Opened, open_all
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.tenants.loading import Tenant, load_all
from worker.transcripts import iso

app = typer.Typer(
    help="What persons allowed or withdrew: import, list.", no_args_is_help=True, add_completion=False
)

TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

IMPORTED: Final = "consents_imported"
"""What an import is called in the record of operators' acts."""
_SHOWN: Final = 20


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="JSON lines, - for standard input.", metavar="FILE")],
    tenant: TenantId,
    by: Annotated[str, typer.Option("--by", help="Who does this: it stands on the record.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why: it stands on the record.")] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file; change nothing.")] = False,
) -> None:
    """Record a consent for each line, all or none: one object as `POST /v1/tenants/{tenant}/consents` takes it."""
    if not dry_run and not (by.strip() and why.strip()):
        raise ConfigurationError("--by and --why: say who imports it, and why")
    lines = _lines(file)
    with _opened(tenant) as (opened, of):
        told = _checked(lines, of)
        if not dry_run:
            ConsentBook(opened.store, opened.keyring, wall_clock).record(of, told, IMPORT)
            with opened.store.transaction() as tx:
                record_act(
                    tx,
                    opened.keyring,
                    of.id,
                    action=IMPORTED,
                    about=IMPORT.encode(),
                    operator=Operator(name=by, why=why),
                    now=wall_clock(),
                )
    typer.echo(f"{len(told)} consents " + ("could be recorded" if dry_run else "recorded"))


@app.command("list")
def list_(tenant: TenantId, *, json: AsJson = False) -> None:
    """List what stands, by conversation and category, and how it was learnt."""
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        found = list(given(tx, tenant))
    if json:
        print(msgspec.json.encode([_shown(one) for one in found]).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo(f"nobody at {tenant} allowed or withdrew anything")
        return
    table = Table(
        "conversation", "connector", "account", "category", "consent", "since", "source", box=box.SIMPLE
    )
    for one in found:
        since = (iso(one.changed_at) or "")[:19]
        conversation = one.conversation.hex()
        table.add_row(conversation, one.connector, one.account, one.category, one.consent, since, one.source)
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _lines(file: str) -> list[bytes]:
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError:
        raise ConfigurationError("the file cannot be read") from None
    return body.splitlines()


def _checked(lines: list[bytes], tenant: Tenant) -> list[Told]:
    """Every line as a consent. Raises ConfigurationError with what is wrong in each line; no value is repeated."""
    told: list[Told] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            one = _read(line, tenant)
            if isinstance(one, Told):
                told.append(one)
            else:
                wrong += [f"line {number}: {each.field or 'the line'}: {each.sentence}" for each in one]
    if wrong:
        more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise ConfigurationError(*wrong[:_SHOWN], *more, "nothing was recorded")
    return told


def _read(line: bytes, tenant: Tenant) -> Told | list[Problem]:
    try:
        return checked(read(line), tenant, wall_clock())
    except Unreadable as error:
        return [problem(error.code)]


@contextmanager
def _opened(tenant: str) -> Iterator[tuple[Opened, Tenant]]:
    settings = load_settings()
    version = load_all(tenant_source(settings)).versions.get(tenant)
    if version is None:
        raise ConfigurationError(f"there is no tenant {tenant} in service: see `sluicegate tenants check`")
    with closing(open_all(settings, migrate=False)) as opened:
        yield opened, version.tenant


def _shown(one: Given) -> dict[str, object]:
    instants = {"changed_at": iso(one.changed_at), "conversation": one.conversation.hex()}
    return msgspec.structs.asdict(one) | instants
