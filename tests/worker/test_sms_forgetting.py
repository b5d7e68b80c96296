"""What was noted of texts for a time only is gone after it, and not a moment before somebody could ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from sqlalchemy import Table, func, select

from policies.sms.traffic import Rate
from tests.databases import Databases
from tests.worker.handing_in import NOON, OTHER, Desk, sends, text
from worker.sms import forgetting
from worker.sms.facts import ALIKE_WINDOW, WINDOW
from worker.sms.forgetting import forget
from worker.sms.outbound import REMEMBERED
from worker.sms.submission import Answer
from worker.store import alike, outbox, reviews, submissions, tallies
from worker.store.messages import messages
from worker.store.outbox import OutboxState
from worker.store.reviews import ReviewState
from worker.tenants.loading import Tenant, Tenants, Version

LURE: Final = "Your account is locked, verify your password at https://bit.ly/3xYz now"
HOUR: Final = 3_600 * 1_000_000


@pytest.fixture
def desk(databases: Databases) -> Iterator[Desk]:
    """With a text that waits to be sent, and one that waits for a person."""
    opened = Desk(databases)
    opened.all(text(reference="r"), text(LURE, recipient=OTHER))
    yield opened
    opened.close()


def tenants(tenant: Tenant) -> Tenants:
    """All there are."""
    return Tenants(versions={tenant.id: Version(tenant=tenant)})


def counts(desk: Desk, *tables: Table) -> list[int]:
    """How many rows each has."""
    with desk.replica.store.reading() as tx:
        return [int(tx.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables]


def test_counts_go_when_their_windows_have_ended(desk: Desk) -> None:
    """Of recipients, senders, networks, repetitions and near-duplicates; the policy's own windows count."""
    noted = (tallies.tallies, alike.alike)
    before = counts(desk, *noted)
    assert min(before) > 0
    assert not forget(desk.replica.store, tenants(desk.tenant), NOON + ALIKE_WINDOW)
    assert counts(desk, *noted) == before
    patient = sends(recipient_rate=Rate(messages=20, seconds=7 * 86_400))
    assert forget(desk.replica.store, tenants(patient), NOON + 2 * ALIKE_WINDOW)
    assert counts(desk, *noted) == [before[0], 0]
    assert forget(desk.replica.store, tenants(desk.tenant), NOON + ALIKE_WINDOW + 3 * WINDOW)
    assert counts(desk, *noted) == [0, 0]


def test_answers_go_after_thirty_days_and_what_is_not_done_stays(desk: Desk) -> None:
    """A text that still waits is never forgotten; its transcript has its own time."""
    kept = (submissions.submissions, outbox.outbox, reviews.reviews, messages)
    forget(desk.replica.store, tenants(desk.tenant), NOON + REMEMBERED)
    assert counts(desk, *kept) == [2, 1, 1, 2]
    forget(desk.replica.store, tenants(desk.tenant), NOON + REMEMBERED + 1)
    assert counts(desk, *kept) == [0, 1, 1, 2]
    store, tenant = desk.replica.store, desk.tenant.id
    with store.transaction() as tx:
        (waiting,) = tx.execute(select(reviews.reviews.c.key)).scalars()
        (queued,) = tx.execute(select(outbox.outbox.c.key)).scalars()
        reviews.decide(tx, tenant, [waiting], ReviewState.REJECTED, NOON)
        outbox.finish(tx, tenant, [queued], OutboxState.CANCELLED, NOON)
    forget(store, tenants(desk.tenant), NOON + REMEMBERED + 1)
    assert counts(desk, *kept) == [0, 0, 0, 2]


def test_however_much_there_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small transactions, until nothing is left."""
    monkeypatch.setattr(forgetting, "SOME", 2)
    forget(desk.replica.store, tenants(desk.tenant), NOON + REMEMBERED + HOUR)
    assert counts(desk, submissions.submissions, tallies.tallies, alike.alike) == [0, 0, 0]


def test_a_reference_that_was_forgotten_is_new(desk: Desk) -> None:
    """As one that has merely run out."""
    desk.now = NOON + REMEMBERED + 1
    forget(desk.replica.store, tenants(desk.tenant), desk.now)
    assert isinstance(desk.one(text("Another.", reference="r")), Answer)
