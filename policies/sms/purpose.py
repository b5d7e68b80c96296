"""What an outbound text is for, as its submitter declares it."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """Transactional: what the recipient asked for; marketing: what the tenant wants; conversational: an answer."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    CONVERSATIONAL = "conversational"
