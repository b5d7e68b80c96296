"""What outbox and review hold of a text, sealed under its conversation's key; keyed references of pairs and opt-outs."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.contract import Text
from policies.message import Instant, Private
from policies.sms.numbers import canonical
from policies.sms.policy import Scope
from policies.sms.purpose import Purpose
from worker.crypto import Cipher, reference

SUPPRESSION: Final = "suppression"
"""Purpose of the key under which opt-outs are remembered: a key of its own, never exported."""


class Payload(Private, frozen=True, kw_only=True, omit_defaults=True):
    """All that sending a text needs, and judging it once more: after a release, and in the last check before it goes.

    ``evidence``, ``score`` (0 to 1) and ``remedies`` are for reviewers; ``answers_opt_out``: the one confirmation of an
    opt-out; ``reviewed``: a person released it. ``inbound_at``: it came in then, and may be an opt-out: it is never sent.
    """

    id: str
    sender: str
    recipient: str
    text: str
    purpose: Purpose
    campaign: str = ""
    template: str = ""
    submitter: str = ""
    send_after: Instant | None = None
    not_after: Instant | None = None
    zone: str | None = None
    place: str | None = None
    answers_opt_out: bool = False
    reviewed: bool = False
    inbound_at: Instant | None = None
    score: float = 0.0
    evidence: tuple[tuple[str, float, int, int], ...] = ()
    remedies: tuple[str, ...] = ()

    @property
    def as_text(self) -> Text:
        """What a provider is given."""
        return Text(id=self.id, sender=self.sender, recipient=self.recipient, text=self.text)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Payload)


def seal_payload(cipher: Cipher, tenant: str, key: bytes, payload: Payload) -> bytes:
    """Sealed for its message (``key``): it opens under no other."""
    return cipher.seal(_encoder.encode(payload), _place(tenant, key))


def open_payload(cipher: Cipher, tenant: str, key: bytes, sealed: bytes) -> Payload:
    """Raises CryptoError, or msgspec.MsgspecError when damaged."""
    return _decoder.decode(cipher.open(sealed, _place(tenant, key)))


def pair_reference(pseudonym: bytes, sender: str, recipient: str) -> bytes:
    """Order is kept within a pair."""
    return reference(pseudonym, "pair", sender, recipient)


def suppression_reference(key: bytes, scope: Scope, value: str, recipient: str) -> bytes:
    """One opt-out: of everything (value ""), of one sender, of one campaign. ``key``: the tenant's for SUPPRESSION.

    However a provider spells the recipient's number.
    """
    return reference(key, scope.value, value, canonical(recipient))


def suppression_references(key: bytes, recipient: str, sender: str, campaign: str) -> tuple[bytes, ...]:
    """Every opt-out that would stand against this text, whatever scope is configured now."""
    references = [
        suppression_reference(key, Scope.TENANT, "", recipient),
        suppression_reference(key, Scope.SENDER, sender, recipient),
    ]
    if campaign:
        references.append(suppression_reference(key, Scope.CAMPAIGN, campaign, recipient))
    return tuple(references)


def _place(tenant: str, key: bytes) -> bytes:
    return b"text\0001\0" + tenant.encode() + b"\0" + key
