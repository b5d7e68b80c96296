"""From texts to examples: words counted into a vocabulary, then each text as the features that the model weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Final

from policies.message import Private
from policies.screening.features import pair_feature, piece_features, trait_feature, traits, word_feature
from policies.screening.lexicon import ASSURANCE, CONDUCT, LURES
from policies.screening.model import PAIR_VALUE, PIECE_VALUE, TRAIT_VALUE, WINDOW, WORD_VALUE, norm
from policies.screening.reading import Reading, read
from policies.screening.words import Word
from worker.training.solver import Example

BIAS: Final = -1
"""The feature that every example has; it is put behind all others."""


class Labelled(Private, frozen=True):
    """A text, its side (1 to be held, -1 to pass), where it is from and what a mistake costs."""

    text: str
    side: int
    source: str
    cost: float


def vocabulary(texts: Iterable[str], least: int) -> tuple[str, ...]:
    """Words that stand in so many texts, and those of the lexicons, in alphabetical order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(
            {word.text for word in read(text, ()).words if word.text.isalpha() and not word.repaired}
        )
    frequent = {word for word, count in counts.items() if count >= least and 1 < len(word) < 20}
    return tuple(sorted(frequent | LURES.words() | ASSURANCE.words() | CONDUCT.words()))


def fraud_examples(labelled: Labelled, known: Container[str], size: int) -> list[Example]:
    """A text as one example; a long one that may pass also stretch by stretch, as it will be judged."""
    reading = read(labelled.text, known)
    names = traits(reading.links, reading.concepts)
    marks = [trait_feature(name) for name in names]
    stretches = [reading.words]
    if labelled.side < 0 and len(reading.words) > WINDOW:
        stretches = _stretches(reading.words)
    return [_fraud(words, reading, marks, labelled, size, len(stretches)) for words in stretches]


def _stretches(words: Sequence[Word]) -> list[Sequence[Word]]:
    starts = [*range(0, len(words) - WINDOW, WINDOW // 2), len(words) - WINDOW]
    return [words[start : start + WINDOW] for start in starts]


def _fraud(
    words: Sequence[Word], reading: Reading, marks: Sequence[int], labelled: Labelled, size: int, share: int
) -> Example:
    sums: dict[int, float] = {}
    unit = 1.0 / norm(len(words))
    last = "^" if words is reading.words or not words else _before(words[0], reading)
    for word in words:
        _add(sums, [word_feature(word.text)], WORD_VALUE * unit)
        _add(sums, [pair_feature(last, word.text)], PAIR_VALUE * unit)
        _add(sums, piece_features(word.text), PIECE_VALUE * unit)
        last = word.text
    _add(sums, marks, float(TRAIT_VALUE))
    sums[size] = 1.0
    return Example(tuple(sums), tuple(sums.values()), labelled.side, labelled.cost / share)


def _before(word: Word, reading: Reading) -> str:
    index = next(index for index, other in enumerate(reading.words) if other is word)
    return reading.words[index - 1].text if index else "^"


def abuse_example(labelled: Labelled, known: Container[str], size: int) -> Example:
    """A text as the abuse head sees it: words that it knows, and pairs."""
    words = read(labelled.text, known).words
    sums: dict[int, float] = {}
    unit = 1.0 / norm(len(words))
    last = "^"
    for word in words:
        if word.text in known:
            _add(sums, [word_feature(word.text)], WORD_VALUE * unit)
        _add(sums, [pair_feature(last, word.text)], PAIR_VALUE * unit)
        last = word.text
    sums[size] = 1.0
    return Example(tuple(sums), tuple(sums.values()), labelled.side, labelled.cost)


def _add(sums: dict[int, float], features: Iterable[int], value: float) -> None:
    for feature in features:
        sums[feature] = sums.get(feature, 0.0) + value
