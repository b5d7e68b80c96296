"""Numbers that are split over two consecutive messages of a conversation: ``my ssn is 536-90``, ``4399``.

Read together they are one text. What is found in it that no message holds by itself is a span in each of them: the
end of a number, or a whole one that only the other message names (``your SSN, please?``).
"""

from __future__ import annotations

import re
from typing import Final

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
