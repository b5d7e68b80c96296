"""No number by which a state knows a person is kept: a token says what stood there.

PP-3: government identification numbers are not recorded. Told by shape, check digit, written form and the words beside
it, in whatever is said in a message and in both directions; the kinds are listed in ``policies/identifiers/registry.py``.
"""

from __future__ import annotations

from policies.identifiers.fields import said
from policies.identifiers.kind import Family
from policies.identifiers.redact import redacted
from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended


def check(message: Message, _facts: Facts) -> Verdict:
    """Put a token in the place of every such number."""
    content = said(message.content, _redacted)
    return (
        ALLOW if content is message.content else amended(message.content, content, ReasonCode.GOVERNMENT_ID)
    )


def _redacted(text: str, label: str) -> str:
    return redacted(text, Family.GOVERNMENT, label)
