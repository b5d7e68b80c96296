"""What goes on by itself: holds grow with a tenant's accounts, what is due is completed, expired productions are destroyed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from worker.holds.lifting import lifting
from worker.holds.placing import HoldDesk
from worker.holds.production import ProductionDesk
from worker.jobs import Job, Stop
from worker.ledger import Clock
from worker.opening import Opened
from worker.tenants.loading import Tenant, Tenants

SECONDS: Final = 60.0


def hold_jobs(opened: Opened, clock: Clock, tenants: Callable[[], Tenants]) -> tuple[Job, ...]:
    """One that all replicas share; and one for each of them, since a production's file lies on one machine."""
    desk = ProductionDesk(opened.store, opened.keyring, opened.signing, clock)
    completing = partial(_complete, opened, clock, tenants)
    return (
        Job(name="holds", seconds=SECONDS, run=completing, shared=True),
        Job(name="productions", seconds=SECONDS, run=lambda _: desk.destroy_expired(clock()) > 0),
    )


def _complete(opened: Opened, clock: Clock, tenants: Callable[[], Tenants], stop: Stop) -> bool:
    served = [version.tenant for version in tenants().versions.values()]
    grown = [_extended(opened, clock, tenant) for tenant in served if not stop()]
    return lifting(opened, clock).run(stop) or any(grown)


def _extended(opened: Opened, clock: Clock, tenant: Tenant) -> bool:
    connectors = tenant.connectors.items()
    places = {(name, account) for name, connector in connectors for account in connector.accounts}
    return HoldDesk(opened.store, opened.keyring, tenant.id, places, clock).extend() > 0
