"""Opening untrusted JSON values deliberately: each function returns what it promises, or None (or nothing).

No function raises, whatever it is given. Numbers stand for strings where platforms mix them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from policies.message import Instant, Json

MICROSECONDS: Final = 1_000_000
_MAX_ID = 512
_MAX_INTEGER_ID = 10**_MAX_ID  # str() raises for integers of some thousand digits
_MAX_INTEGER = 2**63 - 1
_EARLIEST = 946_684_800 * MICROSECONDS  # 2000-01-01
_LATEST = 4_102_444_800 * MICROSECONDS  # 2100-01-01
_numeric = re.compile(r"\+?[0-9][0-9 ()-]{0,31}\Z")
_digits = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?\Z")


def mapping(value: Json) -> dict[str, Json]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Json) -> list[Json]:
    """The list; a lone object counts as a list of one (some senders unwrap it); else empty."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def objects(value: Json) -> Iterator[dict[str, Json]]:
    """The objects in a list (or the lone object); everything else is passed over."""
    return (item for item in listing(value) if isinstance(item, dict))


def text(value: Json) -> str | None:
    """A non-empty string."""
    return value if isinstance(value, str) and value else None


def identifier(value: Json) -> str | None:
    """A platform id: a string, or an integer that some senders write instead; at most 512 characters."""
    if isinstance(value, str):
        return value if 0 < len(value) <= _MAX_ID else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _MAX_INTEGER_ID else None
    return None


def numeric(value: Json) -> str | None:
    """An id or a number to call in digits, as platforms name accounts, numbers and templates: never a text."""
    given = identifier(value)
    return given if given is not None and _numeric.match(given) else None


def integer(value: Json) -> int | None:
    """An integer of 64 bits, or a string of one: no column and no wire format of ours holds a larger one."""
    if isinstance(value, str) and _digits.match(value) and "." not in value:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -_MAX_INTEGER <= value <= _MAX_INTEGER:
        return value
    return None


def truth(value: Json) -> bool:
    """``true``, and the string "true" that older documentation prints."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def instant(value: Json) -> Instant | None:
    """Seconds, milliseconds or microseconds, as number or string, or ISO 8601: microseconds since the epoch.

    None for anything outside the years 2000 to 2099.
    """
    if isinstance(value, str) and not _digits.match(value):
        return _iso(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value) if isinstance(value, (float, str)) else value
        scale = 1 if number >= 1e14 else 1_000 if number >= 1e11 else MICROSECONDS
        return _plausible(int(number * scale) if not isinstance(value, str) else _exact(value, scale))
    except (ValueError, OverflowError):
        return None


def _exact(value: str, scale: int) -> int:
    whole, _, fraction = value.partition(".")
    return int(whole) * scale + int(float(f"0.{fraction or 0}") * scale)


def _iso(value: str) -> Instant | None:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    delta = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return _plausible((delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds)


def _plausible(moment: int) -> Instant | None:
    return moment if _EARLIEST <= moment < _LATEST else None
