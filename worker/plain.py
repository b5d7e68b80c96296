"""Hostile text on a terminal: what cannot be seen, or turns what can be seen around, is shown as its number."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (bidirectional marks, tags), surrogates, private and unassigned, separators."""

_JOINERS = frozenset("\u200c\u200d")
"""Persian words and emoji families are written with them, and they move nothing."""


def plain(text: str) -> str:
    """One line without control, bidirectional or invisible characters: each is written as its number."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
    hidden = unicodedata.category(character) in _HIDDEN and character not in _JOINERS
    return f"\\u{{{ord(character):x}}}" if hidden else character
