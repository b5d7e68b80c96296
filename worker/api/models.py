"""The bodies of the programming interface: what may be sent to it, what it answers. docs/openapi.json is made of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from policies.message import Instant
from policies.sms.purpose import Purpose
from policies.sms.recipients import objection
from policies.verdict import ReasonCode
from worker.sms.submission import Answer, Submission
from worker.transcripts import iso

LONGEST_TEXT: Final = 1600
LONGEST_NAME: Final = 128
MOST_MESSAGES: Final = 1000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_PLACE: Final = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")
# A line feed, a carriage return, a tab and GSM-7's page break are text.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


class Wrong(ValueError):
    """What is wrong with a value: a word of worker/api/errors.py, which has its sentence."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _readable(text: str) -> str:
    if _CONTROL.search(text):
        raise Wrong("control_character")
    if not text.strip():
        raise Wrong("empty")
    return text


def _line(text: str) -> str:
    if not text.isprintable():
        raise Wrong("control_character")
    if text != text.strip():
        raise Wrong("outer_space")
    return text


def _number(text: str) -> str:
    """Whether a text may go there is a policy's answer; whether it is a number at all is not."""
    if objection(text) is ReasonCode.RECIPIENT_MALFORMED:
        raise Wrong("not_a_number")
    return text


def _moment(given: Any) -> Any:
    """RFC 3339 with an offset. A moment without one would be somebody's guess."""
    if not isinstance(given, str):
        return given
    found = _RFC3339.fullmatch(given)
    if found is None:
        raise Wrong("not_a_time")
    if found["offset"] is None:
        raise Wrong("no_offset")
    try:
        return datetime.fromisoformat(given.upper())
    except ValueError:
        raise Wrong("not_a_time") from None


def _zone(name: str) -> str:
    if name not in _zones():
        raise Wrong("unknown_zone")
    return name


def _place(name: str) -> str:
    if not _PLACE.fullmatch(name):
        raise Wrong("not_a_place")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_line)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
PurposeWord = Literal["transactional", "marketing", "conversational"]


class Body(BaseModel):
    """What all bodies share: nothing is converted, nothing unknown is taken, no error repeats what was sent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Message(Body):
    """One text to be sent."""

    sender: Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_line)] = Field(
        description="A sender of the tenant's register: a number in E.164, a short code or a name.",
        examples=["+12025550123"],
    )
    recipient: Annotated[
        str, Field(min_length=1, max_length=32), AfterValidator(_line), AfterValidator(_number)
    ] = Field(description="A number in E.164.", examples=["+12025550143"])
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_readable)] = Field(
        description="What is to be sent.", examples=["Your parcel arrives tomorrow."]
    )
    purpose: PurposeWord = Field(description="What the text is for; marketing is bound to hours.")
    submitter: Name | None = Field(
        default=None,
        description="Who answers for the text. Default: the label of the key.",
        examples=["Jane Roe"],
    )
    campaign: Name | None = Field(default=None, description="The submitter's own name of the campaign.")
    template: Name | None = Field(default=None, description="The submitter's own name of the template.")
    send_after: Moment | None = Field(
        default=None, description="Not before this moment (RFC 3339 with an offset)."
    )
    do_not_send_after: Moment | None = Field(
        default=None, description="Not after this moment: what could go only later expires."
    )
    client_reference: Name | None = Field(
        default=None,
        description="Makes the call idempotent for 30 days: the same body gets the same answer, another one 409.",
    )
    time_zone: Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_zone)] | None = Field(
        default=None,
        description="The recipient's own time zone, where it is known.",
        examples=["America/Denver"],
    )
    place: Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_place)] | None = Field(
        default=None, description="The recipient's country or state (ISO 3166).", examples=["US-CO"]
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (
            self.send_after is not None
            and self.do_not_send_after is not None
            and self.send_after >= self.do_not_send_after
        ):
            raise Wrong("before_send_after")
        return self

    def submission(self) -> Submission:
        """The same as the worker's own value."""
        return Submission(
            sender=self.sender,
            recipient=self.recipient,
            text=self.text,
            purpose=Purpose(self.purpose),
            submitter=self.submitter or "",
            campaign=self.campaign or "",
            template=self.template or "",
            send_after=instant(self.send_after),
            not_after=instant(self.do_not_send_after),
            reference=self.client_reference or "",
            zone=self.time_zone,
            place=self.place,
        )


class Messages(Body):
    """Several texts at once; each has a result of its own."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]


class Envelope(Body):
    """The same before anybody has looked at the texts: one that is not well-formed does not fail the others."""

    messages: Annotated[list[Any], Field(min_length=1, max_length=MOST_MESSAGES)]


def instant(moment: datetime | None) -> Instant | None:
    """The moment in microseconds since the epoch."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


# --- what is answered -------------------------------------------------------------------------------------------------------


class Problem(Body):
    """What is wrong with one field. No value is ever repeated."""

    field: str = Field(description="Where: a field of the body, or empty for the whole of it.")
    code: str = Field(description="A stable word.")
    sentence: str


class Problems(Body):
    """Why a request was not taken."""

    errors: list[Problem]


class ReasonGiven(Body):
    """One reason of a verdict."""

    code: str
    rule: str
    clauses: list[str] = Field(description="The clauses of the terms that the reason serves.")
    sentence: str


class Size(Body):
    """How long the text is on the air."""

    alphabet: Literal["gsm7", "ucs2"]
    units: int = Field(description="Septets (gsm7) or 16-bit units (ucs2).")
    parts: int


class Verdict(Body):
    """What was decided of a text."""

    id: str = Field(description="Our id of the text: 32 hexadecimal digits.")
    verdict: Literal["accepted", "delayed", "quarantined", "refused"]
    reasons: list[ReasonGiven]
    encoding: Size
    until: str | None = Field(description="Not sent before this moment, where it is delayed.")

    @classmethod
    def of(cls, answer: Answer, **more: Any) -> Self:
        """The same as a body."""
        encoding = answer.encoding
        return cls(
            id=answer.id,
            verdict=answer.verdict.value,
            reasons=[
                ReasonGiven(code=one.code, rule=one.rule, clauses=list(one.clauses), sentence=one.sentence)
                for one in answer.reasons
            ],
            encoding=Size(alphabet=encoding.alphabet.value, units=encoding.units, parts=encoding.parts),
            until=iso(answer.until),
            **more,
        )


StateWord = Literal[
    "queued", "sending", "unknown", "sent", "failed", "expired", "stopped", "unresolved", "cancelled",
    "waiting", "released", "rejected", "refused", "finished",
]  # fmt: skip
StatusWord = Literal["sent", "failed", "delivered", "read", "played"]


class Evidence(Body):
    """One trait of the text that spoke for the verdict, and where it stands in it."""

    feature: str
    weight: float
    start: int
    end: int


class Review(Body):
    """What a reviewer is shown beside a text that waits."""

    score: float
    evidence: list[Evidence]
    remedies: list[str] = Field(description="What would change the verdict.")


class Text(Verdict):
    """Where a text stands."""

    state: StateWord = Field(
        description="How far it came here. waiting, released, rejected: before a person; unknown: the provider did"
        " not say whether it was sent; unresolved: and never will; stopped: the last check before sending refused it;"
        " finished: done so long ago that only its verdict and status are left."
    )
    status: StatusWord | None = Field(description="The furthest that the provider reported.")
    failure: str | None = Field(
        description="Why it was not sent or not delivered: one word for all providers."
    )
    submitted_at: str
    review: Review | None = Field(description="For keys with the scope review, while it waits.")


class Item(Body):
    """What became of one text of several: what its own call would have been answered."""

    status: Literal[202, 409, 422, 503]
    result: Verdict | None = None
    errors: list[Problem] = []


class Results(Body):
    """A result for each text, in their order."""

    results: list[Item]
