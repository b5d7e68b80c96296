"""One person with very many messages, read out and erased: how long it takes, and how much memory.

    python -m tests.bench.rights [MESSAGES]

Each is done by a process of its own over the same SQLite files. Wanted: a hundred thousand messages read out within 10
seconds and 200 MB, most of which is the program itself.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.databases import Databases
from tests.flows.harness import NOW
from tests.worker.asking import ACME, PEOPLE, Office, said
from worker.rights.files import planned

MESSAGES: Final = 100_000
SECONDS: Final = 10.0
MEGABYTES: Final = 200.0

_BATCH: Final = 1_000
_LINE: Final = "{:<7} {} messages  {:6.2f} s  {:6.2f} s of CPU  {:6.1f} MB"
_SUBJECT: Final = PEOPLE["whatsapp"].subject
_CONTEXT: Final = multiprocessing.get_context("spawn")


def main() -> int:
    """Measure, print, and tell whether it was within its bounds."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    with TemporaryDirectory() as directory:
        databases = Databases.below(Path(directory) / "store")
        databases.migrate()
        _in_a_process(_fill, databases, number)
        path = Path(directory) / "export.json"
        seconds, cpu, megabytes = _in_a_process(_export, databases, path)
        size = path.stat().st_size >> 20
        print(_LINE.format("export", number, seconds, cpu, megabytes) + f"  {size} MiB written")
        erased = _in_a_process(_erase, databases, None)
        print(_LINE.format("erase", number, *erased))
    return 0 if seconds < SECONDS and megabytes < MEGABYTES else 1


def _in_a_process(work: Callable[..., None], databases: Databases, given: Any) -> tuple[float, float, float]:
    with _CONTEXT.Pool(1) as pool:
        return pool.apply(_measured, (work, databases, given))


def _measured(work: Callable[..., None], databases: Databases, given: Any) -> tuple[float, float, float]:
    office = Office(databases)
    started, burnt = time.perf_counter(), time.process_time()
    work(office, given)
    took, cpu = time.perf_counter() - started, time.process_time() - burnt
    office.close()
    return took, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _fill(office: Office, number: int) -> None:
    for start in range(0, number, _BATCH):
        some = range(start, min(start + _BATCH, number))
        words = "I ordered a blue suitcase three weeks ago and it has not come yet, number"
        events = [
            said("whatsapp", f"wamid.{n}", f"{words} {n}", at=NOW + n, profile={"name": "Zed"}) for n in some
        ]
        office.tell(ACME, "whatsapp", *events)


def _export(office: Office, path: Path) -> None:
    office.ask("EXPORT", _SUBJECT, file=planned(path))


def _erase(office: Office, _: None) -> None:
    office.ask("DELETE", _SUBJECT)


if __name__ == "__main__":
    sys.exit(main())
