"""The master key's part of ``sluicegate keys``: rotate, rewrap, escrow. Each act stands on every tenant's record."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from worker.acts import Operator, record_everywhere
from worker.backup import escrow, rotation
from worker.commands.operator import By, Why, operator
from worker.crypto import MasterKey, MasterKeys, fingerprint, sync_directory
from worker.errors import ConfigurationError
from worker.keyring import open_keyring
from worker.opening import Opened, open_all, ping
from worker.runtime import wall_clock
from worker.settings import Settings, load_settings
from worker.store.engine import StoreError

ROTATED: Final = "master_key_rotated"
ESCROWED: Final = "master_key_escrowed"

parts = typer.Typer(
    help="Split the master key into parts for several people; put it together again.", no_args_is_help=True
)


def rotate(
    why: Why,
    by: By = None,
    *,
    stage: Annotated[
        bool,
        typer.Option(
            "--stage", help="Only put the new key into the file, to be handed to every worker first."
        ),
    ] = False,
) -> None:
    """Make a new master key and wrap every key by it, while workers run. After a crash: the same again goes on."""
    settings, who = load_settings(), operator(by, why)
    path = settings.master_key_file
    with closing(open_all(settings, migrate=False)) as opened:
        if MasterKeys.read(path).previous is None:
            new = rotation.stage(path)
            if stage:
                typer.echo(
                    f"the new key {new} stands in {path}: give the file to every worker, then rotate again"
                )
                return
            rotation.promote(path)
        _rewrap(settings, opened, who)
    typer.echo("the key before it still opens: `sluicegate keys rewrap` looks again, and takes it out of use")


def rewrap(why: Why, by: By = None) -> None:
    """Check that every key is under the current master key, and take the one before it out of use."""
    settings, who = load_settings(), operator(by, why)
    with closing(open_all(settings, migrate=False)) as opened:
        _rewrap(settings, opened, who)
    aside = rotation.retire(settings.master_key_file)
    if aside is None:
        typer.echo("there is no master key before this one")
        return
    typer.echo(
        f"the master key before it is in {aside}: move it to where copies of master keys are, keep it as long as a backup of"
        " its time, then destroy it"
    )


@parts.command()
def split(
    directory: Annotated[Path, typer.Argument(help="An empty directory for the parts.")],
    of: Annotated[int, typer.Option("--parts", help="How many parts.")],
    needed: Annotated[int, typer.Option("--needed", help="How many of them give the key back.")],
    why: Why,
    by: By = None,
) -> None:
    """Write the master key in parts, each a line of text in a file of its own. Give each to somebody else."""
    settings, who = load_settings(), operator(by, why)
    with closing(open_all(settings, migrate=False)) as opened:
        keys = MasterKeys.read(settings.master_key_file)
        if len(keys.all) > 1:
            raise ConfigurationError(
                "the master key is being exchanged: finish with `sluicegate keys rewrap` first"
            )
        made = escrow.split(keys.current, needed, of)
        _write_parts(directory, made)
        _record(opened, ESCROWED, bytes.fromhex(made[0].set), who)
    typer.echo(f"{of} parts of master key {made[0].key} are in {directory}, of which {needed} give it back")


@parts.command()
def restore(
    files: Annotated[list[Path], typer.Argument(help="Files with a part each.", metavar="FILE...")],
) -> None:
    """Put the master key together from enough parts, into SLUICEGATE_MASTER_KEY_FILE, where there is none."""
    settings = load_settings()
    key = escrow.combine([escrow.read_part(_text(path)) for path in files])
    _check(settings, key)
    try:
        settings.master_key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        MasterKeys(key).create(settings.master_key_file)
    except FileExistsError:
        raise ConfigurationError(f"there is a master key in {settings.master_key_file} already") from None
    except OSError:
        raise ConfigurationError(f"{settings.master_key_file} cannot be written by this user") from None
    typer.echo(f"master key {fingerprint(key)} is in {settings.master_key_file}")


def _rewrap(settings: Settings, opened: Opened, who: Operator) -> None:
    master = MasterKey.load(settings.master_key_file)
    moved = rotation.rewrap(opened.keyring, master)
    if moved:
        _record(opened, ROTATED, bytes.fromhex(master.fingerprint), who)
    typer.echo(f"every key is under master key {master.fingerprint}; {moved} were wrapped anew")


def _record(opened: Opened, action: str, about: bytes, who: Operator) -> None:
    record_everywhere(
        opened.store, opened.keyring, action=action, about=about, operator=who, now=wall_clock()
    )


def _write_parts(directory: Path, made: list[escrow.Part]) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigurationError(f"{directory} is not empty: parts of another key may be in it")
        for one in made:
            path = directory / f"part-{one.number}-of-{one.of}.txt"
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(f"{one.line}\n")
        sync_directory(directory)
    except OSError:
        raise ConfigurationError(f"{directory} cannot be written by this user") from None


def _check(settings: Settings, key: bytes) -> None:
    """Where there is a keyring already, it has to be its key."""
    try:
        with closing(open_keyring(settings.keyring_url.get_secret_value(), MasterKey(key))) as keyring:
            ping(keyring.store)
            if keyring.store.revision() is not None:
                keyring.check()
    except StoreError as error:
        raise ConfigurationError(str(error)) from None


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="ascii")
    raise ConfigurationError(f"{path} cannot be read, or holds no part of a master key")
