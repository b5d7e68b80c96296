"""Characters that pass for a Latin letter or a digit, from Unicode's confusables: one table for texts and for names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from policies.screening.data import shipped


def _with_small_letters(table: Mapping[str, str]) -> dict[str, str]:
    """A small letter is taken for what its capital looks like, unless it has a look of its own."""
    small = {letter.lower(): plain for letter, plain in table.items() if len(letter.lower()) == 1}
    return {**small, **table}


LOOKALIKES: Final[Mapping[str, str]] = _with_small_letters(
    {
        character: plain
        for plain, characters in json.loads(shipped("confusables.json")).items()
        for character in characters
    }
)
"""One character each, to a small letter or a digit."""
