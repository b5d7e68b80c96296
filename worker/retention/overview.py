"""What is kept of a tenant, and until when."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from policies.message import Instant
from policies.retention import FOREVER, Retention, class_of
from worker.retention.means import channel_of
from worker.store import holds, retention
from worker.store.partitions import time_of
from worker.store.retention import Offboarding, Stock


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a channel and class: how many, since when the oldest is here, when it goes (None: never by its age)."""

    channel: str
    content: str
    count: int
    floor: str | None
    ceiling: str | None
    oldest_at: Instant
    oldest_goes_at: Instant | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant has here. ``attended``: whether anybody said how long it is kept; else nothing ever goes."""

    tenant: str
    attended: bool
    step: str
    ended_at: Instant | None
    kept_until: Instant | None
    contents: tuple[Kept, ...]
    records: dict[str, int]
    restricted: int
    has_holds: bool


def overview(
    tx: Connection, tenant: str, policy: Retention | None, offboarding: Offboarding | None
) -> Overview:
    """Everything about one tenant. ``policy`` None: no file says anything."""
    known = policy or Retention()
    agreement = known.agreement
    return Overview(
        tenant=tenant,
        attended=policy is not None,
        step=offboarding.step if offboarding is not None else "",
        ended_at=agreement.ended_at if agreement else None,
        kept_until=agreement.kept_until if agreement else None,
        contents=tuple(_kept(known, retention.stock(tx, tenant))),
        records=retention.count_records(tx, tenant),
        restricted=holds.count_restricted(tx, tenant),
        has_holds=retention.has_holds(tx, tenant),
    )


def _kept(policy: Retention, stocks: Iterable[Stock]) -> Iterable[Kept]:
    classes: dict[tuple[str, str], list[Stock]] = {}
    for stock in stocks:
        classes.setdefault((channel_of(stock.connector), class_of(stock.kind)), []).append(stock)
    for (channel, _), some in sorted(classes.items()):
        class_ = class_of(some[0].kind)
        limits = policy.limits_of(channel, class_)
        oldest = time_of(min(stock.oldest for stock in some))
        goes_at = policy.goes_at(channel, class_, oldest)
        yield Kept(
            channel=channel,
            content=class_.value,
            count=sum(stock.count for stock in some),
            floor=str(limits.floor) if limits.floor else None,
            ceiling=str(limits.ceiling) if limits.ceiling else None,
            oldest_at=oldest,
            oldest_goes_at=None if goes_at >= FOREVER else goes_at,
        )
