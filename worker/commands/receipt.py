"""``sluicegate receipt``: deletion receipts, checked offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.audit.receipts import ReceiptRefused, verify_receipt
from worker.audit.signing import PublicKey
from worker.crypto import CryptoError
from worker.errors import ConfigurationError, Failed
from worker.plain import plain

app = typer.Typer(help="Check deletion receipts.", no_args_is_help=True)

_MOST_BYTES = 4 << 20


@app.callback()
def _group() -> None:
    """Check deletion receipts."""


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
            told = verify_receipt(opened.read(_MOST_BYTES), public)
    except OSError:
        raise ConfigurationError(f"{file} cannot be read") from None
    except ReceiptRefused as refused:
        raise Failed(f"{file}: {refused}") from None
    counts = ", ".join(
        f"{told[name]['count']} {name.replace('_', ' ')}"
        for name in ("messages", "conversations", "keys_destroyed")
    )
    typer.echo(
        plain(
            f"genuine: {told['kind']} of {told['tenant']} at {told['at']}, {counts}, by {told['rule']} ({', '.join(told['clauses'])})"
        )
    )
