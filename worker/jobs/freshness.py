"""X's challenge: X marks a webhook invalid that it could not ask for 28 hours, and stops sending.

A handshake must not need the database, so each worker knows its own; what it knows it shares later, and learns that of the
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.message import Instant
from worker.log.lines import FreshnessLine, Level
from worker.log.writer import Log
from worker.observe import Observer
from worker.store import cursors
from worker.store.cursors import Cursor
from worker.store.engine import Store
from worker.tenants.loading import Tenants

STALE: Final = 26 * 3_600 * 1_000_000
"""X asks at least once a day; two hours are left after this."""

_CONNECTOR: Final = "x"
_CURSOR: Final = f"handshake:{_CONNECTOR}"
_NEVER: Final = b""
_SECOND: Final = 1_000_000


def share_handshakes(store: Store, observer: Observer, tenants: Tenants, now: Instant) -> None:
    """Note the last handshake of each tenant for all workers, and learn of theirs; and since when one is waited for."""
    for tenant in _asked(tenants):
        own = observer.handshakes.get((tenant, _CONNECTOR), 0)
        with store.reading() as tx:
            noted = cursors.read(tx, tenant, _CURSOR)
        known = _answered_at(noted)
        if noted is None or own > known:
            value = str(own).encode() if own else _NEVER
            with store.transaction() as tx:
                cursors.move(tx, tenant, _CURSOR, value, now)
        elif known > own:
            observer.shaken_elsewhere(tenant, _CONNECTOR, known)


def tell_stale(store: Store, log: Log, tenants: Tenants, now: Instant) -> bool:
    """A warning for each tenant whose webhook X has not asked for too long; whether there was any."""
    with store.reading() as tx:
        noted = {tenant: cursors.read(tx, tenant, _CURSOR) for tenant in _asked(tenants)}
    ages = {tenant: now - (_answered_at(one) or one.moved_at) for tenant, one in noted.items() if one}
    stale = {tenant: age for tenant, age in ages.items() if age > STALE}
    for tenant, age in stale.items():
        log.emit(
            FreshnessLine(
                level=Level.WARNING,
                tenant=tenant,
                connector=_CONNECTOR,
                what="handshake",
                seconds=age // _SECOND,
            )
        )
    return bool(stale)


def _asked(tenants: Tenants) -> Iterator[str]:
    return (tenant.id for tenant in tenants.serving if _CONNECTOR in tenant.connectors)


def _answered_at(noted: Cursor | None) -> Instant:
    """0 where none was ever answered."""
    return int(noted.value) if noted is not None and noted.value.isdigit() else 0
