"""Requests in the shape of Genesys Multicloud CX ("standard JSON format"), made into the Genesys Cloud shape.

That format is known from its description alone: one JSON with the actions and the consumers that they concern, the same
for erasure ("Forget Me") and access ("Export"). The names of its fields could not be verified, so they are a table that
can be replaced (docs/rights.md). Fields that nobody mapped are left aside; an action that nobody knows never is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from policies.message import Json, Private
from worker.rights.errors import RightsRefused
from worker.rights.request import Right, RightsRequest, SocialHandle, SocialType, Subject, check

MOST_REQUESTS: Final = 1_000


class Fields(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where things stand in a file; each may be called by several names. These are recalled, not verified.

    ``consumers`` is the list of persons; where there is none, the file itself is one person. ``tenant``, where it stands in
    a file, has to be this worker's id of the tenant.
    """

    actions: tuple[str, ...] = ("action", "actions", "gdpr-action", "request")
    consumers: tuple[str, ...] = ("consumers", "consumer", "customers")
    tenant: tuple[str, ...] = ("tenant",)
    name: tuple[str, ...] = ("name", "fullname")
    phone: tuple[str, ...] = ("phone", "phones", "phonenumber", "phonenumbers", "mobile")
    email: tuple[str, ...] = ("email", "emails", "emailaddress")
    facebook: tuple[str, ...] = ("fbid", "facebook", "facebookid", "psid")
    instagram: tuple[str, ...] = ("igid", "instagram", "instagramid", "igsid")
    x: tuple[str, ...] = ("twitter", "twitterid", "x", "xid")
    external_id: tuple[str, ...] = ("externalid", "customerid", "contactid", "bsuid")


BUILT_IN: Final = Fields()

_ACTIONS: Final[Mapping[str, Right]] = {
    **dict.fromkeys(("export", "access", "portability", "rightofaccess"), Right.EXPORT),
    **dict.fromkeys(("forget", "forgetme", "erase", "erasure", "delete", "rightoferasure"), Right.DELETE),
    "gdprexport": Right.EXPORT,
    "gdprdelete": Right.DELETE,
}
_SOCIAL: Final = (
    (SocialType.FACEBOOK, "facebook"),
    (SocialType.INSTAGRAM, "instagram"),
    (SocialType.TWITTER, "x"),
)


def read_fields(text: str) -> Fields:
    """A mapping of one's own, in TOML: each name above with the list of what it is called. Raises RightsRefused."""
    try:
        return msgspec.convert(tomllib.loads(text), Fields)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        raise RightsRefused("bad_mapping") from None


def read_multicloud(document: Json, tenant: str, fields: Fields = BUILT_IN) -> list[RightsRequest]:
    """Every request of a file: each action for each consumer, once. Raises RightsRefused for the whole of it."""
    if not isinstance(document, dict):
        raise RightsRefused("not_a_request")
    actions = _actions(_found(document, fields.actions))
    named = _found(document, fields.consumers)
    consumers = [one for several in named for one in (several if isinstance(several, list) else [several])]
    requests: list[RightsRequest] = []
    for number, consumer in enumerate(consumers or [document]):
        if not isinstance(consumer, dict):
            raise RightsRefused("not_a_request", f"consumers[{number}]")
        for holder in (document, consumer):
            _check_tenant(_found(holder, fields.tenant), tenant)
        own = _actions(_found(consumer, fields.actions)) if consumer is not document else ()
        requests += [
            _request(action, subject) for subject in _subjects(consumer, fields) for action in own or actions
        ]
    if not requests:
        raise RightsRefused("unknown_action", "action")
    return list({msgspec.json.encode(one, order="deterministic"): one for one in requests}.values())[
        :MOST_REQUESTS
    ]


def _request(action: Right, subject: Subject) -> RightsRequest:
    request = RightsRequest(request_type=action, subject=subject)
    check(request)
    return request


def _subjects(consumer: Mapping[str, Json], fields: Fields) -> Iterator[Subject]:
    """A consumer as subjects: the target shape has room for one social handle, so further ones go beside it."""
    texts = {name: tuple(_texts(_found(consumer, getattr(fields, name)))) for name in _NAMED}
    handles = [SocialHandle(type=type_, value=value) for type_, name in _SOCIAL for value in texts[name]]
    yield Subject(
        name=next(iter(texts["name"]), None),
        phone_numbers=texts["phone"] or None,
        email_addresses=texts["email"] or None,
        external_id=next(iter(texts["external_id"]), None),
        social_handle=handles[0] if handles else None,
    )
    yield from (Subject(social_handle=handle) for handle in handles[1:])
    yield from (Subject(external_id=value) for value in texts["external_id"][1:])


_NAMED: Final = ("name", "phone", "email", "external_id", "facebook", "instagram", "x")


def _found(holder: Mapping[str, Json], names: tuple[str, ...]) -> list[Any]:
    wanted = {_plain(name) for name in names}
    return [value for name, value in holder.items() if _plain(name) in wanted and value not in (None, "", [])]


def _texts(found: list[Any]) -> Iterator[str]:
    for value in found:
        if isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)
        else:
            raise RightsRefused("bad_identifier")


def _actions(found: list[Any]) -> tuple[Right, ...]:
    words = [word for text in _texts(found) for word in text.split(",")]
    known = [_ACTIONS.get(_plain(word)) for word in words]
    if None in known:
        raise RightsRefused("unknown_action", "action")
    return tuple(dict.fromkeys(one for one in known if one is not None))


def _check_tenant(found: list[Any], tenant: str) -> None:
    if any(text != tenant for text in _texts(found)):
        raise RightsRefused("other_tenant", "tenant")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
