"""What the tables of the kinds ask."""

from __future__ import annotations

from policies.identifiers.kind import Family
from policies.identifiers.redact import redacted


def kept(text: str) -> str:
    """What is kept of a text."""
    return redacted(redacted(text, Family.GOVERNMENT), Family.PAYMENT)
