"""``sluicegate keys``: keys of the programming interface, made, listed and revoked; each act stands on the record."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated, Any, Final

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.api.access import NoSuchKey, issue
from worker.api.access import revoke as revoke_key
from worker.api.keys import KeyScope
from worker.commands import masterkey
from worker.commands.operator import By, operator
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.plain import plain
from worker.runtime import tenant_source, wall_clock
from worker.settings import Settings, load_settings
from worker.store import api_keys
from worker.tenants.file import TENANT_ID
from worker.transcripts import iso

app = typer.Typer(
    help="Make, list and revoke keys of the programming interface; exchange and split the master key.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("rotate")(masterkey.rotate)
app.command("rewrap")(masterkey.rewrap)
app.add_typer(masterkey.parts, name="escrow")

TenantId = Annotated[str, typer.Argument(help="The tenant's id.", metavar="TENANT")]
_LONGEST_LABEL: Final = 128
_WIDE: Final = 200


@app.command()
def new(
    tenant: TenantId,
    scope: Annotated[list[KeyScope], typer.Option(help="What it is good for; may be given several times.")],
    label: Annotated[str, typer.Option(help="What the key is called: who or what will use it.")],
    by: By = None,
    why: Annotated[str, typer.Option("--why", help="Why: it stands on the record.")] = "",
) -> None:
    """Make a key and print it, once: only its digest is stored."""
    settings = load_settings()
    _check(settings, tenant, label)
    with closing(open_all(settings, migrate=False)) as opened:
        who = operator(by, why or label)
        text = issue(
            opened.store,
            opened.keyring,
            tenant,
            scopes=scope,
            label=label,
            operator=who,
            now=wall_clock(),
        )
    typer.echo(text)
    typer.echo("keep it now: it is never shown again", err=True)


@app.command("list")
def list_(
    tenant: TenantId,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List a tenant's keys by their public prefix, the oldest first. No secret is in any store."""
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        found = [_told(one) for one in api_keys.all_of(tx, tenant)]
    if json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo(f"{plain(tenant)} has no keys", err=True)
        return
    table = Table(box=box.SIMPLE)
    for column in found[0]:
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*(Text(plain(str(value or ""))) for value in one.values()))
    width = None if sys.stdout.isatty() else _WIDE
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


@app.command()
def revoke(
    tenant: TenantId,
    prefix: Annotated[str, typer.Argument(help="The key's prefix, as `sluicegate keys list` shows it.")],
    by: By = None,
    why: Annotated[str, typer.Option("--why", help="Why: it stands on the record.")] = "revoked",
) -> None:
    """Take a key out of use for good. All replicas refuse it at once."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        who = operator(by, why)
        try:
            revoke_key(opened.store, opened.keyring, tenant, prefix, operator=who, now=wall_clock())
        except NoSuchKey:
            raise ConfigurationError(
                "this tenant has no such key in use: see `sluicegate keys list`"
            ) from None
    typer.echo(f"revoked {prefix}")


def _check(settings: Settings, tenant: str, label: str) -> None:
    if TENANT_ID.fullmatch(tenant) is None or f"{tenant}.toml" not in tenant_source(settings).files():
        raise ConfigurationError(
            f"there is no tenant {plain(tenant)}: its file would be {plain(tenant)}.toml"
        )
    if not (label.strip() and label.isprintable() and len(label) <= _LONGEST_LABEL):
        raise ConfigurationError(f"--label: expected at most {_LONGEST_LABEL} characters on one line")


def _told(one: api_keys.ApiKey) -> dict[str, Any]:
    return {
        "prefix": one.prefix,
        "scopes": one.scopes,
        "label": one.label,
        "made_at": iso(one.made_at),
        "revoked_at": iso(one.revoked_at),
    }
