"""Words and phrases by concept: one look at the text finds all of them.

A lexicon file is a table per concept with a line of phrases per language, parted by ``|``; they are normalised like the
texts that they are compared with. ``*`` at a phrase's end stands for any ending.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from ahocorasick_rs import AhoCorasick

from policies.screening.data import shipped
from policies.screening.normalise import fold

_NOTHING: Final[frozenset[str]] = frozenset()


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A concept was found in ``text[start:end]`` of what was searched."""

    concept: str
    start: int
    end: int


class Lexicon:
    """Compiled phrases of many concepts; immutable."""

    __slots__ = ("_concepts", "_machine", "_phrases")

    def __init__(self, phrases: Iterable[tuple[str, str]]) -> None:
        """``phrases``: pairs of concept and phrase."""
        unique: dict[str, list[str]] = {}
        for concept, phrase in phrases:
            unique.setdefault(_pattern(phrase), []).append(concept)
        self._phrases = tuple(unique)
        self._concepts = tuple(tuple(dict.fromkeys(concepts)) for concepts in unique.values())
        self._machine = AhoCorasick(self._phrases)

    def hits(self, padded: str) -> list[Hit]:
        """Every phrase of a text whose words are parted, led and followed by one space each."""
        return [
            Hit(concept, start + 1, end)
            for number, start, end in self._machine.find_matches_as_indexes(padded, overlapping=True)
            for concept in self._concepts[number]
        ]

    def concepts(self, padded: str) -> frozenset[str]:
        """Which concepts stand in such a text."""
        found = self._machine.find_matches_as_indexes(padded, overlapping=True)
        if not found:
            return _NOTHING
        return frozenset(concept for number, _, _ in found for concept in self._concepts[number])

    def names(self) -> frozenset[str]:
        """Every concept."""
        return frozenset(concept for concepts in self._concepts for concept in concepts)

    def words(self) -> frozenset[str]:
        """Every whole word of the phrases."""
        return frozenset(
            word
            for phrase in self._phrases
            if phrase.endswith(" ")
            for word in phrase.split()
            if len(word) > 2
        )


def spaced(words: Iterable[str]) -> str:
    """The text that a lexicon searches."""
    return f" {' '.join(words)} "


def _pattern(phrase: str) -> str:
    words = " ".join(_WORD.findall(fold(phrase).text))
    return f" {words}" if phrase.rstrip().endswith("*") else f" {words} "


def _load(name: str) -> Mapping[str, object]:
    return tomllib.loads(shipped(f"lexicons/{name}.toml").decode())


def _phrases(tree: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _phrases(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield from ((prefix.rstrip("."), phrase) for phrase in value.split("|"))


_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

LURES: Final = Lexicon(_phrases(_load("lures")))
ASSURANCE: Final = Lexicon(_phrases(_load("assurance")))
CONDUCT: Final = Lexicon(_phrases(_load("conduct")))
ACCUSATIONS: Final = Lexicon(_phrases(_load("accusations")))
BRANDS: Final = Lexicon(
    (" ".join(_WORD.findall(fold(name).text)), name)
    for line in _load("brands").values()
    for name in str(line).split("|")
)
"""The concept of a brand is its plain name."""

HOSTS: Final = {name: frozenset(str(hosts).split()) for name, hosts in _load("hosts").items()}
"""``shorteners``, ``chats``, ``shared``, ``freemail``."""
