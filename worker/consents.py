"""What persons allowed or withdrew, from channels, over the interface and from files: the latest word of each category stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from policies.event import Consent, ConsentChanged
from policies.message import Identifier, Instant, Private
from worker.inbound import Committed, Delivery, Governed
from worker.keyring import Keyring
from worker.settle import Settlement
from worker.store import people, persons
from worker.store.engine import Store
from worker.store.holds import linked_with
from worker.store.retry import persistently
from worker.tenants.loading import Tenant

MOST: Final = 500
"""Consents of one transaction: intake waits for no longer than that."""


class Told(Private, frozen=True, kw_only=True):
    """A consent that somebody else learnt: of whom, on which account, for what, and when it was given."""

    connector: str
    account: str
    person: Identifier
    category: str
    consent: Consent
    at: Instant


class Given(Private, frozen=True, kw_only=True):
    """A consent as it stands. ``conversation`` is the opaque id of whom it is of."""

    conversation: bytes
    connector: str
    account: str
    category: str
    consent: str
    changed_at: Instant
    source: str


class ConsentBook:
    """Records consents of one store. ``committed`` is told of each commit, for log and metrics."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        clock: Callable[[], Instant],
        committed: Callable[[Sequence[Committed]], None] = lambda _batch: None,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._committed = committed

    def record(self, tenant: Tenant, told: Sequence[Told], source: str) -> None:
        """Record them as if their channels had told of them; each has its decision record. May be called again."""
        for start in range(0, len(told), MOST):
            batch = persistently(partial(self._transact, tenant, told[start : start + MOST], source))
            self._committed(batch)

    def _transact(self, tenant: Tenant, told: Sequence[Told], source: str) -> list[Committed]:
        now = self._clock()
        deliveries = list(_deliveries(tenant, told, source, now))
        with self._store.transaction() as tx:
            settlement = Settlement(tx, self._keyring, deliveries, now)
            settlement.apply()
            sequence, head = settlement.conclude()
        took = max(0, self._clock() - now)
        return [
            Committed(
                delivery=delivery,
                settled=settled,
                sequence=sequence,
                head=head.hex(),
                queued=0,
                commit=took,
                batch=len(deliveries),
            )
            for delivery, settled in zip(deliveries, settlement.settled, strict=True)
        ]


def granted(tx: Connection, tenant: str, conversation: bytes) -> frozenset[str]:
    """The categories to which the person of a conversation said yes last, in whichever of their conversations."""
    last: dict[str, tuple[Instant, str]] = {}
    for one in linked_with(tx, tenant, {conversation}):
        for row in persons.consents_of(tx, tenant, one):
            told = row.changed_at, row.consent
            last[row.category] = max(told, last.get(row.category, told))
    return frozenset(category for category, (_, consent) in last.items() if consent == Consent.GRANTED)


def given(tx: Connection, tenant: str, conversations: Collection[bytes] | None = None) -> Iterator[Given]:
    """What stands, of these conversations or of all, in the order of the conversations."""
    for row in people.consents_given(tx, tenant, conversations):
        yield Given(**{name: getattr(row, name) for name in Given.__struct_fields__})


def _deliveries(tenant: Tenant, told: Sequence[Told], source: str, now: Instant) -> Iterator[Delivery]:
    """One for each connector."""
    by_connector: dict[str, list[Governed]] = {}
    for one in told:
        by_connector.setdefault(one.connector, []).append(Governed(_event(one), told_by=source))
    for name, events in sorted(by_connector.items()):
        yield Delivery(tenant=tenant, source=tenant.connectors[name], received_at=now, size=0, events=events)


def _event(one: Told) -> ConsentChanged:
    return ConsentChanged(
        account=one.account,
        person=(one.person,),
        consent=one.consent,
        category=one.category,
        occurred_at=one.at,
    )


def known_places(tenant: Tenant) -> dict[str, frozenset[str]]:
    """The accounts of each of a tenant's connectors."""
    return {name: source.accounts for name, source in tenant.connectors.items()}
