"""Closed trees: of a vendor's object only the keys that are named here, under names of our own; nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from connectors import wild
from connectors.decode import MalformedPayload, decode
from policies.message import Json

Take = Callable[[Json], Json]
"""Takes what it promises from an untrusted value, or None."""

MAX_ANSWER_DEPTH: Final = 12
"""A form's answers nest a few levels deep; what goes deeper stays the text that it came as."""


def scalar(value: Json) -> Json:
    """A string, a finite number or a truth value; nothing for an empty string."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else None


def record(**fields: Take | tuple[str, Take]) -> Take:
    """An object with these keys: ``ours=take``, or ``ours=("vendor's", take)``. None when nothing was there."""
    plan = [(ours, *(how if isinstance(how, tuple) else (ours, how))) for ours, how in fields.items()]

    def take(value: Json) -> Json:
        if not isinstance(value, dict):
            return None
        taken = {ours: take(value[theirs]) for ours, theirs, take in plan if theirs in value}
        return {ours: held for ours, held in taken.items() if held is not None} or None

    return take


def records(**fields: Take | tuple[str, Take]) -> Take:
    """A list of such objects."""
    take = record(**fields)
    return lambda value: [held for item in wild.objects(value) if (held := take(item)) is not None] or None


def words(*known: str) -> Take:
    """A word of a closed list, in lower case; "unknown" for every other string."""
    table = {spelling: known_word for known_word in known for spelling in (known_word, known_word.upper())}
    return lambda value: table.get(value, "unknown") if isinstance(value, str) and value else None


def codes(value: Json) -> list[int]:
    """The numbers of the platform's errors, never its sentences."""
    numbers = (wild.integer(error.get("code")) for error in wild.objects(value))
    return [number for number in numbers if number is not None and 0 <= number < 2**31]


def answers(value: Json) -> Json:
    """A form's answers, which come as a string of JSON: its tree, or the string where it is none.

    The keys are the form's own: they stand as values (``name``), so that the keys of our trees stay ours.
    """
    try:
        tree = decode(value.encode("utf-8", errors="replace"))[0] if isinstance(value, str) else value
        return _named(tree, 0)
    except (MalformedPayload, _TooDeep):
        return scalar(value)


class _TooDeep(Exception):
    """The answers nest deeper than any form does."""


def _named(value: Json, depth: int) -> Json:
    if depth > MAX_ANSWER_DEPTH:
        raise _TooDeep
    if isinstance(value, dict):
        return {"fields": [{"name": key, "value": _named(held, depth + 1)} for key, held in value.items()]}
    if isinstance(value, list):
        return [_named(item, depth + 1) for item in value]
    return scalar(value)
