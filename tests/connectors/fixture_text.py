"""Events as plain JSON: how the ``.expected.json`` beside a fixture is written, and what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from policies.event import Event
from policies.message import Json


def as_json(events: Iterable[Event]) -> list[Json]:
    """Every event as an object: ``event`` is its class, then every field that is not at its default."""
    return [{"event": type(event).__name__, **_fields(event)} for event in events]


def _fields(value: msgspec.Struct) -> dict[str, Json]:
    shown = {}
    for field in msgspec.structs.fields(value):
        held = getattr(value, field.name)
        if held != _default(field):
            shown[field.name] = _plain(held)
    return shown


def _default(field: msgspec.structs.FieldInfo) -> Json:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _plain(value: object) -> Json:
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, Mapping):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return msgspec.to_builtins(value)
