"""What the load generator is asked to do and what it answers: plain values that travel as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One webhook URL with what is needed to write authentic bodies for it."""

    path: str
    channel: str
    account: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One timed window of load on one server."""

    port: int
    targets: tuple[Target, ...]
    run: str
    seconds: float
    connections: int
    most_requests: int

    def to_json(self) -> str:
        """Write the plan for the generator's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadPlan:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        values["targets"] = tuple(Target(**target) for target in values["targets"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What the generator saw. Latencies are in milliseconds."""

    answered_200: int
    answered_other: int
    failed_connections: int
    seconds: float
    rate: float
    p50: float
    p99: float
    slowest: float
    first_refusal: str = ""

    def to_json(self) -> str:
        """Write the result for whoever started the generator."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadResult:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))
