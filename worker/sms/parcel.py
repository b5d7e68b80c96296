"""What is sealed of a text on its way out: what sending it needs, and what a reviewer is shown. Opens in its own row alone."""

from __future__ import annotations

from typing import Final

import msgspec

from policies.message import Instant, Private
from policies.sms.purpose import Purpose
from worker.crypto import Cipher
from worker.sms.submission import Submission


class Parcel(Private, frozen=True, kw_only=True, omit_defaults=True):
    """A text as it was governed, which is as it is sent; and what the last check before sending has to know.

    ``answers_opt_out``: the one confirmation of an opt-out, made by the worker. ``reviewed``: a person released it.
    """

    sender: str
    recipient: str
    text: str
    purpose: Purpose
    submitter: str = ""
    campaign: str = ""
    template: str = ""
    send_after: Instant | None = None
    not_after: Instant | None = None
    zone: str | None = None
    place: str | None = None
    answers_opt_out: bool = False
    reviewed: bool = False

    @classmethod
    def of(cls, submission: Submission, text: str) -> Parcel:
        """What was handed in, with the text as governed."""
        shared = set(cls.__struct_fields__) & set(Submission.__struct_fields__)
        told = {name: getattr(submission, name) for name in shared}
        return cls(**told | {"text": text})


class Shown(Private, frozen=True, kw_only=True):
    """One trait that spoke for a judgement, for reviewers: where in the text it stands (``end`` past the last letter)."""

    feature: str
    weight: float
    start: int
    end: int


class Case(Private, frozen=True, kw_only=True):
    """A text that a person has to look at: what would be sent, why it was held, and what would change it."""

    parcel: Parcel
    score: float = 0.0
    evidence: tuple[Shown, ...] = ()
    remedies: tuple[str, ...] = ()


_encoder: Final = msgspec.msgpack.Encoder()
_parcels: Final = msgspec.msgpack.Decoder(Parcel)
_cases: Final = msgspec.msgpack.Decoder(Case)


def seal_parcel(cipher: Cipher, tenant: str, key: bytes, parcel: Parcel) -> bytes:
    """For the row of the outbox under the message's key, by the conversation's cipher."""
    return cipher.seal(_encoder.encode(parcel), _place(b"outbox", tenant, key))


def open_parcel(cipher: Cipher, tenant: str, key: bytes, sealed: bytes) -> Parcel:
    """What was sealed. Raises CryptoError, or msgspec.MsgspecError when damaged."""
    return _parcels.decode(cipher.open(sealed, _place(b"outbox", tenant, key)))


def seal_case(cipher: Cipher, tenant: str, key: bytes, case: Case) -> bytes:
    """For the row of the review under the message's key, by the conversation's cipher."""
    return cipher.seal(_encoder.encode(case), _place(b"review", tenant, key))


def open_case(cipher: Cipher, tenant: str, key: bytes, sealed: bytes) -> Case:
    """What was sealed. Raises CryptoError, or msgspec.MsgspecError when damaged."""
    return _cases.decode(cipher.open(sealed, _place(b"review", tenant, key)))


def _place(kind: bytes, tenant: str, key: bytes) -> bytes:
    return kind + b"\0" + tenant.encode() + b"\0" + key
