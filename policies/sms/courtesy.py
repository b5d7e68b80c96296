"""Short answers of a conversation, of which it says nothing that many are alike."""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.sms.purpose import Purpose

LONGEST: Final = 32
"""Characters. What is longer can be a campaign's text."""


def is_courtesy(message: Message, purpose: Purpose) -> bool:
    """Whether everybody says it to everybody: ``Thanks!``, ``On my way``. What it leads to is the screening's matter."""
    return purpose is Purpose.CONVERSATIONAL and len(message.content.text or "") <= LONGEST
