"""A linear support vector machine with squared hinge loss, solved by dual coordinate descent (Hsieh et al., 2008).

Nothing but sums, products and comparisons in a fixed order: the same weights, to the last bit, on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

_MODULUS: Final = 2**31 - 1


class Example(msgspec.Struct, frozen=True, gc=False):
    """Sparse features with their values, the side (1 or -1) and how much a mistake costs."""

    indices: Sequence[int]
    values: Sequence[float]
    side: int
    cost: float


def solve(examples: Sequence[Example], size: int, rounds: int) -> list[float]:
    """Weights that part the two sides. Examples whose mistake costs more weigh more."""
    weights = [0.0] * size
    duals = [0.0] * len(examples)
    diagonals = [0.5 / example.cost for example in examples]
    lengths = [sum(value * value for value in example.values) for example in examples]
    order = list(range(len(examples)))
    state = 1
    for _ in range(rounds):
        state = _shuffle(order, state)
        for number in order:
            example = examples[number]
            gathered = sum(map(float.__mul__, map(weights.__getitem__, example.indices), example.values))
            gradient = example.side * gathered - 1.0 + diagonals[number] * duals[number]
            old = duals[number]
            new = max(old - gradient / (lengths[number] + diagonals[number]), 0.0)
            if new != old:
                duals[number] = new
                step = (new - old) * example.side
                for index, value in zip(example.indices, example.values, strict=True):
                    weights[index] += step * value
    return weights


def _shuffle(order: list[int], state: int) -> int:
    """Fisher and Yates with the multiplier of Lehmer: no library's generator, which might change."""
    for index in range(len(order) - 1, 0, -1):
        state = state * 48271 % _MODULUS
        other = state % (index + 1)
        order[index], order[other] = order[other], order[index]
    return state
