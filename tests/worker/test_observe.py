"""One report, one line, one count; nothing in the metrics that is not configured or of a closed table."""

from __future__ import annotations

import platform
import threading
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.contract import Credentials
from connectors.registry import CONNECTORS
from policies.message import Instant
from policies.tenant import TenantPolicy
from policies.verdict import Reason, ReasonCode
from tests.collected import Collected
from worker.inbound import Committed, Delivery, Disposition, Settled
from worker.jobs import Job, Schedule, Stop
from worker.log.lines import (
    DecisionLine,
    DeliveryLine,
    FaultLine,
    JobLine,
    Refusal,
    RefusalLine,
    Weight,
)
from worker.metrics import Metrics
from worker.observe import Observer
from worker.tenants.file import Problem
from worker.tenants.loading import Tenant, TenantConnector, Tenants, Version

NOW: Instant = 1_795_253_400_000_000
CANARY = "canary-31"


class House:
    """An observer with its log and metrics."""

    def __init__(self) -> None:
        self.log = Collected()
        self.metrics = Metrics("1.2.3")
        self.observer = Observer(self.log, self.metrics, lambda: NOW)

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        families = text_string_to_metric_families(self.metrics.page().decode())
        return {
            (sample.name.removeprefix("sluicegate_"), tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def house() -> House:
    return House()


SOURCE = TenantConnector(
    connector=CONNECTORS["instagram"],
    accounts=frozenset({"17"}),
    credentials=Credentials(signing_secrets=(b"x",)),
)
TENANT = Tenant(
    id="acme", name="Acme", policy=TenantPolicy(), policy_digest="digest", connectors={"instagram": SOURCE}
)
STORY = Reason(code=ReasonCode.STORY_MENTION, rule="story_mention", clauses=("SM-6",))
TRIED = Reason(code=ReasonCode.BURST, rule="burst", clauses=("VT-1.5",), shadow=True)


def committed(*settled: Settled, foreign: int = 0) -> Committed:
    delivery = Delivery(
        tenant=TENANT, source=SOURCE, received_at=NOW - 5000, size=1600, events=(), foreign=foreign
    )
    return Committed(
        delivery=delivery, settled=settled, sequence=4, head="ab" * 32, queued=1000, commit=3000, batch=2
    )


STORED = Settled(
    event="message", account="17", disposition=Disposition.STORED, reasons=(STORY,), ref="00", person="11"
)
NOTED = Settled(event="typing", account="", disposition=Disposition.NOTED)


def test_a_delivery_is_one_line_and_each_of_its_decisions_another(house: House) -> None:
    """Counts by word in the first, what happened to each event in the others."""
    house.observer.committed([committed(STORED, NOTED, STORED, foreign=2)])
    delivery, *decisions = house.log.lines
    assert isinstance(delivery, DeliveryLine)
    assert (delivery.tenant, delivery.connector, delivery.accounts) == ("acme", "instagram", ["17"])
    assert delivery.events == {"message": 2, "typing": 1}
    assert delivery.dispositions == {"stored": 2, "noted": 1}
    assert delivery.reasons == {"story_mention": 2}
    assert (delivery.foreign, delivery.size, delivery.batch) == (2, 1600, 2)
    assert (delivery.queued_us, delivery.commit_us, delivery.total_us) == (1000, 3000, 5000)
    assert [line.disposition for line in decisions if isinstance(line, DecisionLine)] == [
        "stored",
        "noted",
        "stored",
    ]
    assert house.observer.heads == {"acme": (4, "ab" * 32)}


def test_a_batch_is_counted(house: House) -> None:
    """By delivery, by event and its disposition, by reason; durations once per batch or delivery."""
    house.observer.committed([committed(STORED, NOTED, foreign=3), committed(STORED)])
    place = {"tenant": "acme", "connector": "instagram"}
    assert house.value("deliveries_total", **place) == 2
    assert house.value("delivery_bytes_total", **place) == 3200
    assert house.value("events_total", **place, disposition="stored") == 2
    assert house.value("events_total", **place, disposition="foreign") == 3
    assert house.value("reasons_total", **place, reason="story_mention") == 2
    assert house.value("delivery_seconds_count") == 2
    assert house.value("commit_seconds_count") == 1
    assert house.value("batch_deliveries_sum") == 2


def test_what_is_only_tried_is_told_apart(house: House) -> None:
    """In the delivery's line, in the decision's, and in the metrics: nothing was done for it."""
    house.observer.committed([committed(msgspec.structs.replace(STORED, reasons=(STORY, TRIED)))])
    delivery, decision = house.log.lines
    assert isinstance(delivery, DeliveryLine)
    assert isinstance(decision, DecisionLine)
    assert (delivery.reasons, delivery.shadow) == ({"story_mention": 1}, {"burst": 1})
    assert decision.reasons == (STORY, TRIED)
    place = {"tenant": "acme", "connector": "instagram"}
    assert house.value("shadow_reasons_total", **place, reason="burst") == 1
    assert house.value("reasons_total", **place, reason="story_mention") == 1
    assert house.value("reasons_total", **place, reason="burst") is None


def test_refusals_are_counted_by_kind(house: House) -> None:
    """The log line says the same."""
    house.observer.refused(Refusal.SIGNATURE, 401, "acme", "instagram", 20)
    house.observer.refused(Refusal.UNKNOWN_ROUTE, 404)
    assert house.value("refusals_total", tenant="acme", connector="instagram", refusal="signature") == 1
    assert house.value("refusals_total", tenant="", connector="", refusal="unknown_route") == 1
    line = house.log.lines[0]
    assert isinstance(line, RefusalLine)
    assert (line.refusal, line.status, line.size) == (Refusal.SIGNATURE, 401, 20)


def test_a_handshake_tells_when(house: House) -> None:
    """X disables a webhook whose challenge goes unanswered: the time of the last answer is watched."""
    house.observer.shaken("acme", "instagram", 200)
    assert (
        house.value("handshake_answered_timestamp_seconds", tenant="acme", connector="instagram") == NOW / 1e6
    )


def test_what_is_out_of_service_shows_and_disappears(house: House) -> None:
    """A tenant that is gone leaves no stale series."""
    version = Version(tenant=TENANT, out_of_service=frozenset({"x"}))
    problem = Problem(file="a.toml", key="name", expected="a name")
    house.observer.tenants(
        Tenants(versions={"acme": version}, refused=frozenset({"bad"}), problems=(problem,))
    )
    assert house.value("connector_in_service", tenant="acme", connector="instagram") == 1
    assert house.value("connector_in_service", tenant="acme", connector="x") == 0
    assert house.value("connector_in_service", tenant="bad", connector="") == 0
    assert house.value("configuration_problems") == 1
    house.observer.tenants(Tenants())
    assert not [name for name, _ in house.samples() if name == "connector_in_service"]


def test_an_exception_is_a_fault_without_its_text(house: House) -> None:
    """The writer reports what the database said; only its type is repeated."""
    house.observer.failed(RuntimeError(CANARY), 12)
    (line,) = house.log.lines
    assert isinstance(line, FaultLine)
    assert (line.exception, line.affected) == ("RuntimeError", 12)
    assert house.value("faults_total", place="writer") == 1
    assert CANARY not in str(line)


def test_a_report_that_cannot_be_made_does_not_reach_the_writer(house: House) -> None:
    """What is committed stays committed: the writer's thread goes on."""
    broken: Any = [None]
    house.observer.committed(broken)
    assert isinstance(house.log.lines[0], FaultLine)


def test_lost_log_lines_are_a_metric(house: House) -> None:
    """By what they were."""
    house.metrics.watch_log(lambda: {Weight.LIGHT: 3, Weight.MIDDLE: 2, Weight.HEAVY: 1})
    assert house.value("log_lines_dropped_total", kind="other") == 3
    assert house.value("log_lines_dropped_total", kind="decision") == 1


def test_a_probe_is_read_when_it_is_asked_for(house: House) -> None:
    """The depth of a queue costs nothing between scrapes."""
    depth = [7]
    house.metrics.probe("queue_deliveries", "waiting", lambda: depth[0])
    depth[0] = 9
    assert house.value("queue_deliveries") == 9
    assert house.value("build_info", version="1.2.3", python=platform.python_version()) == 1


def test_jobs_run_and_are_told_of_when_they_did_something(house: House) -> None:
    """One that finds nothing to do is silent; one that fails runs again."""
    runs: list[int] = []
    enough = threading.Event()

    def work(_stop: Stop) -> bool:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError(CANARY)
        if len(runs) >= 3:
            enough.set()
        return len(runs) == 2

    schedule = Schedule((Job(name="sweep", seconds=0.02, run=work),), house.observer)
    schedule.start()
    assert enough.wait(5)
    schedule.stop()
    schedule.stop()
    assert house.value("jobs_total", job="sweep", outcome="failed") == 1
    assert house.value("jobs_total", job="sweep", outcome="done") == 1
    assert [type(line) for line in house.log.lines] == [FaultLine, JobLine]
    assert CANARY not in str(house.log.lines)
