"""Who sent near-duplicates to whom: texts share a fingerprint's band (policies/sms/fingerprint.py). Keyed hashes alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from policies.message import Instant
from worker.store.statements import Insert, delete_some, insert
from worker.store.tables import AlikeRow, Table

alike = Table.metadata.tables[str(AlikeRow.__tablename__)]


class Role(StrEnum):
    """What somebody had to do with a text."""

    RECIPIENT = "recipient"
    SENDER = "sender"


class Seen(NamedTuple):
    """One text: its bands, between whom, and the cluster that it belongs to (keyed hashes; ``cluster_of`` or a new id)."""

    bands: tuple[bytes, ...]
    sender: bytes
    recipient: bytes
    cluster: bytes


class Spread(NamedTuple):
    """How far near-duplicates went: different recipients and senders, and how many went to one recipient."""

    recipients: int
    senders: int
    same_recipient: int


_OF_BAND: Final = (
    alike.c.tenant == bindparam("of"),
    alike.c.band == bindparam("band"),
    alike.c.role == bindparam("role"),
    alike.c.seen_at >= bindparam("since"),
)
_WHO: Final = select(alike.c.who).where(*_OF_BAND).limit(bindparam("most"))
_TO_ONE: Final = select(alike.c.count).where(*_OF_BAND, alike.c.who == bindparam("who"))
_CLUSTER: Final = select(func.min(alike.c.cluster)).where(
    alike.c.tenant == bindparam("of"), alike.c.band == bindparam("band"), alike.c.role == Role.SENDER.value
)


def note(tx: Connection, tenant: str, texts: Sequence[Seen], now: Instant) -> None:
    """Remember that these texts were handed in."""
    seen = sorted(
        (band, role.value, who, text.cluster)
        for text in texts
        for band in text.bands
        for role, who in ((Role.RECIPIENT, text.recipient), (Role.SENDER, text.sender))
    )
    rows = [
        {
            "tenant": tenant,
            "band": band,
            "role": role,
            "who": who,
            "cluster": cluster,
            "count": 1,
            "seen_at": now,
        }
        for band, role, who, cluster in seen
    ]
    if rows:
        tx.execute(_note(tx.dialect.name), rows)


@cache
def _note(dialect: str) -> Insert:
    statement = insert(dialect, alike)
    seen_at = func.max if dialect == "sqlite" else func.greatest
    return statement.on_conflict_do_update(
        index_elements=list(alike.primary_key.columns),
        set_={
            "count": alike.c.count + statement.excluded["count"],
            "seen_at": seen_at(alike.c.seen_at, statement.excluded.seen_at),
        },
    )


def spread(
    tx: Connection, tenant: str, bands: Collection[bytes], recipient: bytes, since: Instant, most: int
) -> Spread:
    """How far texts with one of these bands went since then. Nobody is counted beyond ``most`` of a band."""
    asked = [{"of": tenant, "band": band, "since": since, "most": most} for band in bands]
    recipients, senders = (
        {who for one in asked for who in tx.execute(_WHO, one | {"role": role.value}).scalars()}
        for role in (Role.RECIPIENT, Role.SENDER)
    )
    to_one = {"role": Role.RECIPIENT.value, "who": recipient}
    same = max((tx.execute(_TO_ONE, one | to_one).scalar() or 0 for one in asked), default=0)
    return Spread(len(recipients), len(senders), same)


def cluster_of(tx: Connection, tenant: str, bands: Collection[bytes]) -> bytes | None:
    """The cluster that a text with these bands belongs to: the first one of those that share a band, None for none."""
    found = (tx.execute(_CLUSTER, {"of": tenant, "band": band}).scalar() for band in bands)
    return min((cluster for cluster in found if cluster is not None), default=None)


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Forget at most so many that were last seen before that instant; how many."""
    return delete_some(tx, alike, (alike.c.tenant == tenant, alike.c.seen_at < before), limit)
