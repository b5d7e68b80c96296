"""The compliance report: right counts, small ones hidden so that none can be told, and a page that runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.message import MessageKind
from policies.tenant import Facts
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, delivery, message, replicas, tenant, unsend
from worker.govern import govern
from worker.report.figures import SMALLEST, Figures, Month, figures, suppressed
from worker.report.page import page

ACME: Final = tenant(never_record_kinds=(MessageKind.LOCATION,))
MONTH: Final = Month(year=2026, number=9)
CANARY: Final = "canary5512"


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def of(replica: Replica, month: Month = MONTH) -> Figures:
    """The month's figures."""
    with replica.store.reading() as tx:
        return figures(tx, ACME, month, NOW)


def test_a_month_is_counted_by_what_was_done(replica: Replica) -> None:
    replica.tell(ACME, *(message(f"m{number}", CANARY) for number in range(12)))
    replica.tell(ACME, *(unsend(f"m{number}") for number in range(6)))
    facts = Facts(now=NOW, policy=ACME.policy)
    placed = (message(f"l{number}", CANARY, kind=MessageKind.LOCATION) for number in range(7))
    replica.write(delivery(ACME, *(govern(event, facts) for event in placed)))
    told = of(replica)
    assert told.volumes == {"whatsapp": 25}
    assert told.dispositions == {"stored": 12, "dropped": 7, "unsent": 6}
    assert told.reasons == {"tenant_kind": 7}
    assert told.clauses == {"PP-3": 7}
    assert sum(count or 0 for count in told.unsend_delays.values()) == 6
    assert told.chain == 3


def test_another_month_and_another_tenant_are_not_in_it(replica: Replica) -> None:
    replica.tell(ACME, *(message(f"m{number}") for number in range(9)))
    replica.tell(tenant("globex"), *(message(f"g{number}") for number in range(9)))
    assert of(replica).volumes == {"whatsapp": 9}
    assert of(replica, Month(year=2026, number=10)).volumes == {}


def test_nothing_of_a_message_stands_in_it(replica: Replica) -> None:
    replica.tell(
        ACME, *(message(f"{CANARY}-{number}", CANARY, profile={"name": CANARY}) for number in range(9))
    )
    told = of(replica)
    assert CANARY not in msgspec.json.encode(told).decode() + page(told)
    assert "15550123" not in page(told)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 40), max_size=8))
def test_no_small_count_can_be_told_even_from_the_total(counts: dict[str, int]) -> None:
    shown = suppressed(counts)
    assert shown.keys() == {word for word, count in counts.items() if count}
    hidden = [word for word, count in shown.items() if count is None]
    assert all(count is None or count >= SMALLEST for count in shown.values())
    assert all(shown[word] == counts[word] for word in shown.keys() - set(hidden))
    assert len(hidden) != 1 or len(shown) == 1


def test_a_month_ends_where_the_next_begins() -> None:
    assert (
        Month(year=2026, number=12).ends
        == datetime(2027, 1, 1, tzinfo=UTC)
        == Month(year=2027, number=1).begins
    )
    assert Month(year=2028, number=2).days[1] - Month(year=2028, number=2).days[0] == 29
    assert MONTH.instants[0] < NOW < MONTH.instants[1]


def test_the_page_runs_nothing_loads_nothing_and_escapes_every_word(replica: Replica) -> None:
    hostile: Mapping[str, int | None] = {'<script>alert("x")</script>': 7, "plain": None}
    told = msgspec.structs.replace(of(replica), reasons=hostile, tenant='"><img src=x>')
    written = page(told)
    assert "<script" not in written
    assert "<img" not in written
    assert "&lt;script&gt;" in written
    assert "default-src 'none'" in written
    assert not re.search(r"<[^>]*\b(?:src|href)\s*=|url\(|https?://", written)
    assert "&lt; 5" in written
