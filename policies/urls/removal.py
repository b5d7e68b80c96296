"""Taking URLs out of texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.urls.layers import layers
from policies.urls.suffixes import Suffixes
from policies.urls.tokens import tokens

Span = tuple[int, int]

ROUNDS: Final = 3
"""A text in which something is still found after so many removals is removed whole."""


def scrub(text: str, suffixes: Suffixes) -> tuple[str, int]:
    """The text with every URL of these hosts, and any URL around it, replaced by the token; and how many.

    Everything else in the text stays as it was.
    """
    count = 0
    for _ in range(ROUNDS):
        spans = _spans(text, suffixes) if suffixes.suspects(text) else []
        if not spans:
            return text, count
        count += len(spans)
        text = _without(text, spans, suffixes.token)
    return suffixes.token, count


def removable(url: str, suffixes: Suffixes) -> bool:
    """Whether a value that is a URL as a whole leads to one of these hosts; a bare host is enough here."""
    if not suffixes.suspects(url):
        return False
    whole = ("".join(layer.text.split()) for layer in layers(url, suffixes.separate))
    return any(suffixes.holds(f"//{text}") for text in whole) or bool(_spans(url, suffixes))


def _spans(text: str, suffixes: Suffixes) -> list[Span]:
    """Where the URLs stand in the original, in order and apart from each other."""
    merged: list[Span] = []
    for start, end in sorted(_found(text, suffixes)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _found(text: str, suffixes: Suffixes) -> Iterator[Span]:
    for layer in layers(text, suffixes.separate):
        if not suffixes.hinted(layer.text):
            continue
        for start, end in tokens(layer.text):
            if suffixes.holds(layer.text[start:end]):
                first = _after_words(layer.text, start, end, suffixes)
                yield layer.starts[first], layer.ends[end - 1]


def _after_words(text: str, start: int, end: int, suffixes: Suffixes) -> int:
    """Where a script without spaces runs into a bare host, the URL begins with the ASCII letters."""
    first = start
    while first < end and not text[first].isascii():
        first += 1
    return first if first > start and suffixes.holds(text[first:end]) else start


def _without(text: str, spans: list[Span], token: str) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start], token)
        position = end
    return "".join((*pieces, text[position:]))
