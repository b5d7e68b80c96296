"""``sluicegate`` that is killed the moment after it committed a text and before it answers, while a file tells it to."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TOLD_BY: Final = "DIES_WHILE_THERE_IS"
"""The variable that names the file."""


def main() -> None:
    """Put the trap in place, then run the command line."""
    from worker.cli import main as command_line  # noqa: PLC0415 - after nothing else
    from worker.inbound import Committed  # noqa: PLC0415
    from worker.observe import Observer  # noqa: PLC0415

    told = Path(os.environ[TOLD_BY])
    original = Observer.committed

    def committed(self: Observer, batch: Sequence[Committed]) -> None:
        if told.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, batch)

    Observer.committed = committed  # type: ignore[method-assign]
    command_line()


if __name__ == "__main__":
    main()
