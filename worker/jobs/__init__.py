"""Schedules: a table of jobs in code, run by apscheduler in memory.

Every process has every job. One of the process alone (reading its own files) just runs; one whose work is shared by all
replicas takes its turn first (worker/jobs/turns.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from enum import StrEnum
from typing import Any, Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from policies.message import Private
from worker.jobs.turns import Ran, Seen, Turns
from worker.observe import Observer
from worker.status import iso

LOOK_SECONDS: Final = 15.0
"""How often a process looks whether a shared job is due: so soon somebody takes over, and begins after a restart."""

_STOP_SECONDS: Final = 2.0
# A missed run is made up for once, never skipped in silence. A second instance finds the first one at work and goes.
_DEFAULTS: Final = {"coalesce": True, "max_instances": 2, "misfire_grace_time": None}

Stop = Callable[[], bool]
"""Whether the job has to stop now: asked between its steps, each of which takes some seconds at most."""


class Outcome(StrEnum):
    """How a run ended. ALARM: it did its work, and found what must not be."""

    NOTHING = "nothing"
    DONE = "done"
    FAILED = "failed"
    ALARM = "alarm"


class Alarm(Exception):
    """Raised by a job that came to its end and found what must not be; it has told the log what."""


class Job(Private, frozen=True, kw_only=True):
    """A job: ``run`` tells whether there was anything to do (if not, nothing is said of it)."""

    name: str
    seconds: float
    run: Callable[[Stop], bool]
    shared: bool = False


class Schedule:
    """Runs jobs in threads of its own. ``turns`` are needed where a job is shared."""

    def __init__(self, jobs: Sequence[Job], observer: Observer, turns: Turns | None = None) -> None:
        self._jobs = jobs
        self._observer = observer
        self._turns = turns
        self._seen = {job.name: Seen() for job in jobs}
        self._running = {job.name: threading.Lock() for job in jobs}
        self._stopping = threading.Event()
        executors = {"default": ThreadPoolExecutor(2 * len(jobs) + 1)}
        self._scheduler: Any = BackgroundScheduler(timezone=UTC, job_defaults=_DEFAULTS, executors=executors)
        for job in jobs:
            seconds = min(job.seconds, LOOK_SECONDS) if job.shared else job.seconds
            self._scheduler.add_job(self._look, "interval", seconds=seconds, args=(job,), id=job.name)

    def start(self) -> None:
        """Begin; each job runs, or is looked at, for the first time after its interval."""
        self._scheduler.start()

    def stop(self) -> None:
        """Start no further run, and give those under way a moment. Jobs may be cut off at any point."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        deadline = time.monotonic() + _STOP_SECONDS
        for lock in self._running.values():
            if lock.acquire(timeout=max(deadline - time.monotonic(), 0)):
                lock.release()

    def status(self) -> Mapping[str, Any]:
        """Each job's last run, its outcome and who runs it, as this process last learnt; without asking the database."""
        return {job.name: _told(job, self._seen[job.name]) for job in self._jobs}

    def alarms(self) -> list[str]:
        """The jobs whose last run, on whichever replica, found what must not be."""
        seen = self._seen.items()
        return sorted(name for name, one in seen if one.ran and one.ran.outcome == Outcome.ALARM)

    def _look(self, job: Job) -> None:
        if self._stopping.is_set() or not self._running[job.name].acquire(blocking=False):
            return
        try:
            if job.shared:
                self._in_turn(job)
            else:
                ran = self._run(job, self._stopping.is_set)
                self._note(job, Seen(ran=ran, ran_at=self._observer.now()))
        except Exception as error:  # noqa: BLE001 - the database may answer the next time
            self._observer.job_failed(job.name, error)
        finally:
            self._running[job.name].release()

    def _in_turn(self, job: Job) -> None:
        if self._turns is None:
            raise LookupError
        turn = self._turns.take(job.name, job.seconds)
        if turn is not None:
            self._seen[job.name] = self._turns.look(job.name)
            with turn:
                ran = self._run(job, lambda: turn.is_lost or self._stopping.is_set())
                # Cut short, it goes on as soon as somebody looks again.
                turn.end(ran) if not self._stopping.is_set() else turn.give_up()
        self._note(job, self._turns.look(job.name))

    def _note(self, job: Job, seen: Seen) -> None:
        self._seen[job.name] = seen
        if seen.ran is not None:
            self._observer.job_seen(job.name, seen.ran_at, alarm=seen.ran.outcome == Outcome.ALARM)

    def _run(self, job: Job, stop: Stop) -> Ran:
        started = time.monotonic_ns()
        try:
            outcome = Outcome.DONE if job.run(stop) else Outcome.NOTHING
        except Alarm:
            outcome = Outcome.ALARM
        except Exception as error:  # noqa: BLE001 - the next run may succeed
            outcome = Outcome.FAILED
            self._observer.job_failed(job.name, error)
        took = (time.monotonic_ns() - started) // 1000
        if outcome in {Outcome.DONE, Outcome.ALARM}:
            self._observer.job(job.name, outcome.value, took)
        holder = self._turns.holder if self._turns is not None else b""
        return Ran(outcome=outcome.value, holder=holder, duration=took, failed=outcome is Outcome.FAILED)


def _told(job: Job, seen: Seen) -> Mapping[str, Any]:
    ran = seen.ran
    return {
        "shared": job.shared,
        "every_seconds": job.seconds,
        "last_run": iso(seen.ran_at or None),
        "outcome": ran.outcome if ran else None,
        "by": ran.holder.hex() if ran else None,
        "milliseconds": ran.duration // 1000 if ran else None,
        "running_on": seen.holder.hex() or None,
    }
