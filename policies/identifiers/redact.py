"""Taking numbers out of texts: a token stands for each, everything else stays as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.identifiers.folding import has_long_number
from policies.identifiers.kind import Family
from policies.identifiers.registry import REGISTRY, Registry
from policies.identifiers.scan import Found, scan

ROUNDS: Final = 4
"""A text in which something is still found after so many removals is built to be found in: it is removed whole."""

GONE: Final = "[ID:text]"
"""What is left of such a text."""


def redacted(text: str, family: Family, label: str = "", registry: Registry = REGISTRY) -> str:
    """The text with a token for every number of this family. A second time changes nothing."""
    if family is Family.PAYMENT and not _may_pay(text, label):
        return text
    for _ in range(ROUNDS):
        found = [one for one in scan(text, label, registry) if one.kind.family is family]
        if not found:
            return text
        text = without(text, found)
    return GONE if any(one.kind.family is family for one in scan(text, label, registry)) else text


def _may_pay(text: str, label: str) -> bool:
    """Whether a card could stand there, or what proves its possession. Most numbers of most texts are too short."""
    if has_long_number(text) or not text.isascii():
        return True
    spoken = f"{label} {text}".lower()
    return any(word in spoken for word in _PAYMENT_WORDS)


def without(text: str, found: Iterable[Found]) -> str:
    """The text with the tokens of these in their places; they stand in order and apart."""
    pieces: list[str] = []
    position = 0
    for one in found:
        pieces += (text[position : one.start], one.kind.token)
        position = one.end
    return "".join((*pieces, text[position:]))


# A part of every word that names a CVV; the token of a card has one too.
_PAYMENT_WORDS: Final = ("cv", "card", "karte", "crypto", "segurid", "verifica")
