"""A request as it is handed in: the shape of the Genesys Cloud GDPR API (models GDPRRequest, GDPRSubject, ReplacementTerm).

Read strictly: a field that nobody knows may be an identifier that was spelt wrong, and what it names would be left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec

from policies.message import Json, Private
from worker.api.reading import Unreadable, read
from worker.rights.errors import RightsRefused

LONGEST: Final = 512
"""Characters of one identifier."""
MOST: Final = 100
"""Identifiers of one kind in one request."""


class Right(StrEnum):
    """What is asked for, in the words of the Genesys Cloud GDPR API."""

    EXPORT = "GDPR_EXPORT"
    UPDATE = "GDPR_UPDATE"
    DELETE = "GDPR_DELETE"


class SocialType(StrEnum):
    """Where a social handle is one."""

    TWITTER = "TWITTER"
    INSTAGRAM = "INSTAGRAM"
    FACEBOOK = "FACEBOOK"
    APPLE_MESSAGES = "APPLE_MESSAGES"


class TermType(StrEnum):
    """What a replacement term is about."""

    NAME = "NAME"
    ADDRESS = "ADDRESS"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    TWITTER = "TWITTER"
    INSTAGRAM = "INSTAGRAM"
    FACEBOOK = "FACEBOOK"
    APPLE_MESSAGES = "APPLE_MESSAGES"
    EXTERNAL_ID = "EXTERNAL_ID"


class _Strict(
    Private, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Every field is known, and none is shown."""


class SocialHandle(_Strict, frozen=True, kw_only=True):
    """A handle, or the platform's id of a person."""

    type: SocialType
    value: str


class DialerContact(_Strict, frozen=True, kw_only=True):
    """A contact of an outbound campaign of Genesys: known there, not here."""

    id: str
    contact_list_id: str


class JourneyCustomer(_Strict, frozen=True, kw_only=True):
    """A customer of Genesys' journey management: known there, not here."""

    type: str
    id: str


class Subject(_Strict, frozen=True, kw_only=True):
    """Whom a request is about."""

    name: str | None = None
    user_id: str | None = None
    external_contact_id: str | None = None
    dialer_contact_id: DialerContact | None = None
    journey_customer: JourneyCustomer | None = None
    social_handle: SocialHandle | None = None
    external_id: str | None = None
    addresses: tuple[str, ...] | None = None
    phone_numbers: tuple[str, ...] | None = None
    email_addresses: tuple[str, ...] | None = None


class Term(_Strict, frozen=True, kw_only=True):
    """One value that becomes another."""

    type: TermType
    existing_value: str
    updated_value: str


class RightsRequest(_Strict, frozen=True, kw_only=True):
    """What is asked, of whom. The fields that Genesys fills in when it answers are read and not used."""

    request_type: Right
    subject: Subject
    replacement_terms: tuple[Term, ...] | None = None
    id: str | None = None
    name: str | None = None
    created_by: Any = None
    created_date: str | None = None
    status: str | None = None
    results_url: str | None = None
    results_urls: tuple[str, ...] | None = None
    self_uri: str | None = None

    @property
    def terms(self) -> tuple[Term, ...]:
        """The replacement terms."""
        return self.replacement_terms or ()


def read_document(body: bytes) -> Json:
    """The JSON value of a file or a body. Raises RightsRefused."""
    try:
        return read(body)
    except Unreadable:
        raise RightsRefused("not_a_request") from None


def read_request(document: Json) -> RightsRequest:
    """A request in the Genesys Cloud shape. Raises RightsRefused."""
    if not isinstance(document, dict):
        raise RightsRefused("not_a_request")
    if document.get("requestType") not in tuple(Right):
        raise RightsRefused("unknown_action", "requestType")
    try:
        request = msgspec.convert(document, RightsRequest)
    except msgspec.ValidationError as error:
        raise RightsRefused("not_a_request", _place(f"{error}")) from None
    check(request)
    return request


def check(request: RightsRequest) -> None:
    """Raise RightsRefused for what no person can be found by, or nothing can be done with."""
    for field, value in values(request.subject):
        _check_value(value, field)
    if not any(field in _FINDING for field, _ in _by_field(request.subject)):
        raise RightsRefused("names_nobody", "subject")
    if (request.request_type is Right.UPDATE) != bool(request.terms):
        raise RightsRefused("no_terms", "replacementTerms")
    _check_terms(request.terms)


def values(subject: Subject) -> Iterator[tuple[str, str]]:
    """Every identifier under the name of its place, such as ("phoneNumbers[0]", "+12025550123")."""
    for field, value in _by_field(subject):
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, tuple):
            yield from ((f"{field}[{number}]", one) for number, one in enumerate(value))
        else:
            yield field, value.value if isinstance(value, SocialHandle) else value.id


_FINDING: Final = frozenset({"phoneNumbers", "socialHandle", "externalId", "externalContactId"})
"""Fields by which this store can know somebody; a name is only a hint, and the others are Genesys' own."""


def _by_field(subject: Subject) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(subject):
        value = getattr(subject, field.name)
        if value is not None and value != ():
            yield field.encode_name, value


def _check_value(value: str, where: str) -> None:
    if not value.strip() or len(value) > LONGEST or not value.isprintable():
        raise RightsRefused("bad_identifier", where)
    if where.endswith(f"[{MOST}]"):
        raise RightsRefused("bad_identifier", where)


def _check_terms(terms: tuple[Term, ...]) -> None:
    known: dict[tuple[TermType, str], str] = {}
    for number, term in enumerate(terms):
        where = f"replacementTerms[{number}]"
        for value in (term.existing_value, term.updated_value):
            _check_value(value, where)
        existing = (term.type, term.existing_value)
        if term.existing_value == term.updated_value or known.setdefault(existing, term.updated_value) != (
            term.updated_value
        ):
            raise RightsRefused("bad_term", where)


def _place(text: str) -> str:
    """Where msgspec found it, without what stood there: it names only fields of ours."""
    _, found, path = text.rpartition(" - at `$")
    return path.rstrip("`").lstrip(".") if found else ""
