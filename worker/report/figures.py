"""The figures of one tenant's month: counts by word, small ones suppressed (PP-2), nothing about anybody (PP-9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, func, select

from policies.event import Consent
from policies.message import Instant
from policies.reasons import CLAUSES
from policies.rules import GATES, RULE_PACK
from policies.terms import TERMS, TERMS_DIGEST
from policies.verdict import ReasonCode
from worker.inbound import Disposition
from worker.settle import FURTHER, UNSEND_DELAY
from worker.store import decisions
from worker.store.accounts import account_states, counters
from worker.store.seals import receipts, seals
from worker.store.suppressions import suppressions
from worker.store.tables import HoldRow, ProductionRow, RightsRequestRow
from worker.store.tables import Table as StoreTable
from worker.tenants.loading import Tenant
from worker.transcripts import iso

SMALLEST: Final = 5
"""Counts below it could lead to somebody: they are not told."""

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Told = int | None
"""A count, None where it is too small to be told."""


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar month in UTC."""

    year: int
    number: int

    @property
    def name(self) -> str:
        """``2026-11``."""
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        after = (self.year + 1, 1) if self.number == 12 else (self.year, self.number + 1)
        return datetime(*after, 1, tzinfo=UTC)

    @property
    def days(self) -> tuple[int, int]:
        """Its first day and the first after it, since the epoch."""
        return (self.begins - _EPOCH) // _DAY, (self.ends - _EPOCH) // _DAY

    @property
    def instants(self) -> tuple[Instant, Instant]:
        """The same in microseconds."""
        return (self.begins - _EPOCH) // _MICROSECOND, (self.ends - _EPOCH) // _MICROSECOND


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A month's figures; every mapping is from words to counts."""

    tenant: str
    month: str
    made_at: str | None
    policy: str
    rule_pack: str
    terms: str
    terms_digest: str
    chain: int
    sealed: int
    volumes: Mapping[str, Told]
    dispositions: Mapping[str, Told]
    clauses: Mapping[str, Told]
    reasons: Mapping[str, Told]
    unsend_delays: Mapping[str, Told]
    rights: Mapping[str, Told]
    rights_late: Told
    holds: Mapping[str, Told]
    productions: Mapping[str, Told]
    opt_outs: Told
    receipts: Mapping[str, Told]
    accounts: Mapping[str, Told]


def figures(tx: Connection, tenant: Tenant, month: Month, now: Instant) -> Figures:
    """What the store knows of the month."""
    rows = _counted(tx, tenant.id, month)
    by_reason = _sum((row.reason, row.count) for row in rows if row.reason and row.event != UNSEND_DELAY)
    events = [row for row in rows if row.event not in {UNSEND_DELAY, FURTHER}]
    begin, end = month.instants
    return Figures(
        tenant=tenant.id,
        month=month.name,
        made_at=iso(now),
        policy=tenant.policy_digest,
        rule_pack=RULE_PACK,
        terms=TERMS.revision,
        terms_digest=TERMS_DIGEST,
        chain=decisions.end_of(tx, tenant.id)[0],
        sealed=tx.execute(select(func.max(seals.c.sequence)).where(seals.c.tenant == tenant.id)).scalar()
        or 0,
        volumes=suppressed(_sum((row.connector, row.count) for row in events)),
        dispositions=suppressed(_sum((row.disposition, row.count) for row in events)),
        clauses=suppressed(_by_clause(by_reason)),
        reasons=suppressed(by_reason),
        unsend_delays=suppressed(
            _sum((row.disposition, row.count) for row in rows if row.event == UNSEND_DELAY)
        ),
        rights=suppressed(_by(tx, _rights, tenant.id, ("kind", "status"), "received_at", begin, end)),
        rights_late=told(_late(tx, tenant.id, begin, end, now)),
        holds=suppressed(
            {
                "placed": _count(tx, _holds, tenant.id, "placed_at", begin, end),
                "lifted": _count(tx, _holds, tenant.id, "lifted_at", begin, end),
            }
        ),
        productions=suppressed(
            {
                "made": _count(tx, _productions, tenant.id, "made_at", begin, end),
                "destroyed": _count(tx, _productions, tenant.id, "destroyed_at", begin, end),
            }
        ),
        opt_outs=told(_withdrawn(tx, tenant.id, begin, end)),
        receipts=suppressed(_by(tx, receipts, tenant.id, ("kind",), "made_at", begin, end)),
        accounts=suppressed(
            _by(tx, account_states, tenant.id, ("aspect", "state"), "changed_at", begin, end)
        ),
    )


def told(count: int) -> Told:
    """The count, unless it is small and not nothing."""
    return count if count == 0 or count >= SMALLEST else None


def suppressed(counts: Mapping[str, int]) -> dict[str, Told]:
    """The counts that may be told, the greatest first. One that is hidden alone could be told from a total: so never one."""
    ranked = sorted(
        ((word, count) for word, count in counts.items() if count), key=lambda item: (-item[1], item[0])
    )
    shown = {word: told(count) for word, count in ranked}
    hidden = [word for word, count in shown.items() if count is None]
    if len(hidden) == 1 and len(ranked) > 1:
        # The list is in order: beside the last one, the least that could be told.
        shown[ranked[-2][0]] = None
    return shown


_rights: Final = StoreTable.metadata.tables[str(RightsRequestRow.__tablename__)]
_holds: Final = StoreTable.metadata.tables[str(HoldRow.__tablename__)]
_productions: Final = StoreTable.metadata.tables[str(ProductionRow.__tablename__)]


def _counted(tx: Connection, tenant: str, month: Month) -> list[Any]:
    first, after = month.days
    wanted = select(counters).where(
        counters.c.tenant == tenant,
        counters.c.day >= first,
        counters.c.day < after,
        counters.c.disposition != Disposition.FOREIGN,
    )
    return list(tx.execute(wanted))


def _sum(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for word, count in pairs:
        counts[word] += count
    return dict(counts)


def _by_clause(reasons: Mapping[str, int]) -> dict[str, int]:
    """A decision counts for every clause that its reason serves."""
    return _sum((clause, count) for word, count in reasons.items() for clause in _clauses(word))


def _clauses(word: str) -> tuple[str, ...]:
    if word not in set(ReasonCode):
        return ()
    code = ReasonCode(word)
    rules = [rule.clauses for table in GATES.values() for rule in table if code in rule.codes]
    return CLAUSES.get(code) or (rules[0] if rules else ())


def _count(tx: Connection, table: Table, tenant: str, column: str, begin: Instant, end: Instant) -> int:
    when = table.c[column]
    wanted = select(func.count()).where(table.c.tenant == tenant, when >= begin, when < end)
    return int(tx.execute(wanted).scalar_one())


def _by(
    tx: Connection,
    table: Table,
    tenant: str,
    columns: tuple[str, ...],
    column: str,
    begin: Instant,
    end: Instant,
) -> dict[str, int]:
    words, when = [table.c[name] for name in columns], table.c[column]
    wanted = select(*words, func.count()).where(table.c.tenant == tenant, when >= begin, when < end)
    return {" ".join(map(str, row[:-1])): int(row[-1]) for row in tx.execute(wanted.group_by(*words))}


def _late(tx: Connection, tenant: str, begin: Instant, end: Instant, now: Instant) -> int:
    """Requests of the month that were finished after their date, or are still open behind it."""
    done = func.coalesce(_rights.c.completed_at, now)
    mine = (_rights.c.tenant == tenant, _rights.c.received_at >= begin, _rights.c.received_at < end)
    return int(tx.execute(select(func.count()).where(*mine, done > _rights.c.due_at)).scalar_one())


def _withdrawn(tx: Connection, tenant: str, begin: Instant, end: Instant) -> int:
    when = suppressions.c.changed_at
    mine = (
        suppressions.c.tenant == tenant,
        suppressions.c.consent == Consent.WITHDRAWN,
        when >= begin,
        when < end,
    )
    return int(tx.execute(select(func.count()).where(*mine)).scalar_one())
