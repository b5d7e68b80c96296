"""What each call does, once it is known who calls: from a body to a status and a body. Runs in threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from policies.message import Json, Private
from worker.api.access import Caller
from worker.api.errors import problem, problems
from worker.api.keys import KeyScope
from worker.api.lookup import look_up
from worker.api.models import Envelope, Item, Message, Problem, Problems, Results, Verdict
from worker.api.reading import Unreadable, read
from worker.inbound import Committed
from worker.keyring import Keyring
from worker.rights.steps import Tools
from worker.sms.outbound import Outbound
from worker.sms.submission import Answer, Rejection, Result
from worker.store.engine import Store
from worker.tenants.loading import Tenant

_ID: Final = re.compile(r"[0-9a-f]{32}")
_REJECTIONS: Final[Mapping[Rejection, tuple[Literal[409, 422, 503], Problem]]] = {
    Rejection.CONFLICT: (409, problem("conflict", "client_reference")),
    Rejection.TOO_LATE: (422, problem("too_late", "do_not_send_after")),
    Rejection.OUT_OF_SERVICE: (503, problem("out_of_service", "sender")),
}


class Told(Private, frozen=True, kw_only=True):
    """An answer: the status and the body. ``texts`` is how many texts the call was about.

    ``pieces`` is what is sent in the body's place: JSON that is made while it is sent.
    """

    status: int
    body: BaseModel
    texts: int = 0
    pieces: Iterator[bytes] | None = None


class Services(Private, frozen=True, kw_only=True):
    """What calls work with. ``committed`` is told of what a call had settled, for log and metrics."""

    store: Store
    keyring: Keyring
    outbound: Outbound
    rights: Tools
    committed: Callable[[Sequence[Committed]], None] = lambda _batch: None


class Asked(Private, frozen=True, kw_only=True):
    """A call by somebody who may make it: for which tenant, with which id in its path ("" for none), and its body."""

    tenant: Tenant
    caller: Caller
    id: str
    body: bytes = b""
    query: Mapping[str, str] = {}


class Call(Private, frozen=True, kw_only=True):
    """One kind of call: its name on log lines, the scopes of which one is needed, whether it brings a body, what it does."""

    name: str
    scopes: frozenset[KeyScope]
    has_body: bool
    work: Callable[[Services, Asked], Told]


def refusal(status: int, *wrong: Problem) -> Told:
    """Why nothing was done."""
    return Told(status=status, body=Problems(errors=list(wrong)))


def submit(services: Services, asked: Asked) -> Told:
    """One text, or several with a result each."""
    try:
        document = read(asked.body)
    except Unreadable as error:
        return refusal(422, problem(error.code))
    if isinstance(document, dict) and "messages" in document:
        return _submit_several(services, asked, document)
    (item,) = _submit(services, asked, [document])
    body = item.result if item.result is not None else Problems(errors=item.errors)
    return Told(status=item.status, body=body, texts=1)


def look(services: Services, asked: Asked) -> Told:
    """Where one text stands."""
    if not _ID.fullmatch(asked.id):
        return refusal(404, problem("not_found"))
    reviewing = asked.caller.may(KeyScope.REVIEW)
    found = look_up(services.store, services.keyring, asked.tenant, asked.id, reviewing=reviewing)
    return refusal(404, problem("not_found")) if found is None else Told(status=200, body=found, texts=1)


SUBMIT: Final = Call(name="submit", scopes=frozenset({KeyScope.SEND}), has_body=True, work=submit)
LOOK: Final = Call(
    name="look",
    scopes=frozenset({KeyScope.SEND, KeyScope.READ, KeyScope.REVIEW}),
    has_body=False,
    work=look,
)


def _submit_several(services: Services, asked: Asked, document: Mapping[str, Json]) -> Told:
    try:
        envelope = Envelope.model_validate(document)
    except ValidationError as error:
        return refusal(422, *problems(error))
    results = _submit(services, asked, envelope.messages)
    return Told(status=202, body=Results(results=results), texts=len(results))


def _submit(services: Services, asked: Asked, documents: Sequence[Json]) -> list[Item]:
    """Hand in what is well-formed with one call; what is not costs the others nothing."""
    read_: list[Message | Item] = [_message(document) for document in documents]
    whole = [one.submission() for one in read_ if isinstance(one, Message)]
    results = iter(services.outbound.submit(asked.tenant, whole, asked.caller.label) if whole else ())
    return [one if isinstance(one, Item) else _item(next(results)) for one in read_]


def _message(document: Json) -> Message | Item:
    try:
        return Message.model_validate(document)
    except ValidationError as error:
        return Item(status=422, errors=problems(error))


def _item(result: Result) -> Item:
    if isinstance(result, Answer):
        return Item(status=202, result=Verdict.of(result))
    status, wrong = _REJECTIONS[result]
    return Item(status=status, errors=[wrong])


def as_json(body: BaseModel) -> bytes:
    """The body on the wire."""
    return body.model_dump_json().encode()


def first_code(body: Any) -> str:
    """The word that a log line has for why nothing was done, "" where something was."""
    return body.errors[0].code if isinstance(body, Problems) else ""
