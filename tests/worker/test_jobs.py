"""Shared jobs: of all replicas one runs it, never two at once, on either engine and with any clock."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import pytest
from prometheus_client import generate_latest

from tests.collected import NOW, Collected
from tests.databases import Databases
from worker.jobs import Alarm, Job, Outcome, Schedule, Stop
from worker.jobs.turns import AGAIN_SECONDS, Ran, Turn, Turns
from worker.log.lines import FaultLine, JobLine, Level
from worker.metrics import Metrics
from worker.observe import Observer
from worker.store import cursors, leases
from worker.store.cursors import SHARED
from worker.store.engine import Store
from worker.store.statements import clock

JOB = "sweep"
SECOND = 1_000_000
HOUR = 3600.0
RAN = Ran(outcome="done", holder=b"abcd", duration=5)


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    opened = databases.store()
    yield opened
    opened.close()


class House:
    """An observer whose lines and metrics can be looked at."""

    def __init__(self) -> None:
        self.log = Collected()
        self.metrics = Metrics("1")
        self.observer = Observer(self.log, self.metrics, lambda: NOW)


@contextmanager
def replica(
    databases: Databases, run: Callable[[Stop], bool], seconds: float, house: House, lease: float = 2.0
) -> Iterator[Schedule]:
    """One process of several over the same databases."""
    store = databases.store()
    job = Job(name=JOB, seconds=seconds, run=run, shared=True)
    schedule = Schedule((job,), house.observer, Turns(store, lease))
    schedule.start()
    try:
        yield schedule
    finally:
        schedule.stop()
        store.close()


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lost(turn: Turn) -> bool:
    return turn.is_lost


def noted(store: Store, ran: Ran, ago: float) -> None:
    """The job ran so many seconds ago, by the database's clock."""
    with store.transaction() as tx:
        at = clock(tx) - round(ago * SECOND)
        cursors.move(tx, SHARED, f"job:{JOB}", msgspec.msgpack.encode(ran), at)


def test_of_three_replicas_one_at_a_time_runs_a_job(databases: Databases) -> None:
    """And it is run; each process sees who ran it last."""
    running, most, runs = threading.Semaphore(1), [], []
    house = House()

    def work(_stop: Stop) -> bool:
        alone = running.acquire(blocking=False)
        most.append(alone)
        time.sleep(0.02)
        if alone:
            running.release()
        runs.append(time.monotonic())
        return True

    with ExitStack() as several:
        schedules = [several.enter_context(replica(databases, work, 0.05, house)) for _ in range(3)]
        until(lambda: len(runs) >= 6)
        until(lambda: all(one.status()[JOB]["outcome"] == "done" for one in schedules))
    assert all(most)
    assert min(later - sooner for sooner, later in itertools.pairwise(runs)) > 0.04
    assert not house.log.of(FaultLine)
    assert len(house.log.of(JobLine)) == len(runs)


def test_a_job_is_due_once_in_an_interval_whoever_asks(store: Store) -> None:
    """Never run: due. Run a while ago: not yet. After a failure sooner. With a clock that was set back: due."""
    turns = Turns(store)
    table = (
        (RAN, HOUR - 60, False),
        (RAN, HOUR + 1, True),
        (RAN, 0, False),
        (RAN, -10, True),
        (RAN, -10 * HOUR, True),
        (msgspec.structs.replace(RAN, outcome="failed", failed=True), AGAIN_SECONDS - 30, False),
        (msgspec.structs.replace(RAN, outcome="failed", failed=True), AGAIN_SECONDS + 1, True),
    )
    first = turns.take(JOB, HOUR)
    assert first is not None
    first.give_up()
    for ran, ago, due in table:
        noted(store, ran, ago)
        turn = turns.take(JOB, HOUR)
        assert (turn is not None) is due, (ran.outcome, ago)
        if turn is not None:
            turn.give_up()


def test_whoever_runs_it_notes_how_it_ended_and_lets_others_begin(store: Store) -> None:
    """The others read it; nobody holds it any more."""
    one, other = Turns(store), Turns(store)
    turn = one.take(JOB, HOUR)
    assert turn is not None
    assert other.take(JOB, HOUR) is None
    assert other.look(JOB).holder == one.holder
    with turn:
        assert turn.end(RAN)
    seen = other.look(JOB)
    assert (seen.ran, seen.holder) == (RAN, b"")
    assert other.take(JOB, HOUR) is None


def test_the_lease_of_a_runner_that_died_ends_by_itself(store: Store) -> None:
    """Not before, and then the next one begins; the dead one that comes back notes nothing."""
    dead, other = Turns(store, 0.3), Turns(store, 30)
    turn = dead.take(JOB, HOUR)
    assert turn is not None
    assert lost(turn) is False
    assert other.take(JOB, HOUR) is None
    until(lambda: other.take(JOB, HOUR) is not None)
    assert lost(turn) is True
    assert not turn.end(RAN)
    assert other.look(JOB).ran is None
    assert other.look(JOB).holder == other.holder


def test_a_lease_is_renewed_for_as_long_as_its_job_runs(store: Store) -> None:
    """Nobody comes in between, however long it takes."""
    one, other = Turns(store, 0.4), Turns(store, 0.4)
    turn = one.take(JOB, HOUR)
    assert turn is not None
    with turn:
        ends = time.monotonic() + 1
        while time.monotonic() < ends:
            assert other.take(JOB, HOUR) is None
            assert not turn.is_lost
            time.sleep(0.02)
        assert turn.end(RAN)


def test_a_job_that_lost_its_lease_is_told_to_stop(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is not noted: whoever has the lease now notes theirs."""
    monkeypatch.setattr(leases, "renew", lambda *_: False)
    stopped = threading.Event()

    def work(stop: Stop) -> bool:
        until(stop)
        stopped.set()
        return True

    with replica(databases, work, HOUR, House(), lease=0.4) as schedule:
        schedule._look(schedule._jobs[0])
        assert stopped.is_set()
        assert schedule.status()[JOB]["last_run"] is None


def test_a_stop_ends_a_run_and_another_replica_goes_on_with_it(databases: Databases) -> None:
    """The lease is given back at once, and the run is not taken for a whole one."""
    began = threading.Event()

    def work(stop: Stop) -> bool:
        began.set()
        until(stop)
        return True

    with replica(databases, work, 0.01, House()):
        assert began.wait(5)
    store = databases.store()
    turn = Turns(store).take(JOB, HOUR)
    assert turn is not None
    store.close()


@pytest.mark.parametrize(
    ("error", "outcome", "alarms"), [(Alarm(), "alarm", [JOB]), (RuntimeError(), "failed", [])]
)
def test_how_a_run_ended_is_told_by_every_replica(
    databases: Databases, error: Exception, outcome: str, alarms: list[str]
) -> None:
    """In the status, the log and the metrics; an alarm shows on those that did not run the job too."""
    house = House()

    def work(_stop: Stop) -> bool:
        raise error

    with ExitStack() as several:
        schedules = [several.enter_context(replica(databases, work, HOUR, house)) for _ in range(2)]
        for schedule in schedules:
            schedule._look(schedule._jobs[0])
        for schedule in schedules:
            assert schedule.status()[JOB]["outcome"] == outcome
            assert schedule.alarms() == alarms
    page = generate_latest(house.metrics.registry).decode()
    assert f'sluicegate_jobs_total{{job="{JOB}",outcome="{outcome}"}} 1.0' in page
    assert f'sluicegate_job_alarm{{job="{JOB}"}} {float(bool(alarms))}' in page
    assert all(line.level is Level.ERROR for line in house.log.of(JobLine))


def test_a_database_that_is_away_is_asked_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look fails, is told as a fault, and the next one succeeds."""
    house, ran = House(), threading.Event()

    def work(_stop: Stop) -> bool:
        ran.set()
        return True

    with replica(databases, work, HOUR, house) as schedule:
        with monkeypatch.context() as broken:
            broken.setattr(cursors, "read", lambda *_: 1 / 0)
            schedule._look(schedule._jobs[0])
        assert len(house.log.of(FaultLine)) == 1
        schedule._look(schedule._jobs[0])
        assert ran.is_set()
        assert schedule.status()[JOB]["outcome"] == Outcome.DONE


def test_what_a_later_version_noted_is_not_believed(store: Store) -> None:
    """The job is run again, and the note replaced."""
    with store.transaction() as tx:
        cursors.move(tx, SHARED, f"job:{JOB}", b"\xc1", clock(tx))
    turn = Turns(store).take(JOB, HOUR)
    assert turn is not None
    turn.give_up()
