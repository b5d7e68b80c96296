"""Reading ``[sms]`` and ``[[egress]]`` of a tenant's file: every part is converted alone, so that every error is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from policies.message import Instant, Private
from policies.rules import SHADOWABLE
from policies.screening.context import ScreeningPolicy
from policies.screening.patterns import template
from policies.sms.countries import Registry, SenderKind
from policies.sms.policy import Scope, SmsPolicy
from policies.sms.senders import Evidence, Sender

Wrong = Callable[[str, str], None]
"""Told of every error: the key, and what was expected there."""

T = TypeVar("T")

_INSTANTS: Final = frozenset({"valid_from", "valid_until"})
_ENUMS: Final[Mapping[str, type[StrEnum]]] = {
    "kind": SenderKind,
    "evidence": Evidence,
    "registry": Registry,
    "opt_out_scope": Scope,
}
_plain_key = re.compile(r"[A-Za-z0-9_-]{1,64}")
_host = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_problem = re.compile(r"(?P<said>.*?)(?: - at `\$?(?P<place>[^`]*)`)?", re.DOTALL)
_type = re.compile(r"Expected `(?P<wanted>[\w |]+)`, got `[\w |]+`")
_field = re.compile(r"Object (?P<which>missing required|contains unknown) field `(?P<name>[^`]*)`")
_PLAIN: Final = {
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "float": "a number",
    "array": "a list",
    "object": "a table",
}


class Egress(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination that was declared (PP-5): the host, what for, where it is, and on what legal basis it gets data."""

    host: str
    purpose: str
    region: str
    legal_basis: str

    def __post_init__(self) -> None:
        if _host.fullmatch(self.host) is None:
            raise ValueError("a host name in lower case, such as api.example.com")
        if not all(
            word.strip() and word.isprintable() for word in (self.purpose, self.region, self.legal_basis)
        ):
            raise ValueError("purpose, region and legal_basis in plain words")


def read_sms(table: Mapping[str, Any], wrong: Wrong) -> SmsPolicy | None:
    """``[sms]``, or None after every error was told."""
    told: list[str] = []

    def tell(key: str, expected: str) -> None:
        told.append(key)
        wrong(key, expected)

    fields = {field.name: field.type for field in msgspec.structs.fields(SmsPolicy)}
    values: dict[str, Any] = {}
    for key, given in table.items():
        if key not in fields:
            tell(f"sms.{_shown(key)}", f"a key that is one of: {', '.join(fields)}")
        elif key == "senders":
            values[key] = tuple(_senders(given, tell))
        else:
            values[key] = convert(given, fields[key], f"sms.{key}", tell)
    policy = None if told else _checked(values, tell)
    return None if told else policy


def read_egress(given: Any, wrong: Wrong) -> tuple[Egress, ...]:
    """``[[egress]]``."""
    if not isinstance(given, list):
        wrong("egress", "tables [[egress]]")
        return ()
    found = (convert(item, Egress, f"egress[{index}]", wrong) for index, item in enumerate(given))
    return tuple(one for one in found if one is not None)


def convert(given: Any, type_: type[T], path: str, wrong: Wrong) -> T | None:
    """The value as ``type_``; None after telling where it does not fit. What was given is never told."""
    missing = _missing(given, type_)
    for name in missing:
        wrong(f"{path}.{name}", _one_of(name) or "a value")
    if missing:
        return None
    try:
        return msgspec.convert(given, type_)
    except msgspec.ValidationError as error:
        wrong(*_explained(str(error), path))
        return None


def _missing(given: Any, type_: Any) -> list[str]:
    """The fields that a table must have and has not: all of them, where the conversion would tell the first."""
    if not isinstance(given, dict) or msgspec.Struct not in getattr(type_, "__mro__", ()):
        return []
    return [
        field.name for field in msgspec.structs.fields(type_) if field.required and field.name not in given
    ]


def _one_of(key: str) -> str:
    enum = _ENUMS.get(key)
    return f"one of: {', '.join(enum)}" if enum else ""


def _senders(given: Any, wrong: Wrong) -> Iterator[Sender | None]:
    if not isinstance(given, list):
        wrong("sms.senders", "tables [[sms.senders]]")
        yield None
        return
    for index, item in enumerate(given):
        path = f"sms.senders[{index}]"
        yield convert(_with_instants(item, path, wrong), Sender, path, wrong)


def _checked(values: Mapping[str, Any], wrong: Wrong) -> SmsPolicy | None:
    """What types do not say."""
    try:
        policy = SmsPolicy(**values)
    except ValueError as error:
        wrong("sms", str(error))
        return None
    addresses = [sender.address for sender in policy.senders]
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            wrong(f"sms.senders[{index}].address", "an address that no sender before has")
    for index, written in enumerate(policy.templates):
        _tried(partial(template, written), f"sms.templates[{index}]", wrong)
    _tried(partial(ScreeningPolicy.of, policy.screening), "sms.screening", wrong)
    for index, name in enumerate(policy.shadow):
        if name not in SHADOWABLE:
            wrong(f"sms.shadow[{index}]", f"a rule that may be tried: {', '.join(sorted(SHADOWABLE))}")
    return policy


def _tried(make: Callable[[], object], path: str, wrong: Wrong) -> None:
    try:
        make()
    except ValueError as error:
        wrong(path, str(error))


def _with_instants(given: Any, path: str, wrong: Wrong) -> Any:
    """TOML's dates and date-times as instants; a date means its first moment in UTC."""
    if isinstance(given, list):
        return [_with_instants(item, f"{path}[{index}]", wrong) for index, item in enumerate(given)]
    if not isinstance(given, dict):
        return given
    return {
        key: _instant(value, f"{path}.{key}", wrong)
        if key in _INSTANTS
        else _with_instants(value, f"{path}.{_shown(key)}", wrong)
        for key, value in given.items()
    }


def _instant(given: Any, path: str, wrong: Wrong) -> Instant | None:
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time(), UTC)
    if isinstance(given, datetime) and given.tzinfo is not None:
        return round(given.timestamp() * 1_000_000)
    wrong(path, "a date, or a date and time with its offset, such as 2026-11-21T08:00:00Z")
    return None


def _explained(said: str, path: str) -> tuple[str, str]:
    """Msgspec's error in our words: its own repeat enum values and unknown keys as they were given."""
    match = _problem.fullmatch(said)
    place = (match["place"] or "") if match else ""
    text = match["said"] if match else ""
    where = path + (place if re.fullmatch(r"[\w.\[\]-]*", place) else "")
    if wanted := _type.fullmatch(text):
        kinds = [_PLAIN[kind] for kind in wanted["wanted"].split(" | ") if kind in _PLAIN]
        return where, " or ".join(kinds) or "another type of value"
    if field := _field.fullmatch(text):
        if field["which"] == "missing required":
            return f"{where}.{field['name']}", "a value"
        return f"{where}.{_shown(field['name'])}", "no such key"
    if text.startswith("Invalid enum value"):
        words = _one_of(where.rpartition(".")[2])
        return where, words or "a word that the documentation of this key names"
    # What is left are the sentences of our own types: none repeats a value.
    return where, text if text and not text.startswith(("Object", "Invalid")) else "a value that fits"


def _shown(key: str) -> str:
    return key if _plain_key.fullmatch(key) else "(unprintable key)"
