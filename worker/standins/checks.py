"""What several providers check alike."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

import msgspec

from policies.message import Json
from worker.standins.provider import Account, Received


def basic(received: Received, key: str, secret: str) -> bool:
    """HTTP's Basic scheme."""
    return _is(received, "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode())


def bearer(received: Received, token: str) -> bool:
    """A bearer token that is in force."""
    return bool(token) and _is(received, f"Bearer {token}")


def _is(received: Received, expected: str) -> bool:
    given = received.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def json_object(received: Received) -> dict[str, Json] | None:
    """The body, where it is a JSON object and says so."""
    if received.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return None
    try:
        value = msgspec.json.decode(received.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def text_of(fields: Mapping[str, Json], name: str) -> str:
    """A field that is a text, else ""."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def wrong_party(sender: str, account: Account, *, plus: bool = True) -> bool:
    """Whether a sender is missing or not of this account. ``plus``: whether this API writes E.164 with its plus."""
    senders = account.senders if plus else {one.removeprefix("+") for one in account.senders}
    return not sender or (bool(senders) and sender not in senders)
