"""Numbers that are split over two consecutive messages of a conversation: ``my ssn is 536-90``, ``4399``.

Read together they are one text. What is found in it that no message holds by itself is a span in each of them: the
end of a number, or a whole one that only the other message names (``your SSN, please?``).
"""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers import card
from policies.identifiers.folding import CARD_MASK, fold
from policies.identifiers.registry import REGISTRY, Registry
from policies.identifiers.scan import Found, scan
from policies.message import Private

TAIL: Final = 160
"""So many characters of the earlier message are looked at: a number, and the words that name it."""


class Split(Private, frozen=True):
    """What is to go from each of the two texts, in its own offsets."""

    before: list[Found]
    after: list[Found]


def across(before: str, after: str, registry: Registry = REGISTRY) -> Split:
    """The numbers that show only where ``after`` is read behind ``before``, the conversation's message before it.

    Both texts are as they are kept: what each holds by itself is gone. Who spoke plays no part: an agent's question
    names the number of the answer.
    """
    cut = _cut(before)
    spaced = _read(before, cut, " ", after, registry)
    if spaced.before or spaced.after or not (before[-1:].isdigit() and after[:1].isdigit()):
        return spaced
    # People break a number between its groups, or anywhere in it.
    joined = _read(before, cut, "", after, registry)
    return joined if joined.before and joined.after else spaced


def may_go_on(before: str, after: str, registry: Registry = REGISTRY) -> bool:
    """Whether a number could stand across the two: the cheap question, asked of every pair of messages.

    ``before`` ends with digits, and ``after`` has more of them or says what they were; or ``before`` ends with what names
    a number, and the first number of ``after`` is a whole one.
    """
    ends_open = before[-_NEAR:].rstrip(_TRAILING)[-1:].isdecimal()
    first = _DIGIT.search(after, 0, _NEAR)
    if first is None:
        return ends_open and _names(after[:_NEAR], registry)
    if ends_open:
        return True
    whole = _WHOLE.match(after, first.start()) is not None or card.KIND.token in before[-_NEAR:]
    return whole and _names(before[-_NEAR:], registry)


def _names(text: str, registry: Registry) -> bool:
    """Whether a word for a number stands there, or a card's token."""
    folded = fold(text).text
    return CARD_MASK in folded or bool(registry.words.labels(folded))


def _cut(before: str) -> int:
    """Where to begin: between two words, so that no end of a longer number is taken for a number."""
    if len(before) <= TAIL:
        return 0
    space = _SPACE.search(before, len(before) - TAIL)
    return len(before) if space is None else space.end()


def _read(before: str, cut: int, joint: str, after: str, registry: Registry) -> Split:
    seam = len(before) - cut
    behind = seam + len(joint)
    first: list[Found] = []
    second: list[Found] = []
    for one in scan(before[cut:] + joint + after, registry=registry):
        if one.start < seam:
            first.append(Found(kind=one.kind, start=one.start + cut, end=min(one.end, seam) + cut))
        if one.end > behind:
            second.append(Found(kind=one.kind, start=max(one.start, behind) - behind, end=one.end - behind))
    return Split(before=first, after=second)


_SPACE: Final = re.compile(r"\s")
_DIGIT: Final = re.compile(r"\d")
_WHOLE: Final = re.compile(r"\d(?:(?:\W?\d){5}(?:\W?[^\W_])|[^\W_]{6})")
_NEAR: Final = 60
_TRAILING: Final = " \t\r\n-.,:;/?!)"
