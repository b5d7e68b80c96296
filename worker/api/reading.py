"""From the bytes of a body to a JSON value, within bounds. What is no JSON is told by a code, never shown."""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from policies.message import Json

MOST_BYTES: Final = 1_000 * (1_600 * 6 + 1_024)
"""A thousand texts of the greatest length, every character written as an escape, and their other fields."""


MOST_VALUES: Final = 40_000
"""Three times what a thousand texts with every field have. Each costs fifty times its bytes, and an answer more."""

# The closing quote is optional and nothing is ever given back: a string without an end is passed over once.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class Unreadable(Exception):
    """The body is no JSON that anybody could answer. ``code`` is a word of worker/api/errors.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read(body: bytes) -> Json:
    """The value. Raises Unreadable. Lone surrogates pass: which field holds one is told by whoever looks into it."""
    if _is_too_full(body):
        raise Unreadable("too_many_values")
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except Unreadable as error:
        raise Unreadable(error.code) from None
    except (ValueError, RecursionError):
        raise Unreadable("not_json") from None


def _is_too_full(body: bytes) -> bool:
    """A cheap upper bound first: texts hold commas and brackets too."""
    return _values(body) > MOST_VALUES and _values(_STRING.sub(b"", body)) > MOST_VALUES


def _values(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Of two fields with one name, readers would disagree which counts."""
    held = dict(pairs)
    if len(held) != len(pairs):
        raise Unreadable("duplicate_field")
    return held


def _no_number(_name: str) -> NoReturn:
    """Neither NaN nor infinity is JSON."""
    raise Unreadable("not_json")
