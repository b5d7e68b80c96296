"""The end of a tenant's agreement, step by step: each may be cut off anywhere, and is gone on with by whoever comes next.

announced   it is written down when the agreement ends and what is kept until when; the tenant's file may go
purged      the agreement has ended: what came from platforms is gone, and the keys of whom nothing is left
reported    a signed report says so
gone        a calendar year later (VT-5) nothing is left but the row itself, with the report
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from sqlalchemy import Connection

from policies.lifecycle import Duty
from policies.message import Instant
from policies.retention import Retention
from worker.acts import Operator, record_act
from worker.audit.receipts import Destroyed, make_receipt
from worker.errors import ConfigurationError
from worker.retention import persons, purge
from worker.retention.means import BATCH, Means
from worker.retention.persons import Forgotten
from worker.retention.purge import Judge, Swept
from worker.retention.report import make_report
from worker.store import decisions, retention, seals
from worker.store.retention import Offboarding

KIND = "offboarding"
"""The kind of a receipt, and the event of a decision record."""


class Step(StrEnum):
    """How far it is."""

    ANNOUNCED = "announced"
    PURGED = "purged"
    REPORTED = "reported"
    GONE = "gone"


def announce(means: Means, tenant: str, policy: Retention, operator: Operator) -> Offboarding:
    """Write down that the agreement ends, or find that it was. ``policy.agreement`` says when. Raises ConfigurationError."""
    agreement = policy.agreement
    if agreement is None:
        raise ConfigurationError("nobody said when the agreement ends")
    new = Offboarding(ends_at=agreement.ended_at, kept_until=agreement.kept_until, step=Step.ANNOUNCED)
    return means.transact(partial(_announce, means, tenant, new, policy, operator))


def _announce(
    means: Means, tenant: str, new: Offboarding, policy: Retention, operator: Operator, tx: Connection
) -> Offboarding:
    decisions.lock_end(tx, tenant)  # of two who announce it, the second finds it announced
    known = retention.find_offboarding(tx, tenant)
    refuse_done(tenant, known)
    if known is not None and known.ends_at != new.ends_at:
        raise ConfigurationError(
            f"{tenant} is being offboarded with another end of its agreement: give that one"
        )
    if known is None:
        now = means.clock()
        retention.begin_offboarding(tx, tenant, new, policy, now)
        record_act(
            tx, means.keyring, tenant, action="offboard", about=tenant.encode(), operator=operator, now=now
        )
    return known or new


def refuse_done(tenant: str, known: Offboarding | None) -> None:
    """Raise ConfigurationError where the report was made already."""
    if known is not None and known.step in (Step.REPORTED, Step.GONE):
        raise ConfigurationError(
            f"{tenant} was offboarded: `sluicegate retention show` tells what is kept until when"
        )


def advance(means: Means, tenant: str, known: Offboarding, policy: Retention) -> tuple[Swept, Forgotten]:
    """Take away what has to go with the agreement, now or again: whoever is still told of something may write it."""
    if means.clock() < known.ends_at:
        return Swept(), Forgotten()
    swept = purge.sweep(means, tenant, Judge(policy=policy, is_over=True), KIND)
    forgotten = persons.forget(means, tenant, partial(persons.by_end, policy), KIND)
    if known.step == Step.ANNOUNCED and _is_clear(means, tenant, policy):
        means.transact(partial(_move, tenant, Step.ANNOUNCED, step=Step.PURGED, purged_at=means.clock()))
    return swept, forgotten


def _is_clear(means: Means, tenant: str, policy: Retention) -> bool:
    """Whether nothing is left that somebody was busy with."""
    with means.store.reading() as tx:
        left = purge.count(tx, tenant, Judge(policy=policy, is_over=True), means.clock())
    return left.contents == left.restricted == 0


def report(means: Means, tenant: str, policy: Retention) -> bytes:
    """The signed report of a purge that is done. Made anew until ``reported`` is called."""
    with means.store.reading() as tx:
        known = retention.find_offboarding(tx, tenant)
        if known is None or known.purged_at is None:
            raise ConfigurationError(f"{tenant}: nothing was purged yet")
        return make_report(tx, means, tenant, policy, known, KIND)


def reported(means: Means, tenant: str, text: bytes) -> bool:
    """The report is where it was asked for. Whether nobody else had brought theirs."""
    return means.transact(partial(_move, tenant, Step.PURGED, step=Step.REPORTED, report=text))


def _move(tenant: str, before: Step, tx: Connection, **values: object) -> bool:
    return retention.move_offboarding(tx, tenant, before, **values)


def is_over(known: Offboarding, now: Instant) -> bool:
    """Whether the floor has passed, and everything before it was done."""
    return known.step in (Step.PURGED, Step.REPORTED) and now >= known.kept_until


def end(means: Means, tenant: str, known: Offboarding) -> int:
    """When the floor has passed: remove every row and every key of a tenant; how many rows. Nothing while a hold is in force.

    Whoever calls it knows that the tenant is not in service.
    """
    if not is_over(known, means.clock()):
        return 0
    with means.store.reading() as tx:
        if retention.has_holds(tx, tenant):
            return 0
    number = 0
    while some := means.transact(lambda tx: retention.remove_some(tx, tenant, BATCH)):
        number += some
    means.keyring.destroy_tenant(tenant)
    means.transact(partial(_gone, means, tenant, known, number))
    return number


def _gone(means: Means, tenant: str, known: Offboarding, number: int, tx: Connection) -> None:
    now: Instant = means.clock()
    last = Destroyed(kind=KIND, duty=Duty.RETENTION_CEILING, others=number)
    if retention.move_offboarding(tx, tenant, known.step, step=Step.GONE):
        seals.add_receipts(tx, tenant, [make_receipt(means.signing, tenant, last, now)])
