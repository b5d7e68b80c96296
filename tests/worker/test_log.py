"""The log: nothing stalls whoever logs, nothing is dropped unsaid, nothing from outside is shown."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from policies.verdict import Reason, ReasonCode
from tests.collected import Collected
from worker.log import bridge as log_bridge
from worker.log.faults import exception_types, fault, frames, short_path
from worker.log.lines import (
    DecisionLine,
    DeliveryLine,
    FaultLine,
    JobLine,
    Line,
    Place,
    Refusal,
    RefusalLine,
    Weight,
)
from worker.log.writer import Log

NOW = 1_795_253_400_123_456  # 2026-11-21T09:30:00.123456Z


def decision(sequence: int = 1) -> DecisionLine:
    return DecisionLine(
        tenant="acme",
        connector="instagram",
        account="17840000000000001",
        event="message",
        disposition="stored",
        reasons=(Reason(code=ReasonCode.STORY_MENTION, rule="story_mention", clauses=("SM-6", "SM-8")),),
        ref="00" * 16,
        person="11" * 16,
        shape="",
        policy="22" * 16,
        sequence=sequence,
    )


def delivery() -> DeliveryLine:
    return DeliveryLine(
        tenant="acme",
        connector="instagram",
        accounts=["17840000000000001"],
        events={"message": 1},
        dispositions={"stored": 1},
        reasons={"story_mention": 1},
        shadow={},
        foreign=0,
        damaged=False,
        policy="22" * 16,
        sequence=1,
        head="33" * 32,
        batch=1,
        size=1600,
        queued_us=10,
        commit_us=2000,
        total_us=2500,
    )


def job(name: str = "reload") -> JobLine:
    return JobLine(job=name, outcome="done", duration_us=1)


class Pipe:
    """A log that writes into a pipe which nobody reads until ``lines`` is called."""

    def __init__(self, bound: int) -> None:
        self.reading, self.writing = os.pipe()
        self.log = Log(self.writing, lambda: NOW, bound)
        self.log.start()

    def block(self) -> None:
        """Fill the pipe, so that the log's next write waits."""
        os.set_blocking(self.writing, False)
        try:
            while True:
                os.write(self.writing, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)

    def lines(self) -> list[dict[str, Any]]:
        """Everything that was written, after closing."""
        found: list[bytes] = []
        reader = threading.Thread(target=self._read, args=(found,))
        reader.start()
        assert self.log.close(10)
        os.close(self.writing)
        reader.join()
        os.close(self.reading)
        return [json.loads(line) for line in b"".join(found).split(b"\n") if line]

    def _read(self, found: list[bytes]) -> None:
        while data := os.read(self.reading, 65536):
            found.append(data)


def test_a_line_is_one_json_object_with_its_time_in_front() -> None:
    """Whoever reads the log reads JSON lines; the instant is UTC with microseconds."""
    pipe = Pipe(64)
    pipe.log.emit(decision())
    (line,) = pipe.lines()
    assert list(line)[:3] == ["at", "line", "level"]
    assert line["at"] == "2026-11-21T09:30:00.123456Z"
    assert line["line"] == "decision"
    assert line["reasons"] == [
        {"code": "story_mention", "rule": "story_mention", "clauses": ["SM-6", "SM-8"], "shadow": False}
    ]


def test_lines_keep_their_order_and_none_is_missing() -> None:
    """What fits is written as it came."""
    pipe = Pipe(65536)
    for number in range(5000):
        pipe.log.emit(decision(number))
    assert [line["sequence"] for line in pipe.lines()] == list(range(5000))


def test_a_blocked_output_never_stalls_whoever_logs() -> None:
    """Emitting ten times more than fits takes no longer than emitting, although nobody reads."""
    pipe = Pipe(64)
    pipe.block()
    started = time.monotonic()
    for _ in range(640):
        pipe.log.emit(job())
    assert time.monotonic() - started < 1
    pipe.lines()


def _fill(pipe: Pipe, line: Callable[[], Line], count: int) -> None:
    pipe.block()
    pipe.log.emit(job("first"))
    while len(pipe.log._queue):  # the writer has taken it, and waits for the pipe
        time.sleep(0.001)
    for _ in range(count):
        pipe.log.emit(line())


def test_the_least_important_lines_are_dropped_first_and_counted() -> None:
    """A quarter of the room is for light lines, a half for deliveries, all of it for decisions."""
    pipe = Pipe(400)
    _fill(pipe, job, 150)
    for _ in range(150):
        pipe.log.emit(delivery())
    for number in range(250):
        pipe.log.emit(decision(number))
    written = pipe.lines()
    kinds = [line["line"] for line in written]
    assert kinds.count("job") == 1 + 100
    assert kinds.count("delivery") == 100
    assert kinds.count("decision") == 200
    told = next(line for line in written if line["line"] == "lost")
    assert (told["decisions"], told["deliveries"], told["others"]) == (50, 50, 50)
    assert pipe.log.lost == {Weight.HEAVY: 50, Weight.MIDDLE: 50, Weight.LIGHT: 50}


def test_a_drop_is_told_in_the_next_line_that_is_written() -> None:
    """The gap stands where it is, not at the end."""
    pipe = Pipe(64)
    _fill(pipe, job, 20)
    kinds = [line["line"] for line in pipe.lines()]
    assert kinds[:2] == ["job", "lost"]
    assert kinds.count("lost") == 1


def test_decisions_wait_a_moment_for_room_and_then_come_through() -> None:
    """A writer of a batch waits for a reader that is merely slow; nothing is lost."""
    pipe = Pipe(64)
    _fill(pipe, decision, 64)
    found: list[bytes] = []
    reader = threading.Timer(0.05, pipe._read, (found,))
    reader.start()
    pipe.log.emit_all([decision(number) for number in range(32)])
    assert pipe.log.lost[Weight.HEAVY] == 0
    assert pipe.log.close(10)
    os.close(pipe.writing)
    reader.join()
    os.close(pipe.reading)
    assert b"".join(found).count(b'"decision"') == 64 + 32


def test_decisions_do_not_wait_for_ever() -> None:
    """With nobody reading, a whole batch waits a quarter of a second, not longer."""
    pipe = Pipe(64)
    _fill(pipe, decision, 64)
    started = time.monotonic()
    pipe.log.emit_all([decision(number) for number in range(100)])
    assert 0.2 < time.monotonic() - started < 1.0
    assert pipe.log.lost[Weight.HEAVY] == 100
    pipe.lines()


def test_a_reader_that_went_away_stops_nothing() -> None:
    """A closed pipe at the other end is no reason to stop working, nor to grow."""
    reading, writing = os.pipe()
    log = Log(writing, lambda: NOW, 64)
    log.start()
    os.close(reading)
    for _ in range(1000):
        log.emit(job())
        if len(log._queue) > 8:
            time.sleep(0.001)
    assert log.close(5)
    os.close(writing)


def test_closing_does_not_wait_for_a_blocked_output() -> None:
    """The process can end although nobody reads its log."""
    pipe = Pipe(64)
    _fill(pipe, job, 3)
    started = time.monotonic()
    assert not pipe.log.close(0.1)
    assert time.monotonic() - started < 1
    pipe.lines()


def test_an_output_that_is_not_blocking_is_waited_for() -> None:
    """Whoever shares our terminal may have switched it to non-blocking; lines are still whole."""
    pipe = Pipe(65536)
    os.set_blocking(pipe.writing, False)
    for number in range(3000):
        pipe.log.emit(decision(number))
    assert [line["sequence"] for line in pipe.lines()] == list(range(3000))


def test_a_line_costs_its_caller_little() -> None:
    """A few microseconds at most, on average over many (the target is two; a busy machine gets slack)."""
    pipe = Pipe(65536)
    line = decision()
    best = min(_timed(pipe.log, line) for _ in range(5))
    pipe.lines()
    assert best < 10e-6


def _timed(log: Log, line: Line) -> float:
    started = time.perf_counter()
    for _ in range(1000):
        log.emit(line)
    return (time.perf_counter() - started) / 1000


CANARY = "canary-5f2c"


def _raise_with_values() -> BaseException:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(f"could not store {CANARY}") from error
    except ValueError as error:
        return error


def test_an_exception_shows_types_and_places_only() -> None:
    """No text of an exception, of its cause, or of a line of code."""
    error = _raise_with_values()
    line = fault(Place.WRITER, error, affected=3)
    assert line.exception == "ValueError < KeyError"
    assert line.frames[-1].startswith("worker/test_log.py:")
    assert CANARY not in str(line)


def _raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except ValueError as error:
        return error
    raise AssertionError


def test_a_cause_that_was_suppressed_is_not_shown() -> None:
    """``from None`` says that the cause is nobody's business."""

    def suppress() -> None:
        try:
            raise KeyError(CANARY)
        except KeyError:
            raise ValueError from None

    assert exception_types(_raised(suppress)) == "ValueError"


def test_a_long_traceback_is_cut_to_its_innermost_places() -> None:
    """A recursion does not fill the log."""

    def deep(depth: int) -> None:
        if depth == 0:
            raise ValueError
        deep(depth - 1)

    assert len(frames(_raised(lambda: deep(50)).__traceback__)) == 12


@pytest.fixture
def bridged() -> Iterator[Collected]:
    """The bridge in place, and everything as it was afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    hooks = (warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook)
    log = Collected()
    log_bridge.install(log)
    try:
        yield log
    finally:
        root.handlers[:], logging.raiseExceptions = before[0], before[2]
        root.setLevel(before[1])
        warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


@pytest.mark.parametrize(
    ("logger", "template"),
    [
        ("uvicorn.error", "Waiting for %s of %d"),
        ("apscheduler.executors.default", "Waiting for %s of %d"),
        ("sqlalchemy.pool.impl.QueuePool", "Waiting for %s of %d"),
        ("uvicorn.errors", ""),
        ("asyncio", ""),
        ("sqlalchemy.engine.Engine", ""),
        ("somebody.else", ""),
    ],
)
def test_a_library_line_has_a_template_only_where_templates_are_known(
    logger: str, template: str, bridged: Collected
) -> None:
    """Arguments never appear; of unknown loggers not even the template."""
    logging.getLogger(logger).warning("Waiting for %s of %d", CANARY, 7)
    (line,) = bridged.lines
    assert (line.logger, line.template, line.level) == (logger, template, "warning")  # type: ignore[attr-defined]
    assert CANARY not in str(line)


def test_a_library_exception_shows_types_and_places_only(bridged: Collected) -> None:
    """What a library prints with a traceback comes out without any text of it."""
    logging.getLogger("uvicorn.error").error(_raise_with_values(), exc_info=_raise_with_values())
    (line,) = bridged.lines
    assert CANARY not in str(line)
    assert line.exception == "ValueError < KeyError"  # type: ignore[attr-defined]
    assert line.template == ""  # type: ignore[attr-defined]


def test_a_bad_logging_call_of_a_library_prints_nothing(
    bridged: Collected, capfd: pytest.CaptureFixture[str]
) -> None:
    """The logging module would print the arguments of a call that does not fit its template."""
    logging.getLogger("uvicorn.error").warning("%d", CANARY)
    assert len(bridged.lines) == 1
    assert CANARY not in "".join(capfd.readouterr())


def test_a_librarys_chatter_is_left_out(bridged: Collected) -> None:
    """Below warning, libraries tell their own affairs."""
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    assert bridged.lines == []


def test_a_warning_shows_its_category_and_place(bridged: Collected) -> None:
    """Warnings quote values; ours do not."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = bridged_showwarning = warnings.showwarning
        warnings.warn(CANARY, ResourceWarning, stacklevel=1)
        assert warnings.showwarning is bridged_showwarning
    (line,) = bridged.lines
    assert CANARY not in str(line)
    assert line.exception == "ResourceWarning"  # type: ignore[attr-defined]


def test_what_nobody_caught_becomes_a_line(bridged: Collected, capfd: pytest.CaptureFixture[str]) -> None:
    """In the main thread, in another, in a finaliser: one line each, and nothing on standard error."""
    error = _raise_with_values()
    sys.excepthook(type(error), error, error.__traceback__)

    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    class Unlucky:
        def __del__(self) -> None:
            raise _raise_with_values()

    Unlucky()
    places = [line.place for line in bridged.lines if isinstance(line, FaultLine)]
    assert places == [Place.MAIN, Place.THREAD, Place.UNRAISABLE]
    assert CANARY not in str(bridged.lines) + "".join(capfd.readouterr())


def test_an_event_loops_complaint_becomes_a_line(bridged: Collected) -> None:
    """It would print the future with its result."""
    loop = asyncio.new_event_loop()
    log_bridge.install_on_loop(bridged, loop)
    loop.call_exception_handler({"message": CANARY, "exception": _raise_with_values()})
    loop.close()
    assert [line.place for line in bridged.lines if isinstance(line, FaultLine)] == [Place.EVENT_LOOP]
    assert CANARY not in str(bridged.lines)


def test_what_cannot_be_written_becomes_a_fault() -> None:
    """A lone surrogate in a field does not end the log."""
    pipe = Pipe(64)
    pipe.log.emit(RefusalLine(tenant="\ud800", connector="", refusal=Refusal.METHOD, status=405, size=0))
    pipe.log.emit(job())
    assert [line["line"] for line in pipe.lines()] == ["fault", "job"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/worker/checkout/worker/store/engine.py", "worker/store/engine.py"),
        ("/opt/venv/lib/python3.12/site-packages/worker/store/engine.py", "worker/store/engine.py"),
        (queue.__file__, "queue.py"),
        ("/home/somebody/script.py", "somebody/script.py"),
        ("<string>", "<string>"),
    ],
)
def test_a_place_is_named_below_its_package(path: str, shown: str) -> None:
    """The same file has the same name wherever it was installed."""
    assert short_path(path) == shown
