"""docs/log-schema.md, made from the lines themselves."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec

from worker.inbound import Disposition
from worker.log.lines import LINES, Line

PREAMBLE: Final = """\
# The log

Sluicegate writes one JSON object per line to standard output, and nothing else. This page is made from the code
(`sluicegate logs --schema > docs/log-schema.md`); a test compares the two. There are no other lines and no other
fields, every field stands on every line, and no field holds content, a name, a phone number, a secret or an address
from outside: tenants and accounts are configured ones, references and persons are keyed pseudonyms, everything else
is a word of a closed table or a number.

Every line begins with `at` (the instant, UTC, microseconds), `line` (which of the lines below it is) and `level`
(`info`, `warning` or `error`).

Standard output that blocks does not stall the work: lines wait in a bounded queue (`SLUICEGATE_LOG_LINES`). When a
quarter of it is taken, all lines but deliveries and decisions are dropped; from a half on, deliveries too. Decision
lines have the whole queue; when that is full, a batch waits up to a quarter of a second for room before any is
dropped. Every drop is counted and told by a `lost` line in its place, and as a metric. The decision records in the
store are complete in any case: `sequence` tells which.
"""


def schema() -> str:
    """The page."""
    return "\n".join([PREAMBLE, *(_section(line) for line in LINES)])


def _section(line: type[Line]) -> str:
    tag = line.__struct_config__.tag
    words = inspect.cleandoc(line.__doc__ or "").replace("``", "`")
    hints = get_type_hints(line)
    own = [field for field in msgspec.structs.fields(line) if field.name != "level"]
    rows = [f"| `{field.name}` | {_type(field.name, hints[field.name])} |" for field in own]
    return "\n".join([f"## `{tag}`", "", words, "", "| field | value |", "| --- | --- |", *rows, ""])


def _type(name: str, annotation: Any) -> str:
    if name in {"disposition", "dispositions"}:
        words = ", ".join(f"`{word}`" for word in Disposition)
        return f"object: {words} → how often" if name == "dispositions" else f"one of {words}"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _plain(annotation)
    return "object: word → how often" if origin is dict else f"list of {_plain(arguments[0], many=True)}"


def _plain(annotation: type, *, many: bool = False) -> str:
    if issubclass(annotation, Enum):
        return "one of " + ", ".join(f"`{word.value}`" for word in annotation)
    if issubclass(annotation, msgspec.Struct):
        names = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(annotation))
        return f"objects with {names}"
    word = {str: "string", int: "number", bool: "true or false"}[annotation]
    return f"{word}s" if many else word
