"""Placing, showing and lifting holds: who did it, for which matter, and why stands sealed on each, and on the record."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.acts import Operator, record_act
from worker.crypto import Cipher, CryptoError
from worker.directory import new_id
from worker.holds.holding import Scope
from worker.holds.whom import everything_known, find, references
from worker.keyring import RECORDS, Keyring
from worker.rights.subject import Known
from worker.store import holds as store
from worker.store import persons
from worker.store.engine import Store
from worker.store.holds import Hold
from worker.store.persons import Place
from worker.store.retry import persistently

PLACED: Final = "hold_placed"
LIFTED: Final = "hold_lifted"


class HoldRefused(Exception):
    """A hold is not placed or lifted; nothing was changed. The text says why and repeats nothing."""


class Terms(Private, frozen=True, kw_only=True):
    """What an operator says of a hold: ``person`` and ``conversation`` say whom it is about; neither: everybody.

    ``until`` is the first instant that it does not cover any more.
    """

    matter: str
    authority: str
    operator: Operator
    person: str | None = None
    conversation: bytes | None = None
    since: Instant | None = None
    until: Instant | None = None

    @property
    def scope(self) -> Scope:
        """Whom it is about."""
        if self.person is not None:
            return Scope.PERSON
        return Scope.TENANT if self.conversation is None else Scope.CONVERSATION


class HoldTold(Private, frozen=True, kw_only=True):
    """A hold as a compliance officer reads it; the sealed words are empty where the seal does not open."""

    id: str
    scope: str
    since: Instant | None
    until: Instant | None
    placed_at: Instant
    lifted_at: Instant | None
    matter: str = ""
    authority: str = ""
    by: str = ""
    why: str = ""


class _Sealed(Private, frozen=True, kw_only=True):
    """What is sealed of a hold. ``known``: by what its person is known, until it is lifted."""

    matter: str
    authority: str
    by: str
    why: str
    known: tuple[Known, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Sealed)


class HoldDesk:
    """The holds of one tenant. ``places``: its accounts as they are configured, where a person may come later."""

    def __init__(
        self,
        store_: Store,
        keyring: Keyring,
        tenant: str,
        places: Collection[Place],
        clock: Callable[[], Instant],
    ) -> None:
        self._store = store_
        self._keyring = keyring
        self._tenant = tenant
        self._places = places
        self._clock = clock

    def place(self, terms: Terms) -> str:
        """Place a hold; its id. In force when this returns. Raises HoldRefused or RightsRefused."""
        if terms.since is not None and terms.until is not None and terms.since >= terms.until:
            raise HoldRefused("a hold ends after it begins: --until has to be later than --since")
        return persistently(partial(self._place, terms))

    def lift(self, hold: bytes, operator: Operator) -> None:
        """Lift it. What is due then is lifting.py's. Raises HoldRefused."""
        persistently(partial(self._lift, hold, operator))

    def holds(self) -> list[HoldTold]:
        """Every hold there was, in the order in which they were placed."""
        with self._store.reading() as tx:
            return [self._told(hold) for hold in store.all_holds(tx, self._tenant)]

    def find(self, prefix: str) -> bytes:
        """The id that begins like that (hex). Raises HoldRefused."""
        with self._store.reading() as tx:
            found = [
                one.id for one in store.all_holds(tx, self._tenant) if one.id.hex().startswith(prefix.lower())
            ]
        if not prefix or not found:
            raise HoldRefused("this tenant has no such hold: see `sluicegate hold list`")
        if len(found) > 1:
            raise HoldRefused("several holds begin like this: give more of the id")
        return found[0]

    def extend(self) -> int:
        """Let the holds on persons be about accounts that were configured since; how many holds grew."""
        with self._store.reading() as tx:
            if not any(hold.scope == Scope.PERSON for hold in store.all_holds(tx, self._tenant, active=True)):
                return 0
        with self._store.transaction() as tx:
            grown = 0
            for hold in store.all_holds(tx, self._tenant, active=True):
                known = told.known if (told := self._opened(hold)) is not None else ()
                wanted = set(references(self._keyring, self._tenant, known, self._everywhere(tx)))
                fresh = wanted - set(store.targets_of(tx, self._tenant, hold.id)) if known else set()
                store.add_targets(tx, self._tenant, hold.id, fresh)
                grown += bool(fresh)
            return grown

    def _place(self, terms: Terms) -> str:
        now = self._clock()
        id_ = new_id(now)
        with self._store.transaction() as tx:
            known, about = self._about(tx, terms)
            hold = Hold(
                id=id_,
                scope=terms.scope,
                since=terms.since,
                until=terms.until,
                placed_at=now,
                sealed=self._seal(id_, terms, known),
            )
            store.add_hold(tx, self._tenant, hold, about)
            # The end of the chain is locked here: whoever takes content away looks once more behind that lock.
            record_act(
                tx, self._keyring, self._tenant, action=PLACED, about=id_, operator=terms.operator, now=now
            )
        return id_.hex()

    def _lift(self, hold: bytes, operator: Operator) -> None:
        now = self._clock()
        with self._store.transaction() as tx:
            found = {one.id: one for one in store.all_holds(tx, self._tenant)}.get(hold)
            if found is None:
                raise HoldRefused("this tenant has no such hold: see `sluicegate hold list`")
            if not store.lift(tx, self._tenant, hold, now):
                raise HoldRefused("this hold was lifted already: nothing was changed")
            self.forget_person(tx, found)
            record_act(tx, self._keyring, self._tenant, action=LIFTED, about=hold, operator=operator, now=now)

    def forget_person(self, tx: Connection, hold: Hold) -> None:
        """Nobody needs to know any more whom a lifted hold was about."""
        told = self._opened(hold)
        if told is not None and told.known:
            plain = _encoder.encode(msgspec.structs.replace(told, known=()))
            store.reseal(tx, self._tenant, hold.id, self._cipher().seal(plain, _place(self._tenant, hold.id)))
        store.remove_targets(tx, self._tenant, hold.id)

    def _about(self, tx: Connection, terms: Terms) -> tuple[tuple[Known, ...], Collection[bytes]]:
        if terms.conversation is not None:
            if not persons.conversation_rows(tx, self._tenant, [terms.conversation]):
                raise HoldRefused("this tenant has no such conversation: see `sluicegate transcript list`")
            return (), [terms.conversation]
        if terms.person is None:
            return (), []
        person = find(tx, self._keyring, self._tenant, terms.person)
        if not person.conversations:
            raise HoldRefused("this tenant knows nobody by this: nothing was changed")
        known = tuple(everything_known(person))
        return known, set(references(self._keyring, self._tenant, known, self._everywhere(tx)))

    def _everywhere(self, tx: Connection) -> set[Place]:
        return {*self._places, *persons.places(tx, self._tenant)}

    def _seal(self, id_: bytes, terms: Terms, known: tuple[Known, ...]) -> bytes:
        operator = terms.operator
        told = _Sealed(
            matter=terms.matter, authority=terms.authority, by=operator.name, why=operator.why, known=known
        )
        return self._cipher().seal(_encoder.encode(told), _place(self._tenant, id_))

    def _opened(self, hold: Hold) -> _Sealed | None:
        try:
            return _decoder.decode(self._cipher().open(hold.sealed, _place(self._tenant, hold.id)))
        except (CryptoError, msgspec.MsgspecError):
            return None

    def _cipher(self) -> Cipher:
        return self._keyring.cipher(self._tenant, RECORDS)

    def _told(self, hold: Hold) -> HoldTold:
        said = self._opened(hold)
        words = {name: getattr(said, name) for name in ("matter", "authority", "by", "why")} if said else {}
        names = ("scope", "since", "until", "placed_at", "lifted_at")
        return HoldTold(id=hold.id.hex(), **{name: getattr(hold, name) for name in names}, **words)


def _place(tenant: str, id_: bytes) -> bytes:
    return b"hold\0001\0" + tenant.encode() + b"\0" + id_
