"""Consents over the programming interface: what persons allowed or withdrew elsewhere. Scope: rights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from policies.event import Consent
from policies.message import Identifier, IdentifierKind, Instant, Json
from policies.sensitive.marks import CONSENTS
from worker.api.calls import Asked, Call, Services, Told, refusal
from worker.api.errors import problem, problems
from worker.api.keys import KeyScope
from worker.api.models import Body, Moment, Name, Problem, Wrong, instant
from worker.api.reading import Unreadable, read
from worker.consents import ConsentBook
from worker.consents import Told as Consented
from worker.tenants.loading import Tenant

API: Final = "api"
"""Source of a consent that came over the interface."""
IMPORT: Final = "import"
"""Source of one that came from a file."""

MOST_CONSENTS: Final = 1000
AHEAD: Final = 300 * 1_000_000
"""A clock may be so far ahead of ours, in microseconds; what lies further ahead would outlast every later word."""

_CATEGORY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SENSITIVE: Final = "sensitive_"

KindWord = Literal["phone", "bsuid", "parent_bsuid", "psid", "igsid", "x_id", "user_ref"]


def _category(word: str) -> str:
    if not _CATEGORY.fullmatch(word) or (word.startswith(_SENSITIVE) and word not in CONSENTS):
        raise Wrong("not_a_category")
    return word


class ConsentPerson(Body):
    """How the person is known on the account."""

    kind: KindWord
    value: Name


class ConsentGiven(Body):
    """One consent, given or withdrawn."""

    connector: Name = Field(description="A connector of the tenant.", examples=["whatsapp"])
    account: Name = Field(description="One of its accounts.")
    person: ConsentPerson
    category: Annotated[Name, AfterValidator(_category)] = Field(
        description="What it is for: marketing_messages, sms, sensitive_data (all that is sensitive), or"
        " sensitive_origin, _politics, _belief, _union, _health, _sex_life, _crime; or a word of your own.",
        examples=["sensitive_health"],
    )
    consent: Literal["granted", "withdrawn"]
    given_at: Moment = Field(description="When the person said so. Of several, the latest stands.")


class Consents(Body):
    """Several at once; each has a result of its own."""

    consents: Annotated[list[Any], Field(min_length=1, max_length=MOST_CONSENTS)]


class ConsentsGiven(Body):
    """The same as a document describes it."""

    consents: Annotated[list[ConsentGiven], Field(min_length=1, max_length=MOST_CONSENTS)]


class ConsentItem(Body):
    """What became of one of them."""

    status: Literal[200, 422]
    errors: list[Problem] = Field(default=[])


class ConsentResults(Body):
    """A result for each consent, in their order."""

    results: list[ConsentItem]


def checked(document: Json, tenant: Tenant, now: Instant) -> Consented | list[Problem]:
    """A consent, or what is wrong with it: for the interface, and for lines of files."""
    try:
        given = ConsentGiven.model_validate(document)
    except ValidationError as error:
        return problems(error)
    at = instant(given.given_at) or 0
    source = tenant.connectors.get(given.connector)
    wrong = [
        *([] if source is not None else [problem("unknown_connector", "connector")]),
        *(
            []
            if source is None or given.account in source.accounts
            else [problem("unknown_account", "account")]
        ),
        *([] if at <= now + AHEAD else [problem("lies_ahead", "given_at")]),
    ]
    return wrong or Consented(
        connector=given.connector,
        account=given.account,
        person=Identifier(kind=IdentifierKind(given.person.kind), value=given.person.value),
        category=given.category,
        consent=Consent(given.consent),
        at=at,
    )


def record(services: Services, asked: Asked) -> Told:
    """Record consents; one that is not well-formed does not fail the others."""
    try:
        envelope = Consents.model_validate(read(asked.body))
    except Unreadable as error:
        return refusal(422, problem(error.code))
    except ValidationError as error:
        return refusal(422, *problems(error))
    now = services.rights.clock()
    found = [checked(one, asked.tenant, now) for one in envelope.consents]
    whole = [one for one in found if isinstance(one, Consented)]
    if whole:
        recording = ConsentBook(services.store, services.keyring, services.rights.clock, services.committed)
        recording.record(asked.tenant, whole, API)
    return Told(status=200, body=ConsentResults(results=[_item(one) for one in found]))


RECORD: Final = Call(name="consents", scopes=frozenset({KeyScope.RIGHTS}), has_body=True, work=record)


def _item(one: Consented | Sequence[Problem]) -> ConsentItem:
    return (
        ConsentItem(status=200) if isinstance(one, Consented) else ConsentItem(status=422, errors=list(one))
    )
