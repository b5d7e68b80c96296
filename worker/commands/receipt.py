"""``sluicegate receipt``: deletion receipts, handed out and checked offline."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.audit.receipts import FORMAT, ReceiptRefused, verify_receipt
from worker.audit.signing import PublicKey
from worker.crypto import CryptoError
from worker.errors import ConfigurationError, Failed
from worker.opening import open_all
from worker.plain import plain
from worker.retention.report import FORMAT as REPORT
from worker.settings import load_settings
from worker.store.seals import find_receipt, receipts_since
from worker.transcripts import iso

app = typer.Typer(
    help="Hand deletion receipts out, and check them.", no_args_is_help=True, add_completion=False
)

_MOST_BYTES = 4 << 20


@app.callback()
def _group() -> None:
    """Hand deletion receipts out, and check them."""


@app.command("list")
def list_(tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]) -> None:
    """List a tenant's receipts, the oldest first."""
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        for one in receipts_since(tx, tenant, 0):
            typer.echo(f"{one.id.hex()}  {iso(one.made_at)}  {one.kind}")


@app.command()
def show(
    receipt: Annotated[str, typer.Argument(help="The receipt's id.", metavar="ID")],
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")],
) -> None:
    """Print a receipt as it was signed: a file of it can be checked by anybody."""
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        found = find_receipt(tx, tenant, _id(receipt))
    if found is None:
        raise ConfigurationError(f"{tenant} has no receipt of this id: see `sluicegate receipt list`")
    typer.echo(found.receipt)


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt: one JSON object.", metavar="FILE")],
    key: Annotated[Path, typer.Option("--key", help="The public key that it was signed for, in PEM.")],
) -> None:
    """Check a receipt against a public key. Needs no store and no network."""
    try:
        public = PublicKey.load(key)
    except OSError:
        raise ConfigurationError(f"--key: {key} cannot be read") from None
    except CryptoError as error:
        raise ConfigurationError(f"--key: {error}") from None
    try:
        with file.open("rb") as opened:
            told = verify_receipt(opened.read(_MOST_BYTES), public, (FORMAT, REPORT))
    except OSError:
        raise ConfigurationError(f"{file} cannot be read") from None
    except ReceiptRefused as refused:
        raise Failed(f"{file}: {refused}") from None
    typer.echo(plain(_told_report(told) if told["format"] == REPORT else _told_receipt(told)))


def _told_receipt(told: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{told[name]['count']} {name.replace('_', ' ')}"
        for name in ("messages", "conversations", "keys_destroyed")
    )
    return f"genuine: {told['kind']} of {told['tenant']} at {told['at']}, {counts}, by {told['rule']} ({', '.join(told['clauses'])})"


def _told_report(told: dict[str, Any]) -> str:
    gone = told["destroyed"]
    return (
        f"genuine: offboarding of {told['tenant']}, purged at {told['purged_at']}, {gone['messages']} messages,"
        f" {gone['conversations']} conversations, {gone['keys_destroyed']} keys destroyed, records kept until"
        f" {told['records_kept_until']} ({', '.join(told['clauses'])})"
    )
