"""What is handed in to be sent, and what is answered: values without any wire format."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from policies.message import Instant, Private
from policies.sms.purpose import Purpose
from policies.sms.segments import Encoding


class Submission(Private, frozen=True, kw_only=True, omit_defaults=True):
    """One text as somebody handed it in, well-formed and not yet judged.

    ``sender``: a number in E.164, a short code or a name; ``recipient``: a number in E.164, or a short one (whether a
    text may go to an emergency number is a policy's answer). ``campaign`` and ``template`` are the submitter's own names
    for them, ``submitter`` is who answers for the text (VT-1.1; "": whoever holds the key). ``reference`` is the client's: "" for none, and then
    every call is a new text. ``zone`` (``America/Denver``) and ``place`` (``US-CO``): where the recipient is, if known.
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
    reference: str = ""
    zone: str | None = None
    place: str | None = None


class Ruling(StrEnum):
    """What was decided of a text. ``quarantined`` waits for a person; ``refused`` is never sent."""

    ACCEPTED = "accepted"
    DELAYED = "delayed"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """A reason as a submitter is told it: the code, the rule, the clauses of the terms, and a sentence."""

    code: str
    rule: str
    clauses: tuple[str, ...]
    sentence: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a submitter is told, without content, score or evidence. ``id`` is ours: 32 hexadecimal digits.

    ``encoding`` is of the text as it would be sent; ``until``: not sent before, None where it goes at once or not at all.
    """

    id: str
    verdict: Ruling
    reasons: tuple[Stated, ...]
    encoding: Encoding
    until: Instant | None = None


class Rejection(StrEnum):
    """Why a well-formed submission was not judged at all."""

    CONFLICT = "conflict"
    """Its reference stands for another text already."""

    TOO_LATE = "too_late"
    """Its do-not-send-after has passed."""

    OUT_OF_SERVICE = "out_of_service"
    """Its sender is the tenant's, and its provider account is not configured or not in order: come back later."""


Result = Answer | Rejection
