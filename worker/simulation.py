"""Another version of a tenant's policy, over what is stored: what would have been decided otherwise. Nothing is changed.

Rules only ever see what was kept: what the policy in force had removed cannot come back, so a milder one shows less of a
difference than it would make from now on. Texts on their way out are judged by what they say and who sends them, without
the counts and hours of their time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.gate import Rule, decide
from policies.message import Channel, Direction, Instant, Message
from policies.rules import BEFORE_SEND, BEFORE_TRANSCRIPT, NEVER_RECORD
from policies.sms.facts import SendFacts
from policies.sms.purpose import Purpose
from policies.tenant import Facts
from policies.verdict import Outcome
from worker.keyring import Keyring
from worker.stored import stored_messages
from worker.tenants.loading import Tenant

_ABOUT_THE_TEXT: Final = tuple(
    rule for rule in BEFORE_SEND if rule.name in {"authorised_sender", "reachable_recipient", "screening"}
)
_SEVERITY: Final = (Outcome.ALLOWED, Outcome.AMENDED, Outcome.DELAYED, Outcome.QUARANTINED, Outcome.DROPPED)


class Judgement(msgspec.Struct, frozen=True, order=True):
    """What would be done with a message, and why: words alone."""

    outcome: str
    reasons: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, order=True):
    """So many messages of a channel, direction and kind would be judged otherwise."""

    channel: str
    direction: str
    kind: str
    before: Judgement
    after: Judgement


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages were judged, and what would change, the most frequent first.

    ``withheld``: how many were not looked at, because they speak of what nobody consented to have used (PP-4).
    """

    messages: int
    changes: tuple[tuple[Change, int], ...]
    withheld: int = 0

    @property
    def changed(self) -> int:
        """How many would be judged otherwise."""
        return sum(count for _, count in self.changes)


def simulate(tx: Connection, keyring: Keyring, before: Tenant, after: Tenant, now: Instant) -> Simulation:
    """Judge every stored message under both versions."""
    counts: Counter[Change] = Counter()
    total = withheld = 0
    for stored in stored_messages(tx, keyring, before.id):
        if stored.withheld:
            withheld += 1
            continue
        total += 1
        one, other = judge(stored.message, before, now), judge(stored.message, after, now)
        if one != other:
            message = stored.message
            place = (message.channel.value, message.direction.value, message.kind.value)
            counts[Change(*place, one, other)] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Simulation(messages=total, changes=tuple(ranked), withheld=withheld)


def judge(message: Message, tenant: Tenant, now: Instant) -> Judgement:
    """What the gates would do with a message under a tenant's policy."""
    outcome, reasons = Outcome.ALLOWED, []
    for rules, facts in _gates(message, tenant, now):
        decision = decide(message, facts, rules, _shadow(tenant))
        outcome = max(outcome, decision.outcome, key=_SEVERITY.index)
        reasons += [reason.code.value for reason in decision.reasons if not reason.shadow]
        if decision.message is None:
            break
        message = decision.message
    return Judgement(outcome.value, tuple(dict.fromkeys(reasons)))


def differences(before: Tenant, after: Tenant) -> list[tuple[str, Any, Any]]:
    """The settings that differ: name, value before, value after. They are the tenant's own configuration."""
    one, other = _effective(before), _effective(after)
    return [
        (name, one.get(name), other.get(name))
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def _gates(message: Message, tenant: Tenant, now: Instant) -> Iterator[tuple[tuple[Rule, ...], Facts]]:
    facts = Facts(now=now, policy=tenant.policy)
    yield NEVER_RECORD, facts
    yield BEFORE_TRANSCRIPT, facts
    if message.channel is Channel.SMS and message.direction is Direction.OUTBOUND and tenant.sms is not None:
        send = SendFacts(sms=tenant.sms, purpose=_purpose(message), reviewed=False)
        yield _ABOUT_THE_TEXT, msgspec.structs.replace(facts, send=send)


def _purpose(message: Message) -> Purpose:
    told = message.content.details.get("submission")
    word = told.get("purpose") if isinstance(told, dict) else None
    return Purpose(word) if word in set(Purpose) else Purpose.TRANSACTIONAL


def _shadow(tenant: Tenant) -> frozenset[str]:
    return frozenset(tenant.sms.policy.shadow if tenant.sms is not None else ())


def _effective(tenant: Tenant) -> dict[str, Any]:
    told = {f"policy.{name}": value for name, value in msgspec.to_builtins(tenant.policy).items()}
    if tenant.sms is not None:
        told |= {f"sms.{name}": value for name, value in msgspec.to_builtins(tenant.sms.policy).items()}
    return told
