"""Token buckets in the database: whatever number of replicas take from one, its rate holds.

A bucket of ``n`` messages a window saves up ``b`` tokens and gains ``n - b + 1`` a window: so no window, wherever it begins,
sees more than ``n``. With a tenth of ``n`` saved up, who comes by every tenth of a window misses little.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, update

from policies.message import Instant
from policies.sms.traffic import Rate
from worker.store.statements import delete_some, insert_missing, select_in
from worker.store.tables import BucketRow, Table

buckets = Table.metadata.tables[str(BucketRow.__tablename__)]

TOKEN: Final = 1_000_000
"""A token in the unit that is stored. What is less than that unit is never granted."""
_BEHIND: Final = 60 * 1_000_000
"""Two transactions may come in another order than their clocks were read in; more than that is another clock."""

_SET: Final = (
    update(buckets)
    .where(buckets.c.tenant == bindparam("of"), buckets.c.name == bindparam("at"))
    .values(tokens=bindparam("left"), filled_at=bindparam("now"))
)


def hold(tx: Connection, tenant: str, names: Collection[bytes]) -> None:
    """Lock these buckets until the transaction ends. Who takes from several holds them all first, or may wait in a ring."""
    ordered = sorted(set(names))
    missing = [{"tenant": tenant, "name": name, "tokens": 0, "filled_at": 0} for name in ordered]
    insert_missing(tx, buckets, missing)
    for _ in select_in(tx, buckets.c.name, tenant, ordered, lock=True):
        pass


def take(tx: Connection, tenant: str, name: bytes, rate: Rate, now: Instant, n: int = 1) -> Instant | None:
    """Take ``n`` tokens: None when granted, else the instant at which they may be asked for again.

    What is granted is paid afterwards: ``n`` at once cost the time of ``n``. ``now`` is the database's clock: where it
    stands a little behind, nothing is gained; where it was set back, the bucket begins empty. The bucket stays locked until
    the transaction ends, and one that rolls back has taken nothing.
    """
    hold(tx, tenant, [name])
    row = next(select_in(tx, buckets.c.name, tenant, [name]))
    tokens, filled_at = row.tokens, row.filled_at
    if filled_at - now > _BEHIND:
        tokens, filled_at = min(tokens, 0), now
        _set(tx, tenant, name, tokens, filled_at)
    gained = max(now - filled_at, 0) * _gain(rate) // rate.seconds
    left = min(tokens + gained, _saved(rate) * TOKEN)
    if left < TOKEN:
        return int(filled_at + _time_for(TOKEN - tokens, rate))
    _set(tx, tenant, name, left - n * TOKEN, max(now, filled_at))
    return None


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Forget at most so many from which nobody took since that instant; how many."""
    return delete_some(tx, buckets, (buckets.c.tenant == tenant, buckets.c.filled_at < before), limit)


def _set(tx: Connection, tenant: str, name: bytes, tokens: int, filled_at: Instant) -> None:
    tx.execute(_SET, {"of": tenant, "at": name, "left": tokens, "now": filled_at})


def _saved(rate: Rate) -> int:
    """How many tokens a bucket holds at most."""
    return 1 + rate.messages // 10


def _gain(rate: Rate) -> int:
    """How many tokens it gains in a window."""
    return rate.messages - _saved(rate) + 1


def _time_for(tokens: int, rate: Rate) -> int:
    """How many microseconds so much takes, rounded up."""
    return -(-tokens * rate.seconds // _gain(rate))
