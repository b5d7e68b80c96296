"""The shape of a payload: all that is kept of what nobody understood. Types and known keys, never values."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from policies.message import Json

MAX_DEPTH: Final = 6
MAX_LENGTH: Final = 400
_MAX_KEYS = 24


def shape(value: Json, vocabulary: AbstractSet[str]) -> str:
    """A short text such as ``{entry:[{id:string,?:2}x3]}``.

    Keys outside ``vocabulary`` are counted under ``?`` (a key can be data too); depth and size are capped.
    """
    drawn = _draw(value, vocabulary, 0)
    return drawn if len(drawn) <= MAX_LENGTH else drawn[: MAX_LENGTH - 1] + "…"


def _draw(value: Json, vocabulary: AbstractSet[str], depth: int) -> str:
    if isinstance(value, dict):
        return "{…}" if depth >= MAX_DEPTH else _draw_object(value, vocabulary, depth)
    if isinstance(value, list):
        if not value:
            return "[]"
        return "[…]" if depth >= MAX_DEPTH else f"[{_draw(value[0], vocabulary, depth + 1)}x{len(value)}]"
    return _type_word(value)


def _draw_object(value: dict[str, Json], vocabulary: AbstractSet[str], depth: int) -> str:
    known = sorted(key for key in value if key in vocabulary)[:_MAX_KEYS]
    parts = [f"{key}:{_draw(value[key], vocabulary, depth + 1)}" for key in known]
    others = len(value) - len(known)
    if others:
        parts.append(f"?:{others}")
    return "{" + ",".join(parts) + "}"


def _type_word(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string"
