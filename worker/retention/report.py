"""The signed report of an offboarding: what was destroyed, what is kept and until when; without personal data.

X asks for proof within 10 business days (SM-10).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import CLAUSES, Duty
from policies.message import Instant
from policies.retention import Retention, business_days_later
from worker.audit.receipts import signed
from worker.chain import merkle_root
from worker.crypto import sync_directory
from worker.errors import ConfigurationError
from worker.retention.means import Means
from worker.retention.overview import Kept, overview
from worker.store import decisions, retention
from worker.store.retention import Offboarding
from worker.transcripts import iso

FORMAT: Final = "sluicegate offboarding report 1"
PROOF_DAYS: Final = 10
"""Business days within which X may ask for proof (SM-10)."""


def make_report(
    tx: Connection, means: Means, tenant: str, policy: Retention, known: Offboarding, kind: str
) -> bytes:
    """The report as it is now."""
    kept = overview(tx, tenant, policy, known)
    sequence, head = decisions.end_of(tx, tenant)
    told: dict[str, Any] = {
        "format": FORMAT,
        "tenant": tenant,
        "at": iso(means.clock()),
        "agreement_ended_at": iso(known.ends_at),
        "clauses": sorted({*CLAUSES[Duty.PLATFORM_DELETION], *CLAUSES[Duty.RETENTION_FLOOR]}),
        "proof_due": proof_due(known.ends_at),
        "purged_at": iso(known.purged_at or 0),
        "destroyed": _destroyed(retention.receipts_of(tx, tenant, kind)),
        "restricted_by_legal_hold": kept.restricted,
        "kept": [_told(one) for one in kept.contents],
        "records": kept.records,
        "records_kept_until": iso(known.kept_until),
        "decision_chain": {"sequence": sequence, "head": head.hex()},
    }
    return signed(told, means.signing)


def proof_due(ended_at: Instant) -> str:
    """The day on which proof is due at the latest, counted from the first day without an agreement."""
    day = datetime.fromtimestamp(ended_at / 1_000_000, UTC).date()
    return business_days_later(day, PROOF_DAYS).isoformat()


def write_report(path: Path, text: bytes) -> None:
    """Write a file durably, whole or not at all; its owner alone may read it. Raises ConfigurationError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_directory(path.parent)
    except OSError:
        raise ConfigurationError(f"{path} cannot be written by this user") from None


def _destroyed(receipts: Iterable[bytes]) -> dict[str, Any]:
    """The sums of the receipts, and what names them all."""
    sums = {"messages": 0, "conversations": 0, "keys_destroyed": 0}
    ids: list[bytes] = []
    for receipt in receipts:
        told = msgspec.json.decode(receipt)
        ids.append(bytes.fromhex(told["id"]))
        for name in sums:
            sums[name] += told[name]["count"]
    return {**sums, "receipts": {"count": len(ids), "root": merkle_root(sorted(ids)).hex()}}


def _told(one: Kept) -> dict[str, Any]:
    goes_at = one.oldest_goes_at
    return {
        "channel": one.channel,
        "content": one.content,
        "count": one.count,
        "ceiling": one.ceiling,
        "oldest_goes_at": None if goes_at is None else iso(goes_at),
    }
