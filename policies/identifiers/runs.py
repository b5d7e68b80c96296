"""Cutting a folded text into runs of digits and short words, and every run into pieces that have a known shape."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

SEPARATORS: Final = " .-/_"
"""What may stand inside a number, up to three in a row."""

LONGEST: Final = 19
"""No kind has more digits and letters."""


class Piece(NamedTuple):
    """``text[start:end]``, and its shape: ``9`` for a digit, ``A`` for a letter, separators left out."""

    start: int
    end: int
    shape: str


def pieces(text: str, shapes: Collection[str], prefixes: Collection[str]) -> Iterator[Piece]:
    """Every piece of one of these shapes that is made of whole atoms. ``prefixes`` are the shapes' beginnings.

    An atom is digits alone or letters alone. A piece never ends where a letter or a digit goes on.
    """
    for run in _RUN.finditer(text):
        atoms = [_atom(match) for match in _ATOM.finditer(text, run.start(), run.end())]
        for first, (start, _, _) in enumerate(atoms):
            shape = ""
            for at, (_, end, atom) in enumerate(atoms[first : first + LONGEST], first + 1):
                shape += atom
                if shape not in prefixes:
                    break
                if shape in shapes and (at == len(atoms) or atoms[at][0] > end):
                    yield Piece(start, end, shape)


def compact(written: str) -> str:
    """A number without its separators."""
    return written if written.isalnum() else written.translate(_WITHOUT)


def _atom(match: re.Match[str]) -> tuple[int, int, str]:
    start, end = match.span()
    return start, end, ("9" if match[0] <= ":" else "A") * min(end - start, LONGEST + 1)


# Digits and what stands between them, where that is separators and at most two short words; the same at each end.
_JOINT: Final = rf"[{re.escape(SEPARATORS)}]{{0,3}}+"
_WORD: Final = r"[a-z]{1,7}+(?![a-z])"
_RUN: Final = re.compile(
    rf"(?:(?<![a-z0-9]){_WORD}{_JOINT}(?:{_WORD}{_JOINT})?)?[0-9]++"
    rf"(?:{_JOINT}(?:{_WORD}{_JOINT}){{0,2}}[0-9]++)*(?:{_JOINT}{_WORD}){{0,2}}"
)
_ATOM: Final = re.compile(r"[0-9]+|[a-z]+")
_WITHOUT: Final = str.maketrans("", "", SEPARATORS)
