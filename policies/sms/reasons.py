"""Why a text is refused, delayed or looked at, before what it says is judged: each code with its clauses and a sentence.

VT-1.5: no spam and no nuisance, which a text after an opt-out or at night is. VT-6 and VT-8: no falsified sender, only
numbers that are owned or authorised. VT-7: no guarantee for what one network takes above a tenth of the committed rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.verdict import Reason, ReasonCode

_ORIGIN: Final = ("VT-6", "VT-8")
_CONDUCT: Final = ("VT-1.3", "VT-1.5")

CLAUSES: Final[dict[ReasonCode, tuple[str, ...]]] = {
    ReasonCode.SENDER_UNKNOWN: _ORIGIN,
    ReasonCode.SENDER_MALFORMED: _ORIGIN,
    ReasonCode.SENDER_NOT_VALID: _ORIGIN,
    ReasonCode.SENDER_INBOUND_ONLY: ("VT-8",),
    ReasonCode.SENDER_COUNTRY: _ORIGIN,
    ReasonCode.SENDER_KIND: ("VT-8",),
    ReasonCode.SENDER_UNREGISTERED: _ORIGIN,
    ReasonCode.SENDER_GENERIC: ("VT-6", "VT-1.3"),
    ReasonCode.SENDER_PROTECTED: ("VT-6", "VT-1.3"),
    ReasonCode.SENDER_LOOKALIKE: ("VT-6", "VT-1.3"),
    ReasonCode.RECIPIENT_MALFORMED: ("VT-1.1",),
    ReasonCode.RECIPIENT_INVALID: ("VT-1.1",),
    ReasonCode.RECIPIENT_PREMIUM: ("VT-1.1", "VT-1.3"),
    ReasonCode.RECIPIENT_EMERGENCY: ("VT-1.1", "VT-1.5"),
    ReasonCode.OPTED_OUT: _CONDUCT,
    ReasonCode.OPT_OUT_UNCLEAR: _CONDUCT,
    ReasonCode.QUIET_HOURS: _CONDUCT,
    ReasonCode.ZONE_UNKNOWN: _CONDUCT,
    ReasonCode.SEND_AFTER: ("VT-1",),
    ReasonCode.SEND_EXPIRED: ("VT-1",),
    ReasonCode.NETWORK_SHARE: ("VT-7",),
}

WORDS: Final[dict[ReasonCode, str]] = {
    ReasonCode.SENDER_UNKNOWN: "The tenant has no such sender in its register: refused.",
    ReasonCode.SENDER_MALFORMED: "No number in E.164, no short code and no name of at most eleven characters: refused.",
    ReasonCode.SENDER_NOT_VALID: "The sender's authorisation has not begun or has ended: refused.",
    ReasonCode.SENDER_INBOUND_ONLY: "The number was bought for inbound traffic only: refused.",
    ReasonCode.SENDER_COUNTRY: "The sender is not authorised for the recipient's country: refused.",
    ReasonCode.SENDER_KIND: "The recipient's country takes no sender of this kind: refused.",
    ReasonCode.SENDER_UNREGISTERED: "The recipient's country wants a registration that the sender has not: refused.",
    ReasonCode.SENDER_GENERIC: "The sender's name is a word that anybody could use (Alert, Info, Verify): refused.",
    ReasonCode.SENDER_PROTECTED: "The sender's name is a public body's and not registered for this tenant: refused.",
    ReasonCode.SENDER_LOOKALIKE: "The sender's name passes for another's, or for one of the tenant's own: refused.",
    ReasonCode.RECIPIENT_MALFORMED: "The recipient is no number in E.164: refused.",
    ReasonCode.RECIPIENT_INVALID: "The recipient's numbering plan has no such number: refused.",
    ReasonCode.RECIPIENT_PREMIUM: "The recipient is a premium-rate or shared-cost number: refused.",
    ReasonCode.RECIPIENT_EMERGENCY: "The recipient is an emergency number: refused.",
    ReasonCode.OPTED_OUT: "The recipient asked for no more texts: refused.",
    ReasonCode.OPT_OUT_UNCLEAR: "An inbound text may be an opt-out: a person reads it.",
    ReasonCode.QUIET_HOURS: "Marketing outside the hours of every time zone that the recipient may be in: delayed.",
    ReasonCode.ZONE_UNKNOWN: "No common hour, or no known time zone, for marketing: a person stores a zone.",
    ReasonCode.SEND_AFTER: "The submitter asked for a later time: delayed.",
    ReasonCode.SEND_EXPIRED: "It could go only after its do-not-send-after: expired.",
    ReasonCode.NETWORK_SHARE: "One network takes a tenth of the committed rate or more: flagged, not stopped.",
}
"""A sentence for each, for documents and listings."""


def reasons(codes: Iterable[ReasonCode], rule: str) -> tuple[Reason, ...]:
    """The codes with the clauses that they serve, as a decision record has them."""
    return tuple(Reason(code=code, rule=rule, clauses=CLAUSES[code]) for code in codes)
