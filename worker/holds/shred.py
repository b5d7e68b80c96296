"""A production's file destroyed as far as its file system allows: overwritten, durably, and emptied.

File systems that write elsewhere (copy on write, journals of data, flash memory) may keep what was overwritten, and so do
backups of the disk: those copies are encrypted for the recipient's key alone.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from worker.holds.envelope import BundleRefused, read_header

_CHUNK: Final = 1 << 20


class Shredded(IntEnum):
    """What was found: nothing, something else under this name (left alone), or the file, which is gone."""

    ABSENT = 0
    ANOTHER = 1
    DESTROYED = 2


def shred(path: Path, aside: Path, id_: str) -> Shredded:
    """Destroy the bundle with this id, at ``path`` or under the name ``aside``, which only it can have.

    An empty file is left under that name until its destruction is on the record: then it may be unlinked.
    Raises OSError where it is there and cannot be destroyed.
    """
    if is_bundle(path, id_):
        # From here on a crash leaves a name that says what it is, whatever has become of what was in it.
        path.rename(aside)
        # A crash while it was made may have left two names of one file: those are not renamed.
        path.unlink(missing_ok=True)
    try:
        descriptor = os.open(aside, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Shredded.ANOTHER if path.exists() else Shredded.ABSENT
    try:
        _overwrite(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    return Shredded.DESTROYED


def is_bundle(path: Path, id_: str) -> bool:
    """Whether the bundle with this id lies there."""
    with suppress(BundleRefused, FileNotFoundError), path.open("rb") as file:
        return stat.S_ISREG(path.lstat().st_mode) and read_header(file).id == id_
    return False


def _overwrite(descriptor: int, size: int) -> None:
    for at in range(0, size, _CHUNK):
        os.pwrite(descriptor, bytes(min(_CHUNK, size - at)), at)
    os.fsync(descriptor)
    os.ftruncate(descriptor, 0)
    os.fsync(descriptor)
