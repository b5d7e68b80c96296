"""What stands around a piece of a text: the words that name it, a URL, other digits. Each question costs little twice."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from policies.identifiers.context import FILLERS, NAMES, OTHER, Label, Words, directly
from policies.identifiers.folding import CARD_MASK, MASK
from policies.identifiers.runs import SEPARATORS

Span = tuple[int, int]

FARTHEST: Final = 8
"""A word says nothing of a number that so many other words part it from."""


class Surroundings:
    """A folded text, and where in it the words of a table stand. Spans are offsets in the folded text."""

    def __init__(self, text: str, words: Words) -> None:
        self.text = text
        self._table = words

    def labels_before(self, start: int) -> Iterator[tuple[Label, int]]:
        """Labels that end before ``start``, the nearest first, and how many words stand in between."""
        at = bisect_right(self._label_ends, start)
        words = bisect_left(self._words, start)
        for label in reversed(self._labels[max(0, at - FARTHEST - 1) : at]):
            distance = words - bisect_left(self._words, label.end)
            if distance > FARTHEST:
                return
            yield label, distance

    def named_before(self, label: Label, start: int) -> bool:
        """``my SSN is 536-90-4399``."""
        return directly(self.text, label.end, start, FILLERS)

    def same_sentence(self, start: int, end: int) -> bool:
        """Whether no sentence ends in between."""
        return _STOP.search(self.text, start, end) is None

    def named_behind(self, end: int, names: frozenset[str]) -> bool:
        """``536-90-4399 is my SSN``, ``12345678Z (DNI)``."""
        return self._called_behind(end, names, FILLERS)

    def is_something_else(self, start: int, end: int, names: frozenset[str]) -> bool:
        """Whether the words right beside the number say that it is none of a person, or a plus that it is a phone's."""
        head = self._head(start)
        if bisect_left(self._pluses, head) < bisect_left(self._pluses, start):
            return True
        last, _ = next(self.labels_before(head), (None, 0))
        if last is not None and OTHER in last.means and directly(self.text, last.end, head, NAMES):
            return not self._is_for(last, names)
        return self._called_behind(end, frozenset((OTHER,)), NAMES)

    def url_around(self, start: int, end: int) -> Span | None:
        """The URL that has a part in ``text[start:end]``."""
        at = bisect_right(self._urls, (start, len(self.text))) - 1
        for span in self._urls[max(at, 0) : at + 2]:
            if start < span[1] and end > span[0]:
                return span
        return None

    def is_whole_part(self, start: int, end: int, url: Span) -> bool:
        """Whether it is a segment of the URL's path or a value of its query, from end to end."""
        if not (url[0] < start and end <= url[1]) or self.text[start - 1] not in "/=":
            return False
        rest = self.text[end : url[1]]
        return rest[:1] in {"", "/", "&", "?", "#", ";"} or not rest.strip(_MARKS)

    def glued_before(self, start: int) -> bool:
        """Whether a letter or a digit stands right before it."""
        return start > 0 and self.text[start - 1] in _ALPHABET

    def flanked(self, start: int, end: int) -> bool:
        """Whether the number goes on, before it or behind it: it is then part of a longer one.

        A number that is joined in another way is another one (a date before a card), and so is a token; a short one
        behind it, too (a CVV).
        """
        joints = {mark for mark in self.text[start:end] if mark in SEPARATORS} or _TIGHT
        before = self.text[max(0, start - 12) : start]
        if before[-1:] in joints and before[-2:-1].isdecimal() and not _OTHER_BEFORE.search(before):
            return True
        behind = self.text[end : end + 12]
        return behind[:1] in joints and behind[1:2].isdecimal() and not _OTHER_BEHIND.match(behind)

    @cached_property
    def meanings(self) -> frozenset[str]:
        """What the words of the whole text say."""
        return frozenset().union(*(label.means for label in self._labels))

    @cached_property
    def _labels(self) -> list[Label]:
        return self._table.labels(self.text)

    @cached_property
    def _label_ends(self) -> list[int]:
        return [label.end for label in self._labels]

    @cached_property
    def _by_start(self) -> list[Label]:
        return sorted(self._labels, key=lambda label: (label.start, -label.end))

    @cached_property
    def _words(self) -> list[int]:
        """Numbers are no words, so that a token counts like the number that it stands for."""
        return [match.start() for match in _WORDS.finditer(self.text)]

    @cached_property
    def _urls(self) -> list[Span]:
        marked = "/" in self.text or "www." in self.text
        return [match.span() for match in _URL.finditer(self.text)] if marked else []

    @cached_property
    def _pluses(self) -> list[int]:
        return [match.start() for match in _PLUS.finditer(self.text)]

    @cached_property
    def _clusters(self) -> list[Span]:
        return [match.span() for match in _CLUSTER.finditer(self.text)]

    def _head(self, start: int) -> int:
        """Where the digits begin in whose midst it stands: a label before them is a label of all."""
        at = bisect_left(self._clusters, (start, 0)) - 1
        if at >= 0 and self._clusters[at][1] >= start:
            return self._clusters[at][0]
        return start

    def _is_for(self, other: Label, names: frozenset[str]) -> bool:
        """``my DNI for the contract: …``: what the identifier is given for does not rename it."""
        for label, _ in self.labels_before(other.start):
            between = self.text[label.end : other.start]
            if not names.isdisjoint(label.means) and _FOR.fullmatch(between):
                return True
        return False

    def _called_behind(self, end: int, names: frozenset[str], fillers: frozenset[str]) -> bool:
        at = bisect_left(self._by_start, end, key=lambda label: label.start)
        label = self._by_start[at] if at < len(self._by_start) else None
        if label is None or names.isdisjoint(label.means):
            return False
        return directly(self.text, end, label.start, fillers) and not self._heads_next(label.end)

    def _heads_next(self, end: int) -> bool:
        """Whether the word that ends here belongs to a number that follows it."""
        following = _NEXT.match(self.text, end)
        return following is not None and directly(self.text, end, following.end() - 1)


_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_TIGHT: Final = frozenset(SEPARATORS) - {" "}
_MARKS: Final = ".,;:!?'\")]}>"
_WORDS: Final = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?![^\W_])")
_CLUSTER: Final = re.compile(rf"[0-9{MASK}{CARD_MASK} ().\-/_+]+")
_NEXT: Final = re.compile(rf"[^0-9{MASK}{CARD_MASK}\n]{{0,24}}[:=#\s(][0-9{MASK}{CARD_MASK}]")
_FOR: Final = re.compile(
    r"(?: [a-z']+)? (?:for|on|of|in|to|pour|sur|de|du|dans|para|por|en|del|fur|auf|zu|zum|zur|von|per|da|voor)(?: [a-z']+)? "
)
_STOP: Final = re.compile(r"(?<!\bn[or])[.!?]\s")
_PLUS: Final = re.compile(r"\+")
_OTHER_BEFORE: Final = re.compile(r"\d[.\-/_]\d{1,4} $")
_OTHER_BEHIND: Final = re.compile(r" (?:\d{1,3}(?!\d)|\d+ ?[.\-/_] ?\d)")
_URL: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"]+|(?<![\w@.\-])(?:[a-z0-9\-]{1,63}\.){1,8}+[a-z]{2,24}/[^\s<>\"]*"
)
