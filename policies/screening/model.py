"""The text model: a linear judgement over hashed features, whole numbers from -127 to 127, plain Python.

``model.bin`` is a line of JSON (``Header``), the vocabulary, and one signed byte per feature for each head.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import msgspec

from policies.screening.data import shipped
from policies.screening.features import pair_feature, piece_features, trait_feature, word_feature
from policies.screening.words import Word

WORD_VALUE: Final = 4
PAIR_VALUE: Final = 4
PIECE_VALUE: Final = 1
TRAIT_VALUE: Final = 1
"""How much a feature counts before its weight."""

WINDOW: Final = 28
"""A longer text is also judged by the strictest stretch of so many words: harmless padding dilutes nothing."""


class ModelAltered(Exception):
    """The model file is missing, cut short, or not the one that belongs to this version."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How sums of whole numbers become a score: ``0.5 + 0.5 * x / (1 + |x|)`` with ``x = (sum * scale + bias) * slope``."""

    scale: float
    bias: float
    slope: float


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a model file: lengths in bytes, heads by name."""

    format: int
    vocabulary: int
    heads: dict[str, Head]
    size: int


class Model:
    """A model in memory; immutable. ``vocabulary`` maps a word to the sum over its features, for each head."""

    __slots__ = ("abuse", "fraud", "header", "vocabulary")

    def __init__(self, header: Header, words: Sequence[str], fraud: array[int], abuse: array[int]) -> None:
        self.header = header
        self.fraud = fraud
        self.abuse = abuse
        self.vocabulary: Mapping[str, tuple[int, int]] = {
            word: (_own(fraud, word), abuse[word_feature(word)]) for word in words
        }

    def scores(self, words: Sequence[Word], traits: Sequence[str]) -> tuple[float, float, Sequence[int]]:
        """Fraud or spam, and abuse: each from 0 to 1, over one half where the model would hold the text.

        Last, for reviewers: what each word, with the one before it, adds to the judgement of fraud.
        """
        fraud, abuse = self._sums(words)
        heads = self.header.heads
        whole = sum(self.fraud[trait_feature(name)] for name in traits) * TRAIT_VALUE
        return (
            _score(heads["fraud"], _strictest(fraud, WINDOW), whole),
            _score(heads["abuse"], _strictest(abuse, WINDOW), 0),
            fraud,
        )

    def _sums(self, words: Sequence[Word]) -> tuple[list[int], list[int]]:
        fraud: list[int] = []
        abuse: list[int] = []
        known, table, abuse_table = self.vocabulary, self.fraud, self.abuse
        last = "^"
        for word in words:
            text = word.text
            own = known.get(text)
            pair = pair_feature(last, text)
            here, there = own if own is not None else (_own(table, text), 0)
            fraud.append(here + PAIR_VALUE * table[pair])
            abuse.append(WORD_VALUE * there + PAIR_VALUE * abuse_table[pair])
            last = text
        return fraud, abuse


def _own(table: array[int], word: str) -> int:
    pieces = sum(map(table.__getitem__, piece_features(word)))
    return WORD_VALUE * table[word_feature(word)] + PIECE_VALUE * pieces


def _strictest(sums: Sequence[int], window: int) -> float:
    """The largest sum over a stretch of words, divided by the root of its length; the whole text if that is short."""
    count = len(sums)
    if count <= window:
        return sum(sums) / norm(count)
    best = running = sum(sums[:window])
    for index in range(window, count):
        running += sums[index] - sums[index - window]
        best = max(best, running)
    return best / norm(window)


def norm(count: int) -> float:
    """What a sum over so many words is divided by."""
    return math.sqrt(count + 4.0)


def _score(head: Head, words: float, traits: float) -> float:
    x = ((words + traits) * head.scale + head.bias) * head.slope
    return 0.5 + 0.5 * x / (1 + abs(x))


def read_model(data: bytes, digest: str) -> Model:
    """A model from the bytes of its file. Raises ModelAltered where they are not those of the digest (SHA-256)."""
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelAltered("the screening model is not the one that belongs to this version")
    line, _, rest = data.partition(b"\n")
    header = msgspec.json.decode(line, type=Header)
    words = rest[: header.vocabulary].decode().split()
    tables = rest[header.vocabulary :]
    return Model(header, words, array("b", tables[: header.size]), array("b", tables[header.size :]))


@cache
def shipped_model() -> Model:
    """The model that ships with this version, read once. Raises ModelAltered."""
    try:
        return read_model(shipped("model.bin"), shipped("model.sha256").decode().strip())
    except OSError:
        raise ModelAltered("the screening model is missing") from None
