"""The first gate, before anything is written or logged: NEVER_RECORD on every event that comes in."""

from __future__ import annotations

from typing import Final

import msgspec

from policies.event import Event, MessageEdited, MessageReceived, Noted, Unrecognised
from policies.gate import decide
from policies.message import Content, Message
from policies.rules import NEVER_RECORD, facebook_cdn
from policies.tenant import Facts
from policies.verdict import Outcome, Reason, ReasonCode
from worker.inbound import Governed

RULE_FAILED: Final = "rule_failed"
"""Why of a shape: a rule raised, and what it could not judge is not kept."""

FORBIDDEN_IDENTIFIER: Final = "forbidden_identifier"
"""Why of a shape: an id, and not something that was said, is what may not be recorded."""

_CDN_RULE: Final = next(rule for rule in NEVER_RECORD if rule.check is facebook_cdn.check)
_CDN_REASON: Final = Reason(code=ReasonCode.FACEBOOK_CDN, rule=_CDN_RULE.name, clauses=_CDN_RULE.clauses)


def govern(event: Event, facts: Facts) -> Governed:
    """Run NEVER_RECORD on an event. An event whose rules fail is reduced to a shape: fail closed."""
    if not isinstance(event, (MessageReceived, MessageEdited)):
        return _without_message(event)
    decision = decide(event.message, facts, NEVER_RECORD)
    if decision.outcome is Outcome.ALLOWED:
        return Governed(event, decision.reasons)
    if decision.outcome is Outcome.DROPPED:
        # Only the fact travels on: what may not be kept is not handed to anybody who could keep it.
        return Governed(
            _with(event, msgspec.structs.replace(event.message, content=Content())),
            decision.reasons,
            dropped=True,
        )
    if decision.outcome is Outcome.QUARANTINED or decision.message is None:
        failed = any(reason.code is ReasonCode.POLICY_ERROR for reason in decision.reasons)
        why = RULE_FAILED if failed else FORBIDDEN_IDENTIFIER
        shape = f"message:{event.message.kind}"
        return Governed(Unrecognised(account=event.account, shape=shape, why=why), decision.reasons)
    return Governed(_with(event, decision.message), decision.reasons)


def _without_message(event: Event) -> Governed:
    """Receipts, consents and the like hold identifiers alone; one that is a CDN URL is no identifier (SM-6)."""
    if isinstance(event, (Noted, Unrecognised)) or not _holds_cdn_url(event):
        return Governed(event)
    shape = Unrecognised(account=event.account, shape="identifier", why=FORBIDDEN_IDENTIFIER)
    return Governed(shape, (_CDN_REASON,))


def _holds_cdn_url(event: Event) -> bool:
    try:
        return facebook_cdn.stands_in(event)
    except Exception:  # noqa: BLE001 - what cannot be judged is not kept
        return True


def _with(event: MessageReceived | MessageEdited, message: Message) -> MessageReceived | MessageEdited:
    return msgspec.structs.replace(event, message=message)
