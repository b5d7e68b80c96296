"""A text read once: in plain letters, its links, the numbers that it asks for, its words and what they are about."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container, Sequence
from typing import Final

from policies.message import Private
from policies.screening.lexicon import ASSURANCE, LURES, spaced
from policies.screening.links import Link, links, unreadable
from policies.screening.normalise import Folded, fold
from policies.screening.numbers import Number, asked
from policies.screening.words import MAIL, PHONE, URL, Word, words

_OVERRIDE: Final = re.compile("[\u202d\u202e]")


class Reading(Private, frozen=True):
    """``padded`` is the words with one space around each: what a lexicon searches."""

    folded: Folded
    links: Sequence[Link]
    numbers: Sequence[Number]
    words: Sequence[Word]
    padded: str
    unreadable: tuple[int, int] | None
    concepts: frozenset[str]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the folded text stands in the original."""
        starts = self.folded.starts
        return (starts[start], starts[end - 1] + 1) if start < end else (0, 0)


def read(text: str, vocabulary: Container[str]) -> Reading:
    """Read a text. Total."""
    folded = fold(text)
    found_links = links(text, folded)
    plain = folded.text
    for link in found_links:
        plain = _covered(plain, link.start, link.end, MAIL if link.mail else URL)
    found_numbers = asked(plain)
    for number in found_numbers:
        plain = _covered(plain, number.start, number.end, PHONE)
    found_words = words(plain, vocabulary, run_together="spaced" in folded.flags)
    padded = spaced(word.text for word in found_words)
    concepts = LURES.concepts(padded) | ASSURANCE.concepts(padded)
    hidden = unreadable(plain) or _turned(text, folded)
    return Reading(folded, found_links, found_numbers, found_words, padded, hidden, concepts)


def _turned(text: str, folded: Folded) -> tuple[int, int] | None:
    """Where letters are made to run the other way: what is seen is not what was read. No language needs it."""
    match = _OVERRIDE.search(text)
    if match is None:
        return None
    return bisect_left(folded.starts, match.start()), len(folded.text)


def _covered(text: str, start: int, end: int, cover: str) -> str:
    return f"{text[:start]}{cover * (end - start)}{text[end:]}"
