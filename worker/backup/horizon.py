"""How old a backup of the keyring may become: beyond that, what was erased is unreadable in every backup."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from policies.message import Instant
from worker.backup.container import MAGIC, BackupDamaged, Kind, read_header
from worker.crypto import sync_directory
from worker.errors import ConfigurationError

DAY: Final = 86_400 * 1_000_000


def expired(directory: Path, horizon_days: int, now: Instant) -> list[Path]:
    """The backups of a keyring in a directory that are too old, by what they say of themselves."""
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError:
        raise ConfigurationError(f"{directory} cannot be read by this user") from None
    return [path for path in files if _made_at(path, now) < now - horizon_days * DAY]


def prune(directory: Path, horizon_days: int, now: Instant) -> list[Path]:
    """Delete them; which they were."""
    old = expired(directory, horizon_days, now)
    try:
        for path in old:
            path.unlink()
        sync_directory(directory)
    except OSError:
        raise ConfigurationError(f"what is in {directory} cannot be deleted by this user") from None
    return old


def _made_at(path: Path, now: Instant) -> Instant:
    """``now`` for whatever is no backup of a keyring, or cannot be told."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return now
            file.seek(0)
            header, _ = read_header(file)
    except (OSError, BackupDamaged):
        return now
    return header.made_at if header.kind is Kind.KEYRING else now
