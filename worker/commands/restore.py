"""``sluicegate restore``: an empty store and keyring become what a backup holds, less what was deleted since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from worker.backup.restore import Plan, Sources, Target, examine_sources
from worker.backup.restore import restore as restore_into
from worker.commands.operator import By, Why, operator
from worker.crypto import CryptoError, MasterKey
from worker.errors import ConfigurationError
from worker.keyring import open_keyring
from worker.opening import SingleProcess, ping, prepare_data_directory
from worker.runtime import wall_clock
from worker.settings import Settings, load_settings
from worker.store.engine import StoreError, open_store
from worker.transcripts import iso

MasterKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--master-key",
        help="The master key's file of that time. Default: the one that is in use.",
        metavar="FILE",
    ),
]


def restore(  # noqa: PLR0913 - the command's options
    file: Annotated[Path, typer.Argument(help="A backup of the store.", metavar="FILE")],
    keyring: Annotated[Path, typer.Option("--keyring", help="A backup of its keyring.", metavar="FILE")],
    why: Why,
    journal: Annotated[
        list[Path] | None,
        typer.Option("--journal", help="What was deleted since; again for every journal.", metavar="FILE"),
    ] = None,
    by: By = None,
    master_key_file: MasterKeyFile = None,
    *,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Without a journal: what was deleted since comes back.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Examine everything, change nothing.")] = False,
) -> None:
    """Restore into an empty store and keyring, all or nothing; then delete again what the journals say."""
    settings, who = load_settings(), operator(by, why)
    if not journal and not accept_loss:
        raise ConfigurationError(
            "without --journal, what was unsent, erased or opted out since the backup comes back: give every journal"
            " since, or say --accept-loss"
        )
    sources = Sources(
        content=file,
        keyring=keyring,
        master=master_key(settings, master_key_file),
        journals=tuple(journal or ()),
    )
    plan = examine_sources(sources, settings.keyring_horizon_days, wall_clock())
    _tell(plan)
    if dry_run:
        typer.echo("nothing was changed")
        return
    with _target(settings) as target:
        done = restore_into(plan, target, who, wall_clock())
    for kind, count in sorted(done.told.items()):
        typer.echo(f"  {kind:<12} {count:>10}")
    typer.echo(f"restored {done.rows} rows and {done.keys} keys")


def master_key(settings: Settings, file: Path | None) -> MasterKey:
    """The master key of a backup. Raises ConfigurationError."""
    path = file or settings.master_key_file
    try:
        return MasterKey.load(path)
    except OSError:
        raise ConfigurationError(f"there is no master key in {path} that this user can read") from None
    except CryptoError as error:
        raise ConfigurationError(f"{path}: {error}") from None


@contextmanager
def _target(settings: Settings) -> Iterator[Target]:
    """Both databases with this version's schema, for nobody else."""
    prepare_data_directory(settings)
    master = master_key(settings, None)
    try:
        with (
            closing(open_store(settings.database_url.get_secret_value())) as store,
            closing(open_keyring(settings.keyring_url.get_secret_value(), master)) as keyring,
        ):
            for database in (store, keyring.store):
                ping(database)
            keyring.migrate()
            store.migrate()
            alone = SingleProcess(store)
            try:
                yield Target(store=store, keyring=keyring, master=master)
            finally:
                alone.release()
    except StoreError as error:
        raise ConfigurationError(str(error)) from None


def _tell(plan: Plan) -> None:
    content, keys = plan.content.header, plan.keyring.header
    typer.echo(f"store of {iso(content.made_at)}, keyring of {iso(keys.made_at)}: both are whole")
    if keys.made_at < content.made_at:
        typer.echo("the keyring is older than the store: what began in between cannot be read", err=True)
    if plan.sources.journals:
        typer.echo(f"the journals are whole: {plan.lines} lines, {len(plan.erased)} conversations erased")
