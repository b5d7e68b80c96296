"""One run: every tenant that configured it, every connector, each within its limits. What fails for one does not keep the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from connectors.asking import number
from connectors.contract import Sending
from policies.message import Instant, Private
from worker.egress.client import Client
from worker.jobs import Stop
from worker.keyring import Keyring
from worker.ledger import Clock
from worker.reconcile.asking import Asker, Carrier, CutShort, Limits
from worker.reconcile.handing import Hand, NotCommitted
from worker.store import cursors
from worker.store.engine import Store
from worker.tenants.loading import Tenant, TenantConnector

NOT_COMMITTED: Final = "not_committed"


class Tools(Private, frozen=True, kw_only=True):
    """What a reconciliation works with. ``seconds``: what one call may take."""

    store: Store
    keyring: Keyring
    carrier: Carrier | Client
    hand: Hand
    clock: Clock
    seconds: float


class Case(Private, frozen=True, kw_only=True):
    """One connector of one tenant, and what it asks with."""

    tenant: Tenant
    source: TenantConnector
    asking: Sending

    @property
    def account(self) -> str:
        """Whose messages are asked about."""
        return self.asking.options["account"] or next(iter(self.source.accounts))

    @property
    def limits(self) -> tuple[int, float]:
        """Calls of a run, and seconds between two."""
        options = self.asking.options
        return number(options, "calls", 1, 100_000), number(options, "pace_ms", 0, 60_000) / 1000


class Tally(msgspec.Struct, kw_only=True):
    """What one run came to. ``why`` is what cut it short."""

    about: str
    asked: int = 0
    gone: int = 0
    unsure: int = 0
    calls: int = 0
    why: str = ""

    @property
    def is_telling(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.asked or self.calls or self.why)


def asker(tools: Tools, case: Case, stop: Stop, **more: object) -> Asker:
    """Asks for this case."""
    calls, pace = case.limits
    hosts = frozenset(one.host for one in case.tenant.egress)
    limits = Limits(calls=calls, pace=pace, seconds=tools.seconds)
    return Asker(tools.carrier, hosts, limits, stop, **more)  # type: ignore[arg-type]


def cases(tenants: Iterator[Tenant], connector: str) -> Iterator[Case]:
    """Every tenant that configured this for a connector."""
    for tenant in tenants:
        source = tenant.connectors.get(connector)
        if source is not None and source.reconcile is not None:
            yield Case(tenant=tenant, source=source, asking=source.reconcile)


def whole(tally: Tally, asking: Asker, work: Callable[[], None]) -> Tally:
    """Do the work, and tell what it came to, also where it was cut short."""
    try:
        work()
    except CutShort as error:
        tally.why = error.why
    except NotCommitted:
        tally.why = NOT_COMMITTED
    tally.calls = asking.calls
    return tally


def cursor_name(case: Case, about: str) -> str:
    """One for each account."""
    return f"reconcile:{case.source.connector.name}:{case.account}:{about}"


def position(tools: Tools, case: Case, about: str) -> bytes:
    """Where the last run came to, b"" for the beginning."""
    with tools.store.reading() as tx:
        found = cursors.read(tx, case.tenant.id, cursor_name(case, about))
    return found.value if found else b""


def advance(tools: Tools, case: Case, about: str, value: bytes) -> Instant:
    """Go on from there the next time."""
    now = tools.clock()
    with tools.store.transaction() as tx:
        cursors.move(tx, case.tenant.id, cursor_name(case, about), value, now)
    return now
