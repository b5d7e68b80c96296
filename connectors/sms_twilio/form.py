"""Twilio's bodies: forms (``application/x-www-form-urlencoded``), read once for the signature and for the payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from connectors.decode import MalformedPayload
from connectors.decode import decode as decode_json
from policies.message import Json

MAX_FIELDS: Final = 512
"""Ten times what Twilio's largest callback holds."""

Fields = Mapping[bytes, tuple[bytes, ...]]
"""By name the different values, both in the order of their bytes."""

_unstorable = re.compile("[\x00\ud800-\udfff]")


def fields(body: bytes) -> Fields | None:
    """The fields of a form, None where it is none, or where nobody would send so many.

    A field without ``=`` is no field: what is signed does not tell one from a field whose value it is.
    """
    if body.count(b"&") >= MAX_FIELDS:
        return None
    gathered: dict[bytes, set[bytes]] = {}
    for field in body.split(b"&") if body else ():
        name, equals, value = field.partition(b"=")
        if not name or not equals:
            return None
        gathered.setdefault(_plain(name), set()).add(_plain(value))
    return {name: tuple(sorted(gathered[name])) for name in sorted(gathered)}


def decode(body: bytes) -> tuple[Json, bool]:
    """A form as an object, repeated fields as lists; JSON, which other products of Twilio's send, as what it is.

    The flag tells that bytes had to be replaced. Raises MalformedPayload.
    """
    if body.lstrip()[:1] in (b"{", b"["):
        return decode_json(body)
    form = fields(body)
    if not form:
        raise MalformedPayload
    damaged = False
    payload: dict[str, Json] = {}
    for name, values in form.items():
        texts = [_text(value) for value in (name, *values)]
        damaged = damaged or any(replaced for _, replaced in texts)
        (key, *told) = (text for text, _ in texts)
        payload[key] = told[0] if len(told) == 1 else told
    return payload, damaged


def _plain(encoded: bytes) -> bytes:
    return unquote_to_bytes(encoded.replace(b"+", b" "))


def _text(raw: bytes) -> tuple[str, bool]:
    try:
        text, damaged = raw.decode(), False
    except UnicodeDecodeError:
        text, damaged = raw.decode(errors="replace"), True
    cleaned, count = _unstorable.subn("\ufffd", text)
    return cleaned, damaged or count > 0
