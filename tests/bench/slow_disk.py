"""A disk whose every fsync takes some milliseconds more, by a small library that is preloaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_fsync.c")


def has_compiler() -> bool:
    """Whether the library can be built here."""
    return shutil.which("cc") is not None


def slow_disk(directory: Path, milliseconds: float) -> dict[str, str]:
    """Build the library and say with which environment a server meets the slow disk."""
    library = directory / "slow_fsync.so"
    command = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return {"LD_PRELOAD": str(library), "FSYNC_DELAY_MS": str(milliseconds)}
