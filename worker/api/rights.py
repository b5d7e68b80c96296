"""Requests of persons over the programming interface: handed in, asked after, read out. Scope: rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from itertools import chain
from typing import Any, Final, Literal

import msgspec
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from worker.acts import Operator
from worker.api.calls import Asked, Call, Services, Told, refusal
from worker.api.errors import problem
from worker.api.keys import KeyScope
from worker.api.models import Body
from worker.rights.deadlines import Source
from worker.rights.desk import Arrival, Desk
from worker.rights.errors import RightsRefused
from worker.rights.multicloud import read_multicloud
from worker.rights.outcome import Status
from worker.rights.request import RightsRequest, read_document, read_request
from worker.rights.ticket import Answer

StatusWord = Literal["INITIATED", "SEARCHING", "UPDATING", "DELETING", "FINALIZING", "COMPLETED", "ERROR"]
OutcomeWord = Literal["found", "exported", "erased", "rectified", "restricted_by_hold", "not_found", "hint"]

_SAID: Final = 512
_ID_DIGITS: Final = 32
_NOT_FOUND: Final = frozenset({"unknown_request", "nobody_found", "not_an_export"})
_CONFLICTS: Final = frozenset({"contradictory", "ambiguous_handle"})


class _Camel(Body):
    """Names as the Genesys Cloud GDPR API spells them."""

    model_config = ConfigDict(
        strict=False, alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )


class Handled(_Camel):
    """What became of one identifier. No value is repeated."""

    field: str = Field(description="Where it stood in the request, such as phoneNumbers[0].")
    outcome: OutcomeWord
    conversations: int


class Amounts(_Camel):
    """How much there was."""

    conversations: int
    messages: int
    restricted: int = Field(description="Contents that only a legal hold keeps.")
    identifiers: int
    consents: int
    opt_outs: int
    files: int = Field(description="Files of exports: written, or removed by an erasure.")
    files_left: int = Field(description="Files of exports that somebody has to remove by hand.")


class Rights(_Camel):
    """A request and how far it is."""

    id: str
    request_type: Literal["GDPR_EXPORT", "GDPR_UPDATE", "GDPR_DELETE"]
    status: StatusWord
    source: str
    created_date: str
    due_date: str
    completed_date: str | None
    urgency: Literal["due_soon", "overdue"] | None
    waits_for_hold: bool = Field(description="Only a legal hold keeps it from its end.")
    counts: Amounts
    execution_log: list[Handled]
    receipts: list[str] = Field(description="Ids of deletion receipts.")
    results_url: str | None

    @classmethod
    def of(cls, answer: Answer) -> Rights:
        """The same as a body."""
        return cls.model_validate(msgspec.to_builtins(answer))


class RightsList(_Camel):
    """A tenant's last requests, the first received first."""

    requests: list[Rights]


Work = Callable[[Services, Asked], Told]


def _answering(work: Work) -> Work:
    """What a desk refuses becomes a code and a sentence."""

    @wraps(work)
    def answered(services: Services, asked: Asked) -> Told:
        try:
            return work(services, asked)
        except RightsRefused as refused:
            status = 404 if refused.code in _NOT_FOUND else 409 if refused.code in _CONFLICTS else 422
            return refusal(status, problem(refused.code, refused.where))

    return answered


@_answering
def ask(services: Services, asked: Asked) -> Told:
    """Take a request and bring it as far as it goes; with ``dry_run=true`` only count."""
    desk, tenant = Desk(services.rights), asked.tenant.id
    request, arrival = _request(asked), _arrival(asked)
    if asked.query.get("dry_run") == "true":
        return Told(status=200, body=Rights.of(desk.count(tenant, request, arrival)))
    answer = desk.take(tenant, request, arrival)
    done = answer.status == Status.COMPLETED
    return Told(status=200 if done else 202, body=Rights.of(answer))


@_answering
def look(services: Services, asked: Asked) -> Told:
    """How far a request is."""
    return Told(status=200, body=Rights.of(Desk(services.rights).status(asked.tenant.id, _id(asked))))


@_answering
def list_all(services: Services, asked: Asked) -> Told:
    """The tenant's last requests."""
    answers = Desk(services.rights).all(asked.tenant.id)
    return Told(status=200, body=RightsList(requests=[Rights.of(one) for one in answers]))


@_answering
def read_out(services: Services, asked: Asked) -> Told:
    """The data of the person whom an export is about, in pieces."""
    desk, id_ = Desk(services.rights), _id(asked)
    pieces = desk.export(asked.tenant.id, id_)
    first = next(pieces)  # whatever is wrong is told before the answer begins
    answer = desk.status(asked.tenant.id, id_)
    return Told(status=200, body=Rights.of(answer), pieces=chain([first], pieces))


def _call(name: str, work: Work, *, has_body: bool = False) -> Call:
    return Call(name=name, scopes=frozenset({KeyScope.RIGHTS}), has_body=has_body, work=work)


CALLS: Final[Mapping[tuple[str, str], Call]] = {
    ("POST", ""): _call("rights_ask", ask, has_body=True),
    ("GET", ""): _call("rights_list", list_all),
    ("GET", "/{id}"): _call("rights_look", look),
    ("GET", "/{id}/export"): _call("rights_export", read_out),
}
"""Method, and what follows ``/v1/tenants/{tenant}/rights``."""


def _request(asked: Asked) -> RightsRequest:
    document: Any = read_document(asked.body)
    if not isinstance(document, dict) or "requestType" in document:
        return read_request(document)
    requests = read_multicloud(document, asked.tenant.id)
    if len(requests) != 1:
        raise RightsRefused("several_requests")
    return requests[0]


def _arrival(asked: Asked) -> Arrival:
    region, given = asked.query.get("region"), asked.query.get("source", Source.API)
    if region is not None and not (len(region) == 2 and region.isalpha() and region.isascii()):
        raise RightsRefused("bad_phone")
    if given not in {Source.API, Source.PERSON, Source.X}:
        raise RightsRefused("bad_source")
    why = asked.query.get("why", "")[:_SAID]
    return Arrival(
        operator=Operator(name=asked.caller.label, why=why),
        source=Source(given),
        region=region.upper() if region else None,
    )


def _id(asked: Asked) -> bytes:
    try:
        id_ = bytes.fromhex(asked.id)
    except ValueError:
        raise RightsRefused("unknown_request") from None
    if len(asked.id) != _ID_DIGITS:
        raise RightsRefused("unknown_request")
    return id_
