"""Disks that are full: a small file system in memory, and a limit on the size of files for whoever may not mount one."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1 << 20


class Disk:
    """A directory on a file system of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (MEGABYTE, 4096, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    @contextmanager
    def full(self) -> Iterator[None]:
        """There is no room."""
        self.fill()
        yield
        self._filler.unlink()


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Disk | None]:
    """Mount a small file system on a new directory; None, and a plain directory, where this user may not."""
    directory.mkdir(mode=0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield Disk(directory)
    finally:
        # Lazily: a server that is being ended may still hold a file.
        subprocess.run(["umount", "-l", directory], check=True, capture_output=True)


@contextmanager
def files_no_larger_than(size: int, pid: int) -> Iterator[None]:
    """The process can write no file beyond this size."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
