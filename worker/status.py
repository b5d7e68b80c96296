"""What an operator wants to know of a process, as one JSON object without content."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TimedOut
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from policies.message import Instant
from worker.backup.journal import Journal
from worker.observe import Observer
from worker.store import accounts
from worker.store.accounts import Standing
from worker.store.engine import Store, StoreError
from worker.tenants.loading import Tenants, Version

PING_SECONDS: Final = 2.0


def version() -> str:
    """The version of the installed package; "unknown" in a bare checkout."""
    try:
        return installed("sluicegate")
    except PackageNotFoundError:
        return "unknown"


class StoreProbe:
    """Asks the store, and does not wait long for it. A question that hangs is not repeated."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "store-probe")
        self._asked: Future[float] | None = None
        self._stopped: Future[list[Standing]] | None = None

    def ask(self) -> Mapping[str, Any]:
        """``answers``, and the milliseconds it took."""
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(self._ping)
        try:
            return {"answers": True, "milliseconds": round(self._asked.result(PING_SECONDS) * 1000, 1)}
        except (StoreError, TimedOut):
            return {"answers": False, "milliseconds": None}

    def standings(self) -> Sequence[Mapping[str, Any]] | None:
        """Accounts that send nothing because of their standing with their platform; None where nobody could say."""
        if self._stopped is None or self._stopped.done():
            self._stopped = self._thread.submit(self._read_standings)
        try:
            return [_standing(one) for one in self._stopped.result(PING_SECONDS)]
        except (SQLAlchemyError, StoreError, TimedOut):
            return None

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read_standings(self) -> list[Standing]:
        with self._store.reading() as tx:
            return accounts.stopped(tx)

    def _ping(self) -> float:
        started = time.monotonic()
        self._store.ping()
        return time.monotonic() - started


def _standing(one: Standing) -> Mapping[str, Any]:
    return {
        "tenant": one.tenant,
        "connector": one.connector,
        "account": one.account,
        "aspect": one.aspect,
        "state": one.state,
        "why": one.detail,
        "since": iso(one.changed_at),
    }


def disk(directory: Path) -> Mapping[str, int]:
    """Free and all bytes of the disk below ``directory``; nothing where it cannot be asked."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return {}
    return {"free_bytes": usage.free, "total_bytes": usage.total}


def journal_status(path: Path | None) -> Mapping[str, Any]:
    """Whether a journal of what is deleted is kept, and how long it is (None: it cannot be written)."""
    if path is None:
        return {"kept": False}
    try:
        position = Journal(path).position()
    except StoreError:
        return {"kept": True, "lines": None}
    return {"kept": True, "lines": position.number if position else 0}


def tenants_status(tenants: Tenants, observer: Observer) -> Mapping[str, Any]:
    """Each tenant with its connectors, last handshakes, and the end of its decision chain as seen here."""
    known: dict[str, Any] = {
        version.tenant.id: _tenant(version, observer) for version in tenants.versions.values()
    }
    return known | {id_: {"in_service": False} for id_ in tenants.refused}


def _tenant(version: Version, observer: Observer) -> Mapping[str, Any]:
    tenant = version.tenant
    connectors: dict[str, Any] = {
        name: {
            "in_service": True,
            "accounts": len(source.accounts),
            "last_handshake": iso(observer.handshakes.get((tenant.id, name))),
        }
        for name, source in tenant.connectors.items()
    }
    connectors |= {name: {"in_service": False} for name in version.out_of_service}
    sequence, head = observer.heads.get(tenant.id, (None, None))
    return {
        "in_service": True,
        "policy": tenant.policy_digest,
        "connectors": connectors,
        "decisions": {"sequence": sequence, "head": head},
    }


def versions() -> Mapping[str, str]:
    """Of what runs here."""
    return {"sluicegate": version(), "python": platform.python_version()}


def iso(instant: Instant | None) -> str | None:
    """An instant for people and programs."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant / 1_000_000, UTC).isoformat(timespec="seconds")
