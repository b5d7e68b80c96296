"""``sluicegate migrate``: schemas, and the beginning of a new store."""

from __future__ import annotations

import typer

from worker.opening import open_all, prepare_data_directory
from worker.settings import load_settings


def migrate() -> None:
    """Bring store and keyring to this version's schema, each in one transaction.

    Where nothing exists yet, a master key is made too: keep a copy of it where no database backup goes. The key that
    signs checkpoints and receipts is made where there is none.
    Several may be told to migrate at once: one does, the others wait. A migration that fails changes nothing.
    """
    settings = load_settings()
    prepare_data_directory(settings)
    new_key = not settings.master_key_file.exists()
    new_signing_key = not settings.signing_key_file.exists()
    opened = open_all(settings, migrate=True)
    try:
        if new_key:
            typer.echo(
                f"a new master key is in {settings.master_key_file}: keep a copy of it apart from backups"
            )
        if new_signing_key:
            typer.echo(f"a new key that signs evidence is in {settings.signing_key_file}")
        typer.echo("store and keyring have this version's schema")
    finally:
        opened.close()
