"""Compare the worker with the plain receiver on this machine, and print what was measured.

Servers and generator share the machine; they run one pair after the other (A B A B), each start is
fresh, and the table shows the median. After every window the stored rows are counted: a message
that was acknowledged and is not there is a failure, and the command says so and exits 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.contenders import AcknowledgeOnly, Contender, PlainReceiver, targets
from tests.bench.databases import Sqlite, Store, postgres_server
from tests.bench.measure import Measurement, Settings, measure, median
from tests.bench.report import Row, print_table
from tests.bench.slow_disk import has_compiler, slow_disk
from tests.bench.worker_under_test import WorkerUnderTest, preload

NEEDED_BY_THE_GENERATOR = 20_000
MOST_PER_SECOND = {"worker": 20_000, "plain receiver": 6_000, "acknowledge only": 45_000}

Maker = Callable[[Path, Store], Contender]


@dataclass(slots=True)
class Bench:
    """The options, a working directory, and the rows measured so far."""

    options: argparse.Namespace
    directory: Path
    rows: list[Row]
    runs: Iterator[int]

    def compare(self, store: Store, circumstances: str, more: Mapping[str, str]) -> None:
        """Both contenders in turn; a fresh database for each."""
        makers: Sequence[Maker] = (_plain_receiver, _worker)
        taken: dict[str, list[Measurement]] = {}
        for _ in range(self.options.pairs):
            for make in makers:
                directory = self._fresh_directory()
                contender = make(directory, store)
                taken.setdefault(contender.name, []).append(self._measure(contender, more))
        baseline = median(taken["plain receiver"]).rate
        for name, measurements in taken.items():
            self._add(circumstances, name, measurements, baseline)

    def with_rows(self, store: Store, counts: Sequence[int]) -> None:
        """The worker on a store that already holds many messages; the ratio is to the first."""
        baseline = None
        for count in counts:
            directory = self._fresh_directory()
            worker = _worker(directory, store)
            say(f"filling a store with {count:,} messages")
            preload(worker, count)
            taken = [self._measure(worker, {}) for _ in range(self.options.pairs)]
            baseline = baseline or median(taken).rate
            self._add(f"{store.name}, {count:,} rows", worker.name, taken, baseline)

    def check_generator(self) -> bool:
        """Whether the generator itself is fast enough to measure with."""
        contender = AcknowledgeOnly(self._fresh_directory())
        measurement = self._measure(contender, {})
        self._add("self-check", contender.name, [measurement], measurement.rate)
        return measurement.rate >= NEEDED_BY_THE_GENERATOR

    def _measure(self, contender: Contender, more: Mapping[str, str]) -> Measurement:
        settings = Settings(
            targets=targets(tuple(self.options.channels)),
            seconds=self.options.seconds,
            connections=self.options.connections,
            most_requests=int(self.options.seconds * MOST_PER_SECOND[contender.name]),
            pairs=self.options.pairs,
        )
        taken = measure(contender, settings, f"run{next(self.runs)}", more)
        say(
            f"{contender.name}: {taken.rate:,.0f}/s, p99 {taken.p99:.1f} ms, refused {taken.refused}, "
            f"lost {taken.lost} {taken.remark}".rstrip()
        )
        return taken

    def _add(self, circumstances: str, name: str, taken: Sequence[Measurement], baseline: float) -> None:
        self.rows.append(Row(circumstances, name, median(taken), median(taken).rate / baseline))

    def _fresh_directory(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.directory))


def _plain_receiver(directory: Path, store: Store) -> Contender:
    return PlainReceiver(directory, store.fresh(directory))


def _worker(directory: Path, store: Store) -> WorkerUnderTest:
    return WorkerUnderTest.prepare(directory, store.fresh(directory))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the options ask for."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="bench") as directory, ExitStack() as stack:
        bench = Bench(options, Path(directory), [], itertools.count(1))
        fast_enough = bench.check_generator()
        if not options.self_check:
            measure_everything(bench, stack)
    if options.json:
        print(json.dumps([asdict(row) for row in bench.rows], indent=2))
    else:
        print_table(bench.rows)
    if not fast_enough:
        say(f"the generator is below {NEEDED_BY_THE_GENERATOR:,}/s here: it measures itself")
    return int(any(row.measured.lost or row.measured.refused for row in bench.rows if row.keeps_rows))


def measure_everything(bench: Bench, stack: ExitStack) -> None:
    """Each store as it is, SQLite on a slower disk, SQLite with many rows."""
    wanted = bench.options.store
    if wanted in {"sqlite", "both"}:
        bench.compare(Sqlite(), "sqlite", {})
        on_slow_disk(bench)
        bench.with_rows(Sqlite(), bench.options.rows)
    if wanted in {"postgres", "both"}:
        bench.compare(stack.enter_context(postgres_server()), "postgres", {})


def on_slow_disk(bench: Bench) -> None:
    """The comparison again with a delay in every fsync; left out without a compiler."""
    delay = bench.options.fsync_delay_ms
    if not delay:
        return
    if not has_compiler():
        say("no C compiler here: the row with the slower disk is left out")
        return
    bench.compare(Sqlite(), f"sqlite, fsync +{delay:g} ms", slow_disk(bench.directory, delay))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seconds", type=_between(0.5, 120), default=8.0, help="each timed window")
    parser.add_argument("--connections", type=int, choices=range(1, 513), default=64, metavar="1-512")
    parser.add_argument("--pairs", type=int, choices=range(1, 10), default=3, metavar="1-9")
    parser.add_argument("--channels", nargs="+", choices=("instagram", "whatsapp"), default=["instagram"])
    parser.add_argument("--fsync-delay-ms", type=_between(0, 50), default=2.0, help="0 leaves it out")
    parser.add_argument("--rows", type=_counts, default=[10_000, 1_000_000, 5_000_000], help="a,b,c or 0")
    parser.add_argument("--self-check", action="store_true", help="only show how fast the generator is")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args(arguments)


def _between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected {least:g} to {most:g}")
        return value

    return number


def _counts(text: str) -> list[int]:
    """Row counts; 0 leaves that measurement out."""
    return [int(word) for word in text.replace("_", "").split(",") if int(word)]


def say(text: str) -> None:
    """Progress goes to standard error: standard output is the result."""
    print(text, file=sys.stderr, flush=True)
