"""Keys of the programming interface: ``sg_<tenant>_<prefix>_<secret>``. The secret has 256 bits; its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import StrEnum
from typing import Final

from policies.message import Private

_SECRET_BYTES: Final = 32
_PREFIX_BYTES: Final = 5
_LONGEST: Final = 256
_BEARER: Final = "bearer "


class KeyScope(StrEnum):
    """What a key is good for."""

    SEND = "send"
    REVIEW = "review"
    RIGHTS = "rights"
    READ = "read"


class FreshKey(Private, frozen=True, kw_only=True):
    """A key at the only moment at which its text is known."""

    text: str
    prefix: str
    digest: bytes


class Presented(Private, frozen=True, kw_only=True):
    """A key as a caller showed it: whose it says it is, where to look it up, and what must be stored there."""

    tenant: str
    prefix: str
    digest: bytes

    def fits(self, stored: bytes | None) -> bool:
        """Whether the stored digest is this key's, in constant time; None costs the same."""
        return hmac.compare_digest(stored or bytes(hashlib.sha256().digest_size), self.digest) and bool(
            stored
        )


def fresh_key(tenant: str) -> FreshKey:
    """A new key of a tenant."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    text = f"sg_{tenant}_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return FreshKey(text=text, prefix=prefix, digest=_digest(text))


def presented(authorization: str) -> Presented:
    """What stands in an ``Authorization`` header. What is no key at all is looked up like one that is not known."""
    scheme, text = authorization[: len(_BEARER)], authorization[len(_BEARER) :]
    parts = text.split("_", 3)
    usable = scheme.lower() == _BEARER and text.isascii() and len(text) <= _LONGEST
    if not usable or len(parts) != 4 or parts[0] != "sg" or "\0" in text:
        return Presented(tenant="", prefix="", digest=_digest(text[:_LONGEST]))
    return Presented(tenant=parts[1], prefix=parts[2], digest=_digest(text))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
