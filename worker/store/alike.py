"""Who sent near-duplicates to whom: texts share a fingerprint's band (policies/sms/fingerprint.py). Keyed hashes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.store.statements import add_up, delete_some, select_each
from worker.store.tables import AlikeRow, Table

alike = Table.metadata.tables[str(AlikeRow.__tablename__)]


class Role(StrEnum):
    """What somebody had to do with a text."""

    RECIPIENT = "recipient"
    SENDER = "sender"


class Seen(Private, frozen=True, kw_only=True):
    """One text: its bands, between whom, and its cluster (all keyed hashes or ids)."""

    bands: tuple[bytes, ...]
    sender: bytes
    recipient: bytes
    cluster: bytes


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How far near-duplicates of a text went before it: to how many recipients, from how many senders, to its own recipient.

    ``cluster``: the one that the text belongs to.
    """

    recipients: int
    senders: int
    same_recipient: int
    cluster: bytes


class _Known(msgspec.Struct, kw_only=True):
    """What is known of one band."""

    recipients: set[bytes]
    senders: set[bytes]
    to: Counter[bytes]
    cluster: bytes | None


_OF_BAND: Final = f'FROM "{alike.name}" WHERE "tenant" = :of AND "band" = :k0 AND "role" = :role'
_WHO: Final = f'SELECT "who" {_OF_BAND} AND "seen_at" >= :since LIMIT :most'
_TO_ONE: Final = f'SELECT "count" {_OF_BAND} AND "who" = :k1 AND "seen_at" >= :since'
_CLUSTER: Final = f'SELECT "cluster" {_OF_BAND} ORDER BY "cluster" LIMIT 1'


def note(tx: Connection, tenant: str, texts: Sequence[Seen], now: Instant) -> None:
    """Remember that these texts were handed in. A band stays in the cluster in which somebody was seen with it first."""
    counts: Counter[tuple[bytes, str, bytes]] = Counter()
    clusters: dict[tuple[bytes, str, bytes], bytes] = {}
    for text in texts:
        for band in set(text.bands):
            for role, who in ((Role.RECIPIENT, text.recipient), (Role.SENDER, text.sender)):
                counts[band, role.value, who] += 1
                clusters.setdefault((band, role.value, who), text.cluster)
    rows = [(tenant, *key, clusters[key], count, now) for key, count in sorted(counts.items())]
    add_up(tx, alike, rows, latest=("seen_at",))


def spread(tx: Connection, tenant: str, texts: Sequence[Seen], since: Instant, most: int) -> list[Spread]:
    """How far the near-duplicates of each text went since then, those before it in the list included.

    A text's ``cluster`` is the one that it founds if it is the first of its kind. Nobody is looked up beyond ``most`` of a
    band: who only asks whether there are so many need not count all.
    """
    known = _known(tx, tenant, texts, since, most)
    return [_count(text, [known[band] for band in dict.fromkeys(text.bands)]) for text in texts]


def _count(text: Seen, bands: Sequence[_Known]) -> Spread:
    clusters = [band.cluster for band in bands if band.cluster is not None]
    found = Spread(
        recipients=len(set().union(*(band.recipients for band in bands))),
        senders=len(set().union(*(band.senders for band in bands))),
        same_recipient=max((band.to[text.recipient] for band in bands), default=0),
        cluster=min(clusters, default=text.cluster),
    )
    for band in bands:
        band.recipients.add(text.recipient)
        band.senders.add(text.sender)
        band.to[text.recipient] += 1
        band.cluster = band.cluster or found.cluster
    return found


def _known(
    tx: Connection, tenant: str, texts: Sequence[Seen], since: Instant, most: int
) -> dict[bytes, _Known]:
    bands = sorted({band for text in texts for band in text.bands})
    known = {band: _Known(recipients=set(), senders=set(), to=Counter(), cluster=None) for band in bands}
    keys = [(band,) for band in bands]
    pairs = sorted({(band, text.recipient) for text in texts for band in text.bands})
    values = {"of": tenant, "since": since, "most": most}
    recipients, senders = (values | {"role": role.value} for role in Role)
    for number, who in select_each(tx, _WHO, keys, recipients):
        known[bands[number]].recipients.add(who)
    for number, who in select_each(tx, _WHO, keys, senders):
        known[bands[number]].senders.add(who)
    for number, count in select_each(tx, _TO_ONE, pairs, recipients):
        band, recipient = pairs[number]
        known[band].to[recipient] = count
    for number, cluster in select_each(tx, _CLUSTER, keys, senders):
        known[bands[number]].cluster = cluster
    return known


def purge(tx: Connection, tenant: str, before: Instant, limit: int) -> int:
    """Forget at most so many that were last seen before that instant; how many."""
    return delete_some(tx, alike, (alike.c.tenant == tenant, alike.c.seen_at < before), limit)
