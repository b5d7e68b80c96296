"""Who: a set of identifiers, and what the person calls themselves.

Since April 2026 a person may have no phone number here: a business-scoped user id (``CC.<digits>``), and a parent
one (``CC.ENT.<digits>``) shared by linked businesses, stand beside it or in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connectors import wild
from connectors.whatsapp.items import Scope
from policies.message import Identifier, IdentifierKind, Json

_PHONE = IdentifierKind.PHONE
_BSUID = IdentifierKind.BSUID
_PARENT = IdentifierKind.PARENT_BSUID


class Who(NamedTuple):
    """A person's identifiers, and how they called themselves."""

    person: tuple[Identifier, ...] = ()
    profile: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        """One identifier that stands for all: the user id, which outlives the phone number's visibility."""
        named = {identifier.kind: identifier.value for identifier in self.person}
        return named.get(_BSUID) or named.get(_PHONE) or named.get(_PARENT) or ""


NOBODY = Who()


def sender(scope: Scope, item: dict[str, Json]) -> Who:
    """Who sent an inbound message."""
    return known(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"), scope)


def recipient(scope: Scope, item: dict[str, Json]) -> Who:
    """To whom the business sent an echoed message."""
    return known(item.get("to"), item.get("to_user_id"), item.get("to_parent_user_id"), scope)


def subject(scope: Scope, item: dict[str, Json]) -> Who:
    """Whom a preference or an update is about."""
    return known(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id"), scope)


def known(phone: Json, user_id: Json, parent_user_id: Json, scope: Scope | None = None) -> Who:
    """The person with these identifiers, completed from the contact of this change that is the same person."""
    number, scoped, parent = wild.identifier(phone), wild.identifier(user_id), wild.identifier(parent_user_id)
    contact = _contact(number, scoped, scope) if scope is not None and scope.contacts else None
    if contact is None:
        return Who(identifiers(number, scoped, parent))
    person = identifiers(
        number or wild.identifier(contact.get("wa_id")),
        scoped or wild.identifier(contact.get("user_id")),
        parent or wild.identifier(contact.get("parent_user_id")),
    )
    return Who(person, _profile(contact.get("profile")))


def identifiers(phone: str | None, user_id: str | None, parent_user_id: str | None) -> tuple[Identifier, ...]:
    """The set as a tuple in a fixed order; a user id that stands in a phone number's place is told by its dot."""
    if phone is not None and phone[2:3] == ".":
        phone, user_id = None, user_id or phone
    if phone is not None and user_id is None and parent_user_id is None:
        return (Identifier(kind=_PHONE, value=phone),)
    given = ((_PHONE, phone), (_BSUID, user_id), (_PARENT, parent_user_id))
    return tuple(Identifier(kind=kind, value=value) for kind, value in given if value is not None)


def _contact(phone: str | None, user_id: str | None, scope: Scope) -> dict[str, Json] | None:
    """The contact that shares an identifier; the only one also when nothing speaks against it.

    A contact whose identifiers are all different is somebody else, and beside several items nobody can tell whose
    the only contact is: joining them would merge strangers.
    """
    listed = scope.contacts if isinstance(scope.contacts, list) else [scope.contacts]
    for contact in listed:
        if isinstance(contact, dict) and _shares(phone, user_id, contact):
            return contact
    if scope.alone and len(listed) == 1 and isinstance(listed[0], dict):
        return None if _contradicts(phone, user_id, listed[0]) else listed[0]
    return None


def _shares(phone: str | None, user_id: str | None, contact: dict[str, Json]) -> bool:
    if phone is not None and phone == wild.identifier(contact.get("wa_id")):
        return True
    return user_id is not None and user_id == wild.identifier(contact.get("user_id"))


def _contradicts(phone: str | None, user_id: str | None, contact: dict[str, Json]) -> bool:
    """Both have an identifier of the same kind; that it differs is known already."""
    return (phone is not None and "wa_id" in contact) or (user_id is not None and "user_id" in contact)


def _profile(value: Json) -> Mapping[str, str]:
    profile = wild.mapping(value)
    name, username = wild.text(profile.get("name")), wild.text(profile.get("username"))
    if username is None:
        return {} if name is None else {"name": name}
    return {"username": username} if name is None else {"name": name, "username": username}
