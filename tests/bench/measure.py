"""One measurement: a server, a generator beside it, and the counters before and after."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.contenders import Contender
from tests.bench.load import READY
from tests.bench.plan import LoadPlan, LoadResult, Target
from tests.bench.process import ROOT, Server

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How each measurement is taken."""

    targets: tuple[Target, ...]
    seconds: float
    connections: int
    most_requests: int
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one window showed. `lost` is acknowledged minus stored and must be 0."""

    rate: float
    p50: float
    p99: float
    slowest: float
    cpu_per_1000: float
    peak_megabytes: float
    acknowledged: int
    refused: int
    lost: int
    remark: str = ""


def measure(contender: Contender, settings: Settings, run: str, more: Mapping[str, str]) -> Measurement:
    """Start the contender, warm it up, load it for one window, stop it, and count its rows."""
    before = stored_before(contender)
    with contender.running(more) as server:
        warm = load(server, settings, f"{run}-warm", seconds=WARM_UP_SECONDS)
        cpu_before = server.cpu_seconds()
        result = load(server, settings, run, seconds=settings.seconds)
        cpu = server.cpu_seconds() - cpu_before
        peak = server.peak_megabytes()
    stored = contender.stored()
    acknowledged = warm.answered_200 + result.answered_200
    return Measurement(
        rate=result.rate,
        p50=result.p50,
        p99=result.p99,
        slowest=result.slowest,
        cpu_per_1000=cpu / max(1, result.answered_200) * 1000,
        peak_megabytes=peak,
        acknowledged=result.answered_200,
        refused=result.answered_other + result.failed_connections,
        lost=0 if stored is None else acknowledged - (stored - before),
        remark=result.first_refusal,
    )


def stored_before(contender: Contender) -> int:
    """Rows before the first start; a contender that was never started has no table yet."""
    try:
        return contender.stored() or 0
    except Exception:  # noqa: BLE001 - each engine has an error of its own for a table that is not there
        return 0


def load(server: Server, settings: Settings, run: str, *, seconds: float) -> LoadResult:
    """Run the generator once, in a process of its own."""
    share = min(1.0, seconds / settings.seconds)
    plan = LoadPlan(
        port=server.port,
        targets=settings.targets,
        run=run,
        seconds=seconds,
        connections=settings.connections,
        most_requests=max(1_000, int(settings.most_requests * share)),
    )
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        print(plan.to_json(), file=generator.stdin, flush=True)
        assert generator.stdout.readline().strip() == READY
        print("go", file=generator.stdin, flush=True)
        return LoadResult.from_json(generator.stdout.readline())


def median(measurements: Sequence[Measurement]) -> Measurement:
    """The median of each figure; the worst of those that must be zero."""

    def middle(values: Iterable[float]) -> float:
        return statistics.median(values)

    return Measurement(
        rate=middle(m.rate for m in measurements),
        p50=middle(m.p50 for m in measurements),
        p99=middle(m.p99 for m in measurements),
        slowest=max(m.slowest for m in measurements),
        cpu_per_1000=middle(m.cpu_per_1000 for m in measurements),
        peak_megabytes=max(m.peak_megabytes for m in measurements),
        acknowledged=sum(m.acknowledged for m in measurements),
        refused=sum(m.refused for m in measurements),
        lost=max((m.lost for m in measurements), key=abs),
        remark=next((m.remark for m in measurements if m.remark), ""),
    )
