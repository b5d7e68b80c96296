"""Whom a hold or a production is about, as an operator names them: a number, a handle, an id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from sqlalchemy import Connection

from policies.message import IdentifierKind
from worker.crypto import reference
from worker.keyring import PSEUDONYM, Keyring
from worker.rights.phones import forms
from worker.rights.request import SocialHandle, SocialType, Subject
from worker.rights.subject import Claim, Known, Person, claims_of, resolve
from worker.store.persons import Place

_SOCIAL: Final = {
    "x": SocialType.TWITTER,
    "instagram": SocialType.INSTAGRAM,
    "facebook": SocialType.FACEBOOK,
}


def claims(ident: str) -> tuple[Claim, ...]:
    """``+12025550123``, ``x:handle`` (or id; ``instagram:``, ``facebook:``), or a platform's opaque id.

    Raises RightsRefused for a phone number that is none.
    """
    text = ident.strip()
    channel, colon, value = text.partition(":")
    if colon and channel.lower() in _SOCIAL:
        return claims_of(Subject(social_handle=SocialHandle(type=_SOCIAL[channel.lower()], value=value)))
    if text.startswith(("+", "00")) or (colon and channel.lower() == "phone"):
        return claims_of(Subject(phone_numbers=(value if colon else text,)))
    return claims_of(Subject(external_id=text))


def find(tx: Connection, keyring: Keyring, tenant: str, ident: str) -> Person:
    """The person, with all their conversations; without any where nobody is known. Raises RightsRefused."""
    return resolve(tx, keyring, tenant, claims(ident))


def everything_known(person: Person) -> list[Known]:
    """All identifiers by which a person is known, numbers in every form that a channel may write them in."""
    known = {one for persona in person.personas for one in persona.known}
    return sorted({form for one in known for form in _forms(*one)})


def references(
    keyring: Keyring, tenant: str, known: Iterable[Known], places: Collection[Place]
) -> Iterator[bytes]:
    """What leads to the person on each of these accounts, whether or not they have come there yet."""
    pseudonym = keyring.tenant_key(tenant, PSEUDONYM)
    for kind, value in known:
        for connector, account in places:
            yield reference(pseudonym, "person", connector, account, kind, value)


def _forms(kind: str, value: str) -> Iterator[Known]:
    if not kind:
        return  # the conversation of messages for which no person was named
    yield kind, value
    if kind == IdentifierKind.PHONE:
        yield from ((kind, form) for form in forms(f"+{value.lstrip('+')}"))
