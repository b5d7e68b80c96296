"""From bytes to a JSON value, so that one odd character never fails a batch and nothing odd is stored.

msgspec is fast and refuses a whole body for a lone surrogate, NaN or a byte-order mark; the standard parser
takes over then. U+0000 (which PostgreSQL cannot store) and lone surrogates become U+FFFD.
"""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

from connectors.contract import MalformedPayload
from policies.message import Json

MAX_DEPTH: Final = 64
"""Deeper payloads are not understood by anybody; both parsers recurse."""

_decoder = msgspec.json.Decoder()
_unstorable = re.compile("[\x00\ud800-\udfff]")
_suspicious = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def decode(body: bytes) -> tuple[Json, bool]:
    """The JSON value in ``body`` and whether characters in it had to be replaced.

    Raises MalformedPayload, without the body in it, when it is not JSON or too deep.
    """
    if _too_deep(body):
        raise MalformedPayload from None
    value = _parse(body)
    if _suspicious.search(body) is None:
        return value, False
    return _cleaned(value)


def _parse(body: bytes) -> Json:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return json.loads(body.decode("utf-8-sig", errors="replace"), parse_constant=lambda _name: None)
    except (ValueError, RecursionError):
        raise MalformedPayload from None


def _too_deep(body: bytes) -> bool:
    """A cheap upper bound first: few brackets cannot nest deep; then the true depth, outside strings."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _structure.finditer(body):
        character = token.group()
        if character in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif character in b"]}":
            depth -= 1
    return False


_structure = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


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
