"""Of persons who are known to be under 13, or say that they are, nothing is recorded.

PP-8: no personal data of persons known to be under 13. PP-3: the customer limits what is collected, so that the same holds
for persons whom it names. Which of the two it is stands in no record: the reason is the same. Years that have passed since
somebody said their age count.
"""

from __future__ import annotations

from typing import Final

from policies.age.declared import ADULT, declared_age
from policies.message import Direction, Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict

YEAR: Final = 366 * 24 * 3600 * 1_000_000
"""Microseconds; rather too long, so that nobody is thirteen too soon."""

_DROP: Final = Drop(code=ReasonCode.NOT_RECORDED)


def check(message: Message, facts: Facts) -> Verdict:
    """Drop what is exchanged with them, and what tells that it is one."""
    return _DROP if facts.excluded or declares(message, facts) else ALLOW


def declares(message: Message, facts: Facts) -> bool:
    """Whether the person says in it that they are under 13, and must be still."""
    if message.direction is not Direction.INBOUND or not message.content.text:
        return False
    age = declared_age(message.content.text)
    return age is not None and age + max(0, facts.now - message.occurred_at) // YEAR < ADULT
