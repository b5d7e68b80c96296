"""Files that exports were written to: made for their owner alone, never over another, and removed when the person is erased."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from policies.message import Private
from worker.crypto import sync_directory
from worker.rights.errors import RightsRefused

_CHUNK: Final = 1 << 20


class ExportFile(Private, frozen=True, kw_only=True):
    """A file of this worker: where, on which machine, and its SHA-256 ("" while it is being written)."""

    path: str
    machine: str
    digest: str = ""


class Removal(StrEnum):
    """What became of a file. ``ELSEWHERE``: it is another machine's; ``CHANGED``: it is not what was written there."""

    REMOVED = "removed"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    CHANGED = "changed"
    FAILED = "failed"


def planned(path: Path) -> ExportFile:
    """The file that is going to be written. Raises RightsRefused where there is one, or none can be."""
    whole = path.absolute()
    if whole.exists() or whole.is_symlink():
        raise RightsRefused("file_exists")
    if not whole.parent.is_dir():
        raise RightsRefused("file_fails")
    return ExportFile(path=f"{whole}", machine=platform.node())


def is_ours(file: ExportFile) -> bool:
    """Whether this machine is the one to write it."""
    return file.machine == platform.node()


def write(file: ExportFile, pieces: Iterable[bytes]) -> str:
    """Write it durably, mode 0600; its digest. What a crash left of it is written anew. Raises RightsRefused.

    A file that cannot be finished is not left. One that another process is writing now is locked.
    """
    path, digest = Path(file.path), hashlib.sha256()
    _clear(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise RightsRefused("file_exists") from None
    except OSError:
        raise RightsRefused("file_fails") from None
    try:
        with os.fdopen(descriptor, "wb", _CHUNK) as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for piece in pieces:
                digest.update(piece)
                opened.write(piece)
            opened.flush()
            os.fsync(opened.fileno())
        sync_directory(path.parent)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RightsRefused("file_fails") from None
        raise
    return digest.hexdigest()


def remove(file: ExportFile) -> Removal:
    """Remove what this worker wrote, and nothing else that may stand there by now."""
    path = Path(file.path)
    if file.machine != platform.node():
        return Removal.ELSEWHERE
    try:
        if file.digest and _digest(path) != file.digest:
            return Removal.CHANGED
        path.unlink()
        sync_directory(path.parent)
    except FileNotFoundError:
        return Removal.GONE
    except OSError:
        return Removal.FAILED
    return Removal.REMOVED


def _clear(path: Path) -> None:
    """Remove what a process that is dead has left."""
    try:
        with path.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise RightsRefused("file_busy") from None
    except OSError:
        raise RightsRefused("file_fails") from None


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
