"""What nobody knows yet, and what is not done: leases that ended, providers that are asked, people that are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sqlalchemy import Connection

from connectors.contract import Sent
from policies.message import Instant
from worker.keyring import Keyring
from worker.sms import lastcheck
from worker.sms.calls import Calls
from worker.sms.lastcheck import Ready
from worker.sms.outcomes import SECOND
from worker.sms.reports import Reports, Told
from worker.status import iso
from worker.store import outbox
from worker.store.engine import Store
from worker.store.outbox import Backlog, OutboxState, Outgoing
from worker.tenants.loading import Tenants, Version

KEEPING_SECONDS: Final = 2.0
"""How often it is looked after."""

_FIRST_LOOK, _LAST_LOOK = 5 * SECOND, 300 * SECOND
_LOOKED_AT: Final = 100
_LOOKING: Final = 2
_IN_DOUBT: Final = frozenset({OutboxState.CALLING, OutboxState.UNKNOWN})


class Keeper:
    """Looks after rows that no call is about. ``found`` is told of an unknown text that the provider has."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        calls: Calls,
        reports: Reports,
        unknown: int,
        found: Callable[[Ready, Sent], None],
        now: Callable[[Connection], Instant],
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._calls = calls
        self._reports = reports
        self._unknown = unknown
        self._found = found
        self._clock = now
        self._backlogs: dict[str, Mapping[OutboxState, Backlog]] = {}
        self._looks: dict[bytes, Instant] = {}
        self._kept = -KEEPING_SECONDS
        self._pool = ThreadPoolExecutor(_LOOKING, "look-up")

    def keep(self, busy: Sequence[str], tenants: Tenants) -> None:
        """Look after all tenants with work, unless that was done just now."""
        if time.monotonic() - self._kept < KEEPING_SECONDS:
            return
        self._kept = time.monotonic()
        sending = {version.tenant.id for version in tenants.versions.values() if version.tenant.sms}
        for tenant in sorted(sending | set(busy) | self._backlogs.keys()):
            self._count(tenant)
            if _IN_DOUBT & self._backlogs[tenant].keys():
                self._age(tenant)
        asked = [
            row.key for one in busy if one in tenants.versions for row in self._ask(tenants.versions[one])
        ]
        self._looks = {key: at for key, at in self._looks.items() if key in set(asked)}

    def status(self) -> Mapping[str, Any]:
        """What is not done, by tenant and state."""
        return {
            tenant: {
                state.name.lower(): {"count": one.count, "oldest": iso(one.oldest)}
                for state, one in backlog.items()
            }
            for tenant, backlog in sorted(self._backlogs.items())
        }

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _count(self, tenant: str) -> None:
        with self._store.reading() as tx:
            now = self._clock(tx)
            backlog = outbox.backlog(tx, tenant)
            due = outbox.due_next(tx, tenant)
        self._backlogs[tenant] = backlog
        self._reports.backlog(tenant, backlog, 0 if due is None else now - due)

    def _age(self, tenant: str) -> None:
        with self._store.transaction() as tx:
            now = self._clock(tx)
            late = outbox.expire_leases(tx, tenant, now)
            old = outbox.age_unknown(tx, tenant, now - self._unknown, now)
        for row in (*late, *old):
            self._reports.told(Told(tenant=tenant, row=row, state=row.state))

    def _ask(self, version: Version) -> list[Outgoing]:
        """Ask providers that can be asked about texts that they may have; those texts."""
        if OutboxState.UNKNOWN not in self._backlogs[version.tenant.id]:
            return []
        with self._store.reading() as tx:
            now = self._clock(tx)
            rows = outbox.unknown(tx, version.tenant.id, _LOOKED_AT)
        for ready in self._askable(version, rows):
            tried = ready.row.tried_at or now
            if self._looks.setdefault(ready.row.key, tried + _FIRST_LOOK) <= now:
                # The next time when the text is twice as old.
                self._looks[ready.row.key] = now + min(max(now - tried, _FIRST_LOOK), _LAST_LOOK)
                self._pool.submit(self._look_up, ready, tried)
        return rows

    def _askable(self, version: Version, rows: Sequence[Outgoing]) -> Iterator[Ready]:
        for row in rows:
            source = version.tenant.connectors.get(row.connector)
            outbound = source.connector.outbound if source is not None and source.sending else None
            if source is None or outbound is None or outbound.lookup is None:
                continue
            payload = lastcheck.opened(self._keyring, version.tenant.id, row)
            if payload is not None:
                yield Ready(tenant=version.tenant, source=source, row=row, payload=payload)

    def _look_up(self, ready: Ready, tried_at: Instant) -> None:
        try:
            found = self._calls.look_up(ready.tenant, ready.source, ready.payload.as_text, tried_at)
            if found is not None:
                self._found(ready, found)
        except Exception as error:  # noqa: BLE001 - it is asked again, or becomes a person's matter
            self._reports.fault(error)
