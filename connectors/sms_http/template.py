"""Templates whose slots, such as ``{text}``, are filled with values encoded for where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, quote_plus

SLOTS: Final = ("text", "sender", "recipient", "id", "authorization")

Encode = Callable[[str], str]

_slot = re.compile(r"\{([A-Za-z_]+)\}")
_TELLING: Final = '"quoted\\ &=+%\n{é'
"""A value that breaks out of any place where it is not encoded rightly."""


def in_json(value: str) -> str:
    """For the inside of a JSON string."""
    return json.dumps(value)[1:-1]


def in_form(value: str) -> str:
    """For a form field's value (``application/x-www-form-urlencoded``)."""
    return quote_plus(value, safe="")


def in_url(value: str) -> str:
    """For a part of a path, or a query's value."""
    return quote(value, safe="")


ENCODINGS: Final[Mapping[str, Encode]] = MappingProxyType(
    {"application/json": in_json, "application/x-www-form-urlencoded": in_form}
)
"""What a body may be, and how a slot in it is encoded."""


def slots(template: str) -> frozenset[str]:
    """The slots of a template. Raises ValueError for a name that is none."""
    found = frozenset(_slot.findall(template))
    if not found <= frozenset(SLOTS):
        raise ValueError("templates with the slots " + ", ".join(f"{{{name}}}" for name in SLOTS))
    return found


def filled(template: str, values: Mapping[str, str], encode: Encode) -> str:
    """The template with every slot filled, once: a brace in a value starts no slot."""
    return _slot.sub(lambda match: encode(values[match[1]]), template)


def check_json(template: str) -> None:
    """Raises ValueError unless the template is JSON whatever stands in its slots, and says the values as they are."""
    values = dict.fromkeys(SLOTS, _TELLING)
    try:
        said = list(_texts(json.loads(filled(template, values, in_json))))
    except (ValueError, RecursionError):
        said = []
    if sum(text.count(_TELLING) for text in said) != len(_slot.findall(template)):
        raise ValueError("a body that is JSON, with every slot inside a quoted text")


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]
