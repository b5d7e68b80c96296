"""A replica whose clock is moved over years, and what of its tenants is left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import func, select

from policies.record import State
from policies.retention import ANY, Agreement, ContentClass, Limits, Retention, Span
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, tenant
from worker.audit.receipts import FORMAT, verify_receipt
from worker.audit.signing import SigningKey
from worker.retention.means import Means
from worker.retention.report import FORMAT as REPORT
from worker.retention.run import Tended, run_due, tend
from worker.store import decisions, messages, retention, seals
from worker.store.tables import Table
from worker.tenants.loading import Tenant
from worker.transcripts import export

DAY: Final = 86_400 * 1_000_000
YEAR: Final = 365 * DAY


def at(text: str) -> int:
    """An instant, written in ISO 8601."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


def keeping(*, ends: str | None = None, zone: str = "UTC", **ceilings: str) -> Retention:
    """Ceilings by class for every channel, and the end of the agreement."""
    limits = {ContentClass(name): Limits(ceiling=Span.of(one)) for name, one in ceilings.items()}
    agreement = Agreement(ends=date.fromisoformat(ends), zone=zone) if ends else None
    return Retention(agreement=agreement, limits={ANY: limits} if limits else {})


def served(id_: str, kept: Retention) -> Tenant:
    """A tenant whose file says this of keeping."""
    return msgspec.structs.replace(tenant(id_), retention=kept)


class House:
    """One replica. ``now`` is what its clock shows; it moves on by a millisecond whenever somebody looks."""

    def __init__(self, databases: Databases, signing: SigningKey) -> None:
        self.now = NOW
        self.signing = signing
        self.replica = Replica(databases, clock=self.clock)
        self.told: list[Tended] = []

    def clock(self) -> int:
        """The time."""
        self.now += 1_000
        return self.now

    @property
    def means(self) -> Means:
        """What retention works with."""
        return Means(
            store=self.replica.store,
            keyring=self.replica.keyring,
            signing=self.signing,
            clock=self.clock,
            rest=lambda _: None,
        )

    def run(self, *tenants: Tenant) -> dict[str, Tended]:
        """One run; what it did by tenant."""
        self.told.clear()
        run_due(
            self.replica.store,
            self.replica.keyring,
            tenants,
            self.clock,
            signing=self.signing,
            tell=self.told.append,
            pause=lambda _: None,
        )
        return {one.tenant: one for one in self.told}

    def tend(self, of: Tenant) -> Tended:
        """What a run does for one tenant."""
        with self.replica.store.reading() as tx:
            known = retention.find_offboarding(tx, of.id)
        return tend(self.means, of.id, of, known)

    def end(self, name: str) -> Tended:
        """What a run does for a tenant whose file is gone."""
        with self.replica.store.reading() as tx:
            known = retention.find_offboarding(tx, name)
        return tend(self.means, name, None, known)

    def texts(self, tenant_id: str) -> list[str]:
        """What transcripts show, in order of words."""
        whole = export(self.replica.store, self.replica.keyring, tenant_id)
        entries = [one for talk in whole["conversations"] for one in talk["entries"]] + whole["unattributed"]
        return sorted(one["text"] for one in entries if one["text"] is not None)

    def states(self, tenant_id: str) -> list[State]:
        """The states of its messages."""
        table = messages.messages
        with self.replica.store.reading() as tx:
            rows = tx.execute(select(table.c.state).where(table.c.tenant == tenant_id))
            return sorted(State(state) for state in rows.scalars())

    def rows(self, tenant_id: str) -> Mapping[str, int]:
        """How many rows each table has of a tenant, where it has any."""
        with self.replica.store.reading() as tx:
            counts = {
                name: tx.execute(
                    select(func.count()).select_from(table).where(table.c.tenant == tenant_id)
                ).scalar_one()
                for name, table in Table.metadata.tables.items()
            }
        return {name: count for name, count in counts.items() if count}

    def keys(self, tenant_id: str) -> list[bytes]:
        """The conversations that have a key."""
        return self.replica.keyring.conversations(tenant_id, b"", b"\xff" * 16, 10_000)

    def receipts(self, tenant_id: str) -> list[dict[str, Any]]:
        """The tenant's receipts, each checked."""
        with self.replica.store.reading() as tx:
            found = seals.receipts_since(tx, tenant_id, 0)
        return [verify_receipt(one.receipt, self.signing.public, (FORMAT, REPORT)) for one in found]

    def chain_holds(self, tenant_id: str) -> bool:
        """Whether the decision chain verifies."""
        with self.replica.store.reading() as tx:
            return decisions.verify(tx, tenant_id) is None

    def close(self) -> None:
        """Close the databases."""
        self.replica.close()


def signing_key(directory: Path) -> SigningKey:
    """A key that signs."""
    path = directory / "signing.key"
    return SigningKey.load(path) if path.exists() else SigningKey.generate(path)
