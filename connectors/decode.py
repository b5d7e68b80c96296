"""From bytes to a JSON value, so that one odd character never fails a batch and nothing odd is stored.

msgspec is fast and refuses a whole body for a lone surrogate, NaN, a byte-order mark, a bare control character, a
byte that is no UTF-8 or a number beyond reason; the standard parser takes over then. U+0000 (which PostgreSQL cannot
store), lone surrogates and what is no UTF-8 become U+FFFD; numbers that are none become null.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

import msgspec

from policies.message import Json

MAX_DEPTH: Final = 64
"""Deeper payloads are not understood by anybody; both parsers recurse."""

MAX_VALUES: Final = 300_000
"""More values than Meta's largest delivery (3 MB, 1000 updates) could hold. Each costs forty times its two bytes."""

_MAX_DIGITS: Final = 4000  # int() and str() refuse somewhat longer ones
_ALL_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))

# How U+0000 and surrogates are written; pairs of surrogates are harmless and rare enough to be looked at.
_SUSPICIOUS: Final = (b"\x00", b"\\u0000", b"\\ud", b"\\uD")

_decoder = msgspec.json.Decoder()
_unstorable = re.compile("[\x00\ud800-\udfff]")
# The closing quote is optional and nothing is ever given back: a string without an end is passed over once.
_string = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class MalformedPayload(Exception):
    """The body cannot be read. The body itself is never part of this exception or of its chain."""


def decode(body: bytes) -> tuple[Json, bool]:
    """The JSON value in ``body`` and whether characters in it had to be replaced.

    Raises MalformedPayload, without the body in it or in its chain, when it is not JSON, too deep or too full.
    """
    if _too_full(body) or _too_deep(body):
        raise MalformedPayload
    value, damaged = _parse(body)
    if not any(sign in body for sign in _SUSPICIOUS):
        return value, damaged
    cleaned, replaced = _cleaned(value)
    return cleaned, damaged or replaced


def _parse(body: bytes) -> tuple[Json, bool]:
    try:
        return _decoder.decode(body), False
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    text, damaged = _text(body)
    try:
        return _lenient.decode(text), damaged
    except (ValueError, RecursionError):
        pass
    # Outside the handlers: the parsers' own exceptions hold the body.
    raise MalformedPayload


def _text(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return body.decode("utf-8-sig", errors="replace"), True


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _fraction(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_lenient = json.JSONDecoder(
    parse_int=_integer, parse_float=_fraction, parse_constant=lambda _name: None, strict=False
)


def _too_deep(body: bytes) -> bool:
    """A cheap upper bound first: few brackets cannot nest deep. Then take off the innermost pairs, layer by layer.

    Brackets that do not pair count as too deep: they are no JSON either way.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _string.sub(b"", body).translate(_ALL_SQUARE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        inner_gone = brackets.replace(b"[]", b"")
        if len(inner_gone) in (0, len(brackets)):
            return bool(inner_gone)
        brackets = inner_gone
    return True


def _too_full(body: bytes) -> bool:
    """Cheap upper bounds first: a value takes two bytes at least, and texts hold commas and brackets too."""
    if len(body) <= 2 * MAX_VALUES or _values(body) <= MAX_VALUES:
        return False
    return _values(_string.sub(b"", body)) > MAX_VALUES


def _values(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _cleaned(value: Json) -> tuple[Json, bool]:
    damaged = False

    def clean(node: Json) -> Json:
        nonlocal damaged
        if isinstance(node, str):
            replaced, count = _unstorable.subn("\ufffd", node)
            damaged = damaged or count > 0
            return replaced
        if isinstance(node, list):
            return [clean(item) for item in node]
        if isinstance(node, dict):
            return {clean(key): clean(item) for key, item in node.items()}
        return node

    return clean(value), damaged
