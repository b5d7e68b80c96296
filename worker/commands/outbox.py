"""``sluicegate outbox``: texts on their way out, and those of which nobody knows whether they were sent."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from policies.message import Instant
from worker.acts import Operator
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.runtime import wall_clock
from worker.settings import load_settings
from worker.sms.resolving import NotUnresolved, Resolution, resolve, unresolved
from worker.store import outbox as rows

app = typer.Typer(
    help="Show texts on their way out; say what became of unresolved ones.", no_args_is_help=True
)

TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]


@app.command("list")
def list_(tenant: TenantId) -> None:
    """Count what is pending by state, and list what waits for a person."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        with opened.store.reading() as tx:
            pending = rows.backlog(tx, tenant)
        found = unresolved(opened.store, tenant)
    if not pending:
        typer.echo(f"the outbox of {tenant} is empty")
        return
    for state, backlog in sorted(pending.items()):
        typer.echo(f"{state.name.lower():<11} {backlog.count:>7}  the oldest since {_when(backlog.oldest)}")
    if not found:
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("id", "ref", "connector", "sender", "tried"):
        table.add_column(column, overflow="fold")
    for row in found:
        table.add_row(
            row.id.hex(), row.key.hex(), row.connector, row.account, _when(row.tried_at or row.changed_at)
        )
    Console(highlight=False).print(table)
    typer.echo("Ask the provider, then: sluicegate outbox resolve ID sent|failed|send_again --by … --why …")


@app.command("resolve")
def resolve_(
    which: Annotated[str, typer.Argument(help="The text's id, or its first digits.", metavar="ID")],
    resolution: Annotated[Resolution, typer.Argument(help="What the provider says, or what is to be done.")],
    tenant: TenantId,
    by: Annotated[str, typer.Option("--by", help="Who says so: it stands on the record.")],
    why: Annotated[str, typer.Option("--why", help="How it is known: it stands on the record.")],
) -> None:
    """Say what became of a text that nobody knew of, or have it sent again."""
    if not by.strip() or not why.strip():
        raise ConfigurationError("--by and --why: say who decides, and why")
    with closing(open_all(load_settings(), migrate=False)) as opened:
        try:
            resolve(
                opened.store,
                opened.keyring,
                tenant,
                which,
                resolution,
                operator=Operator(name=by, why=why),
                clock=wall_clock,
            )
        except NotUnresolved:
            raise ConfigurationError(
                "no unresolved text, or more than one, has this id: see `sluicegate outbox list`"
            ) from None
    typer.echo(f"{which}: {resolution}")


def _when(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
