"""The first gate, before anything is written or logged: NEVER_RECORD on every event that comes in."""

from __future__ import annotations

from typing import Final

import msgspec

from policies.event import Event, MessageEdited, MessageReceived, Noted, Unrecognised
from policies.gate import decide
from policies.message import Content, Message
from policies.rules import NEVER_RECORD, facebook_cdn
from policies.tenant import Facts
from policies.verdict import Outcome
from worker.inbound import Governed

RULE_FAILED: Final = "rule_failed"


def govern(event: Event, facts: Facts) -> Governed:
    """Run NEVER_RECORD on an event. An event whose rules fail is reduced to a shape: fail closed."""
    if not isinstance(event, (MessageReceived, MessageEdited)):
        return _without_message(event)
    decision = decide(event.message, facts, NEVER_RECORD)
    if decision.outcome is Outcome.ALLOWED:
        return Governed(event)
    if decision.outcome is Outcome.DROPPED:
        # Only the fact travels on: what may not be kept is not handed to anybody who could keep it.
        return Governed(
            _with(event, msgspec.structs.replace(event.message, content=Content())),
            decision.reasons,
            dropped=True,
        )
    if decision.outcome is Outcome.QUARANTINED or decision.message is None:
        shape = f"message:{event.message.kind}"
        return Governed(Unrecognised(account=event.account, shape=shape, why=RULE_FAILED), decision.reasons)
    return Governed(_with(event, decision.message), decision.reasons)


def _without_message(event: Event) -> Governed:
    """Receipts, consents and the like hold identifiers alone; one that is a CDN URL is no identifier (SM-6)."""
    if isinstance(event, (Noted, Unrecognised)) or not _holds_cdn_url(event):
        return Governed(event)
    return Governed(Unrecognised(account=event.account, shape="identifier", why=RULE_FAILED))


def _holds_cdn_url(event: Event) -> bool:
    try:
        return facebook_cdn.stands_in(event)
    except Exception:  # noqa: BLE001 - what cannot be judged is not kept
        return True


def _with(event: MessageReceived | MessageEdited, message: Message) -> MessageReceived | MessageEdited:
    return msgspec.structs.replace(event, message=message)
