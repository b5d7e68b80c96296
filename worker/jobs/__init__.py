"""Schedules: a table of jobs in code, run by apscheduler in memory.

A job of this process alone (reading its own files) needs nothing more. One whose work is shared by all replicas
would take a lease row in the database first: every process runs every job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, Final

from apscheduler.schedulers.background import BackgroundScheduler

from policies.message import Private
from worker.observe import Observer

# A missed run is made up for once, never skipped in silence; one run of a job at a time.
_DEFAULTS: Final = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


class Job(Private, frozen=True, kw_only=True):
    """A job: ``run`` tells whether there was anything to do (if not, nothing is said of it)."""

    name: str
    seconds: float
    run: Callable[[], bool]


class Schedule:
    """Runs jobs in threads of its own."""

    def __init__(self, jobs: Sequence[Job], observer: Observer) -> None:
        self._observer = observer
        self._scheduler: Any = BackgroundScheduler(timezone=UTC, job_defaults=_DEFAULTS)
        for job in jobs:
            self._scheduler.add_job(self._run, "interval", seconds=job.seconds, args=(job,), id=job.name)

    def start(self) -> None:
        """Begin; each job runs for the first time after its interval."""
        self._scheduler.start()

    def stop(self) -> None:
        """Start no further run. One that is under way is not waited for: jobs may be cut off at any point."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _run(self, job: Job) -> None:
        started = time.monotonic_ns()
        try:
            if job.run():
                self._observer.job(job.name, (time.monotonic_ns() - started) // 1000)
        except Exception as error:  # noqa: BLE001 - the next run may succeed
            self._observer.job_failed(job.name, error)
