"""Every chain that grew gets a signed checkpoint."""

from __future__ import annotations

from worker.audit.seals import seal_chain
from worker.audit.signing import SigningKey
from worker.jobs import Stop
from worker.ledger import Clock
from worker.store import decisions, seals
from worker.store.engine import Store


def seal_all(store: Store, key: SigningKey, clock: Clock, stop: Stop) -> bool:
    """Seal the chains of all tenants, also of those that are not served any more; whether one had grown."""
    with store.reading() as tx:
        grown = [
            tenant
            for tenant in decisions.tenants(tx)
            if decisions.end_of(tx, tenant)[0] > seals.last_sealed(tx, tenant)
        ]
    for tenant in grown:
        if stop():
            break
        with store.transaction() as tx:
            seal_chain(tx, tenant, key, clock())
    return bool(grown)
