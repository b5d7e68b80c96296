"""``sluicegate backup``: everything that was committed at one moment, sealed, while the worker runs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from policies.message import Instant
from worker.acts import Operator, record_everywhere
from worker.backup.dump import Made, back_up_keyring, back_up_store
from worker.backup.horizon import expired, prune
from worker.backup.journal import Journal
from worker.commands.operator import By, Why, operator
from worker.crypto import MasterKey
from worker.errors import ConfigurationError
from worker.opening import Opened, open_all
from worker.runtime import wall_clock
from worker.settings import Settings, load_settings

MADE: Final = "backed_up"


class _Group(TyperGroup):
    """``backup FILE`` is ``backup make FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the command that is left out."""
        known = {*self.commands, "--help"}
        return super().parse_args(ctx, args if not args or args[0] in known else ["make", *args])


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    help="Back the store up into FILE while the worker runs; the keyring into a file of its own.",
)


@app.command()
def make(
    file: Annotated[Path, typer.Argument(help="The new file.", metavar="FILE")],
    keyring: Annotated[
        Path | None,
        typer.Option("--keyring", help="A new file for the keyring, in another directory.", metavar="FILE"),
    ] = None,
    by: By = None,
    why: Why = "backup",
) -> None:
    """Write a backup of the store, and with --keyring one of the keyring."""
    settings, who = load_settings(), operator(by, why)
    if keyring is not None and keyring.absolute().parent.resolve() == file.absolute().parent.resolve():
        raise ConfigurationError(
            "--keyring: keys never lie beside what they open: name a file in another directory"
        )
    with closing(open_all(settings, migrate=False)) as opened:
        _make(settings, opened, file, keyring, who)
    if settings.journal_file is None:
        typer.echo(
            "no SLUICEGATE_JOURNAL_FILE is set: a restore will not know what was deleted since", err=True
        )


@app.command("prune")
def prune_(directory: Annotated[Path, typer.Argument(help="Where backups of the keyring are kept.")]) -> None:
    """Delete backups of the keyring that are older than SLUICEGATE_KEYRING_HORIZON_DAYS, and nothing else."""
    settings = load_settings()
    gone = prune(directory, settings.keyring_horizon_days, wall_clock())
    for path in gone:
        typer.echo(f"deleted {path}")
    if not gone:
        typer.echo(f"no backup of a keyring in {directory} is too old")


def _make(settings: Settings, opened: Opened, file: Path, keyring: Path | None, who: Operator) -> None:
    master, now = MasterKey.load(settings.master_key_file), wall_clock()
    journal = Journal(settings.journal_file).position if settings.journal_file else lambda: None
    made = back_up_store(opened.store, master, file, now, journal)
    _say(file, made)
    if keyring is not None:
        # After the store: whatever is sealed there has its key here.
        _say(keyring, back_up_keyring(opened.keyring, master, keyring, wall_clock()))
        _warn(keyring.absolute().parent, settings.keyring_horizon_days, now)
    about = bytes.fromhex(made[0].id)
    record_everywhere(opened.store, opened.keyring, action=MADE, about=about, operator=who, now=wall_clock())


def _say(path: Path, made: Made) -> None:
    header, digest, rows = made
    typer.echo(f"{path}: {header.kind}, {rows} rows, sha256 {digest}")


def _warn(directory: Path, horizon_days: int, now: Instant) -> None:
    old = expired(directory, horizon_days, now)
    if old:
        typer.echo(
            f"{len(old)} backups of the keyring in {directory} are older than {horizon_days} days, and hold keys"
            " that may have been destroyed since: sluicegate backup prune deletes them",
            err=True,
        )
