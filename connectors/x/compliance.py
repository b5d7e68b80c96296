"""X's batch compliance jobs: which stored posts and users are gone, or went private.

docs.x.com/x-api/compliance/batch-compliance (read in November 2026): a job of type ``tweets`` or ``users`` is made; the ids
are uploaded, one a line, to the address that it names; its status is asked for until it is complete; the results are one
JSON object a line, for those ids alone that need action. One job of each type at a time. The upload goes to X's storage,
or, since API 2.168, to the API itself; only there the token goes along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import msgspec

from connectors import wild
from connectors.asking import number
from connectors.contract import HttpAnswer, HttpRequest, Reconciliation, Sending
from connectors.sms import answered, base_url
from connectors.x.vocabulary import Note
from policies.event import Event, MessageUnsent, Noted
from policies.message import Identifier, IdentifierKind, Instant, Private

OPTIONS: Final = {
    "base_url": "https://api.x.com",
    "storage_url": "https://storage.googleapis.com",
    "account": "",
    "hours": "12",
    "batch": "4000",
    "calls": "50",
    "pace_ms": "1000",
}


class JobType(StrEnum):
    """What the ids of a job are."""

    POSTS = "tweets"
    USERS = "users"


class JobStatus(StrEnum):
    """How far a job is."""

    CREATED = "created"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why X wants something done about an id."""

    DELETED = "deleted"
    BOUNCED = "bounced"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    PROTECTED = "protected"
    SCRUB_GEO = "scrub_geo"


class ComplianceJob(Private, frozen=True, kw_only=True):
    """A job as X tells of it."""

    id: str
    type: JobType
    status: JobStatus
    upload_url: str
    download_url: str


class Result(Private, frozen=True, kw_only=True):
    """One id that needs action, and since when."""

    id: str
    reason: Reason
    at: Instant | None


class Results(Private, frozen=True, kw_only=True):
    """What was understood, and how many lines were not."""

    results: tuple[Result, ...]
    damaged: int


class Kept(Private, frozen=True, kw_only=True):
    """A stored message of somebody: its platform id, whether it is a post, and whether they wrote it."""

    id: str
    is_post: bool
    is_theirs: bool
    person: str


_DELETES: Final = frozenset({Reason.DELETED, Reason.BOUNCED, Reason.SUSPENDED, Reason.DEACTIVATED})


def addresses(sending: Sending) -> tuple[str, ...]:
    """Raises ValueError, without values, for the first option that is not right."""
    options = sending.options
    limits = (("hours", 1, 8760), ("batch", 1, 5000), ("calls", 5, 100_000), ("pace_ms", 0, 60_000))
    for name, least, most in limits:
        number(options, name, least, most)
    return base_url(sending), base_url(sending, "storage_url")


RECONCILIATION: Final = Reconciliation(options=OPTIONS, secrets=("bearer_token",), addresses=addresses)


def create_job(type_: JobType, sending: Sending, token: bytes) -> HttpRequest:
    """Make a job."""
    return HttpRequest(
        method="POST",
        url=f"{base_url(sending)}/2/compliance/jobs",
        headers={**_bearer(token), "content-type": "application/json"},
        body=msgspec.json.encode({"type": type_.value, "name": "sluicegate"}),
    )


def get_job(id_: str, sending: Sending, token: bytes) -> HttpRequest:
    """Ask how far a job is."""
    url = f"{base_url(sending)}/2/compliance/jobs/{quote(id_, safe='')}"
    return HttpRequest(method="GET", url=url, headers=_bearer(token))


def read_job(answer: HttpAnswer) -> ComplianceJob | None:
    """The job; None where anything of it is not understood."""
    data = wild.mapping(answered(answer).get("data"))
    try:
        type_, status = JobType(data.get("type") or ""), JobStatus(data.get("status") or "")
    except ValueError:
        return None
    id_ = wild.numeric(data.get("id"))
    upload, download = wild.text(data.get("upload_url")), wild.text(data.get("download_url"))
    if id_ is None or upload is None or download is None or not 200 <= answer.status < 300:
        return None
    return ComplianceJob(id=id_, type=type_, status=status, upload_url=upload, download_url=download)


def upload_ids(job: ComplianceJob, ids: Sequence[str], sending: Sending, token: bytes) -> HttpRequest:
    """Hand over the ids. The address is X's word: whoever carries this out calls declared hosts alone."""
    kind = "application/octet-stream" if _is_api(job.upload_url, sending) else "text/plain"
    return HttpRequest(
        method="PUT",
        url=job.upload_url,
        headers={**_bearer_at(job.upload_url, sending, token), "content-type": kind},
        body="".join(f"{one}\n" for one in ids).encode(),
    )


def download_results(job: ComplianceJob, sending: Sending, token: bytes) -> HttpRequest:
    """Ask for the results of a complete job."""
    url = job.download_url
    return HttpRequest(method="GET", url=url, headers=_bearer_at(url, sending, token))


def read_results(answer: HttpAnswer) -> Results | None:
    """Every line that says plainly what is to be done; None where this is no answer at all.

    An answer that was cut off ends in a damaged line. An id that is not named needs no action.
    """
    if answer.status != 200:
        return None
    lines = [line for line in answer.body.split(b"\n") if line.strip()]
    read = [_result(line) for line in lines]
    found = tuple(one for one in read if one is not None)
    return Results(results=found, damaged=len(lines) - len(found))


def post_events(account: str, kept: Kept, result: Result, now: Instant) -> Iterator[Event]:
    """What X's webhook would tell of a post: it is gone, or nothing that is kept (no post's place is)."""
    if result.reason is Reason.SCRUB_GEO:
        yield Noted(account=account, what=Note.SCRUB_GEO.value)
    elif result.reason in _DELETES or result.reason is Reason.PROTECTED:
        yield _gone(account, kept, result, now)


def user_events(account: str, kept: Sequence[Kept], result: Result, now: Instant) -> Iterator[Event]:
    """Of somebody who is gone, all that they wrote goes; of somebody who went private, their posts."""
    if result.reason is Reason.SCRUB_GEO:
        yield Noted(account=account, what=Note.SCRUB_GEO.value)
        return
    for one in kept:
        if one.is_theirs and (one.is_post or result.reason in _DELETES):
            yield _gone(account, one, result, now)


def _gone(account: str, kept: Kept, result: Result, now: Instant) -> MessageUnsent:
    person = (Identifier(kind=IdentifierKind.X_ID, value=kept.person),) if kept.person else ()
    at = min(result.at or now, now)
    return MessageUnsent(account=account, message_id=kept.id, occurred_at=at, person=person)


def _result(line: bytes) -> Result | None:
    try:
        told = wild.mapping(msgspec.json.decode(line))
        reason = Reason(told.get("reason") or "")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    id_ = wild.text(told.get("id"))
    if id_ is None or not id_.isascii() or not id_.isdigit() or told.get("action") != "delete":
        return None
    return Result(id=id_, reason=reason, at=wild.instant(told.get("redacted_at")))


def _is_api(url: str, sending: Sending) -> bool:
    """Whether the token may go there."""
    api = base_url(sending)
    return url == api or url.startswith(f"{api}/")


def _bearer_at(url: str, sending: Sending, token: bytes) -> dict[str, str]:
    return _bearer(token) if _is_api(url, sending) else {}


def _bearer(token: bytes) -> dict[str, str]:
    return {"authorization": f"Bearer {token.decode('latin-1')}"}
