"""Who a request is about: from its identifiers to every conversation of that person, on all connectors and accounts.

Links are followed (a number or id that changed), and so is what the found conversations know: an id leads to the other
accounts of its platform, a number to the other channels. A former number is not: it may be somebody else's by now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from sqlalchemy import Connection

from policies.message import IdentifierKind, Private
from worker.crypto import CryptoError, reference
from worker.directory import identifier_place
from worker.keyring import PSEUDONYM, Keyring
from worker.rights.errors import RightsRefused
from worker.rights.handles import search
from worker.rights.phones import forms, international
from worker.rights.request import SocialHandle, SocialType, Subject, values
from worker.store import people, persons
from worker.store.holds import linked_with
from worker.store.persons import Place

HANDLE: Final = "handle"
"""What a claim by a handle is of, beside the kinds of identifiers."""

_OPAQUE: Final = tuple(kind for kind in IdentifierKind if kind is not IdentifierKind.PHONE)
_SOCIAL: Final[Mapping[SocialType, tuple[IdentifierKind, str]]] = {
    SocialType.FACEBOOK: (IdentifierKind.PSID, "facebook"),
    SocialType.INSTAGRAM: (IdentifierKind.IGSID, "instagram"),
    SocialType.TWITTER: (IdentifierKind.X_ID, "x"),
}
_MOST_ROUNDS: Final = 8

Known = tuple[str, str]
"""Kind and value of an identifier."""


class Claim(Private, frozen=True, kw_only=True):
    """One identifier of a request: the field that gave it, what it may be stored as, and the handle it may be.

    ``handle`` is a connector and a name in lower case. ``hint``: it leads to nobody by itself.
    """

    field: str
    known: tuple[Known, ...] = ()
    handle: tuple[str, str] | None = None
    phone: str = ""
    hint: bool = False


class Persona(Private, frozen=True, kw_only=True):
    """Linked conversations: one person on one account. ``known`` are its identifiers, ``reached`` the kinds that led here."""

    place: Place
    conversations: frozenset[bytes]
    known: frozenset[Known]
    reached: frozenset[str]


class Person(Private, frozen=True, kw_only=True):
    """Somebody, as far as this store knows. ``by_claim``: the conversations that each claim led to."""

    claims: tuple[Claim, ...]
    by_claim: tuple[frozenset[bytes], ...]
    personas: tuple[Persona, ...] = ()

    @property
    def conversations(self) -> list[bytes]:
        """All conversations, in order."""
        return sorted({one for persona in self.personas for one in persona.conversations})

    @property
    def phones(self) -> list[str]:
        """Every number of theirs in E.164: those of the request, and those that are known."""
        known = {value for one in self.personas for kind, value in one.known if kind == IdentifierKind.PHONE}
        return sorted(
            {one.phone for one in self.claims if one.phone} | {f"+{value.lstrip('+')}" for value in known}
        )


def claims_of(subject: Subject, region: str | None = None) -> tuple[Claim, ...]:
    """What a request's identifiers may be stored as. Raises RightsRefused for a phone number that is none."""
    return tuple(_claim(subject, field, value, region) for field, value in values(subject))


def _claim(subject: Subject, field: str, value: str, region: str | None) -> Claim:
    if field.startswith("phoneNumbers"):
        number = international(value, region, field)
        known = tuple((IdentifierKind.PHONE.value, form) for form in forms(number))
        return Claim(field=field, known=known, phone=number)
    if field == "socialHandle" and subject.social_handle is not None:
        return _social(subject.social_handle)
    if field in {"externalId", "externalContactId"}:
        return Claim(field=field, known=tuple((kind.value, value) for kind in _OPAQUE))
    return Claim(field=field, hint=field == "name")


def _social(given: SocialHandle) -> Claim:
    if given.type not in _SOCIAL:
        return Claim(field="socialHandle")
    kind, connector = _SOCIAL[given.type]
    name = given.value.removeprefix("@").casefold()
    return Claim(field="socialHandle", known=((kind.value, given.value),), handle=(connector, name))


def resolve(tx: Connection, keyring: Keyring, tenant: str, claims: tuple[Claim, ...]) -> Person:
    """Find the person. Raises RightsRefused where the claims are about different persons."""
    return _Search(tx, keyring, tenant).person(claims)


def contradict(tx: Connection, keyring: Keyring, tenant: str, who: Person, phone: str) -> bool:
    """Whether a number leads to somebody who cannot be this person."""
    claim = Claim(field="", known=tuple((IdentifierKind.PHONE.value, form) for form in forms(phone)))
    others = _Search(tx, keyring, tenant).person((claim,)).personas
    own = set(who.conversations)
    strangers = [one for one in others if not own & one.conversations]
    return any(_tells_apart(one, other) for one in strangers for other in who.personas)


class _Search:
    """One look-up of one tenant's person."""

    def __init__(self, tx: Connection, keyring: Keyring, tenant: str) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._pseudonym = keyring.tenant_key(tenant, PSEUDONYM)
        self._places = persons.places(tx, tenant)

    def person(self, claims: tuple[Claim, ...]) -> Person:
        found = [self._conversations(claim.known) for claim in claims]
        by_handle = search(
            self._tx, self._keyring, self._tenant, {one.handle for one in claims if one.handle}
        )
        handled = [by_handle.get(one.handle, frozenset()) if one.handle else frozenset() for one in claims]
        reached: dict[bytes, set[str]] = defaultdict(set)
        for claim, direct, named in zip(claims, found, handled, strict=True):
            for kind, conversation in direct:
                reached[conversation].add(kind)
            for conversation in named:
                reached[conversation].add(f"{HANDLE} {claim.field}")
        personas = self._personas(reached)
        _refuse_strangers(personas)
        everybody = self._followed(personas)
        starts = [{one for _, one in direct} | named for direct, named in zip(found, handled, strict=True)]
        return Person(
            claims=claims,
            by_claim=tuple(_led_to(start, personas, everybody) for start in starts),
            personas=tuple(everybody),
        )

    def _conversations(self, known: Iterable[Known]) -> set[tuple[str, bytes]]:
        """Kind and conversation of everybody who is known by one of these somewhere."""
        names = {
            reference(self._pseudonym, "person", connector, account, kind, value): kind
            for connector, account in self._places
            for kind, value in known
        }
        found = people.find_conversations(self._tx, self._tenant, sorted(names))
        return {(names[name], conversation) for name, conversation in found.items()}

    def _personas(self, reached: Mapping[bytes, set[str]]) -> list[Persona]:
        left, personas = set(reached), []
        while left:
            group = linked_with(self._tx, self._tenant, {min(left)})
            left -= group
            kinds = {kind for one in group for kind in reached.get(one, ())}
            personas.append(self._persona(frozenset(group), frozenset(kinds)))
        return personas

    def _persona(self, group: frozenset[bytes], kinds: frozenset[str]) -> Persona:
        rows = persons.conversation_rows(self._tx, self._tenant, group)
        place = (rows[0].connector, rows[0].account) if rows else ("", "")
        return Persona(place=place, conversations=group, known=frozenset(self._known(group)), reached=kinds)

    def _known(self, group: frozenset[bytes]) -> Iterator[Known]:
        keys = self._keyring.keys(self._tenant, group)
        for conversation in group & keys.keys():
            for row in people.identifiers_of(self._tx, self._tenant, conversation):
                try:
                    place = identifier_place(self._tenant, row.reference)
                    yield row.kind, keys[conversation].cipher.open(row.sealed, place).decode()
                except CryptoError:
                    continue

    def _followed(self, personas: Sequence[Persona]) -> list[Persona]:
        """These and whoever else is known by what they are known by."""
        everybody = list(personas)
        for _ in range(_MOST_ROUNDS):
            known = {one for persona in everybody for one in _worth_following(persona)}
            seen = {one for persona in everybody for one in persona.conversations}
            reached: dict[bytes, set[str]] = defaultdict(set)
            for kind, conversation in self._conversations(known):
                if conversation not in seen:
                    reached[conversation].add(kind)
            if not reached:
                break
            everybody += self._personas(reached)
        return everybody


def _worth_following(persona: Persona) -> Iterator[Known]:
    numbers = {value.lstrip("+") for kind, value in persona.known if kind == IdentifierKind.PHONE}
    for kind, value in persona.known:
        if kind and kind != IdentifierKind.PHONE:
            yield kind, value
    if len(numbers) == 1:
        yield from ((IdentifierKind.PHONE.value, form) for form in forms(f"+{numbers.pop()}"))


def _led_to(start: set[bytes], personas: Sequence[Persona], everybody: Sequence[Persona]) -> frozenset[bytes]:
    """The conversations that a claim led to: a person who was found through it comes with all that is known of them."""
    if not start:
        return frozenset()
    others = {
        one for persona in personas if not persona.conversations & start for one in persona.conversations
    }
    return frozenset({one for persona in everybody for one in persona.conversations} - others)


def _refuse_strangers(personas: Sequence[Persona]) -> None:
    """On one account two persons are one only where the request lists both by the same kind, or nothing tells them apart."""
    for one, other in combinations(personas, 2):
        common = one.reached & other.reached
        if not _tells_apart(one, other, phones=True):
            continue
        if any(kind.startswith(HANDLE) for kind in common):
            raise RightsRefused("ambiguous_handle", "subject.socialHandle")
        if not common:
            raise RightsRefused("contradictory", "subject")


def _tells_apart(one: Persona, other: Persona, *, phones: bool = False) -> bool:
    """Whether both have an identifier of the same kind on the same account (numbers count where ``phones`` says so)."""
    ignored = set() if phones else {IdentifierKind.PHONE.value}
    both = {kind for kind, _ in one.known} & {kind for kind, _ in other.known} - {""} - ignored
    return one.place == other.place and bool(both)
