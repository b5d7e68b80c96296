"""``sluicegate verify``: is a backup whole? Everything is decrypted in memory, nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.backup.examine import examine
from worker.commands.restore import MasterKeyFile, master_key
from worker.settings import load_settings
from worker.transcripts import iso


def verify(
    file: Annotated[Path, typer.Argument(help="A backup of a store or of a keyring.", metavar="FILE")],
    master_key_file: MasterKeyFile = None,
) -> None:
    """Decrypt all of a backup, check counts, digests and the decision chains in it; name the first damaged place."""
    found = examine(file, master_key(load_settings(), master_key_file))
    header = found.header
    typer.echo(
        f"{file}: {header.kind} of {iso(header.made_at)}, schema {header.revision}, master key {header.master}"
    )
    for table, rows in sorted(found.rows.items()):
        typer.echo(f"  {table:<16} {rows:>10}")
    for tenant, (sequence, head) in found.heads.items():
        typer.echo(f"  the decision chain of {tenant} holds up to {sequence}:{head}")
    typer.echo("whole")
