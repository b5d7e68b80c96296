"""No payment card is kept, nor the digits that prove its possession: a token says what stood there.

PP-3: the customer limits what is collected, and identification numbers are not recorded. Cards are told by their
issuer's range and check digit; the CVV by the word or the card beside it.
"""

from __future__ import annotations

from policies.identifiers.fields import said
from policies.identifiers.kind import Family
from policies.identifiers.redact import redacted
from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended


def check(message: Message, _facts: Facts) -> Verdict:
    """Put a token in the place of every card's number, and of its CVV."""
    content = said(message.content, _redacted)
    return ALLOW if content is message.content else amended(message.content, content, ReasonCode.PAYMENT_CARD)


def _redacted(text: str, label: str) -> str:
    return redacted(text, Family.PAYMENT, label)
