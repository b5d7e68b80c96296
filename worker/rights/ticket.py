"""A request on its way: what was asked, who ordered it, how far it came. All of that is sealed under the tenant's own key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from policies.message import Private
from worker.crypto import CryptoError, mac
from worker.keyring import PSEUDONYM, RECORDS, Keyring
from worker.rights.errors import RightsRefused
from worker.rights.files import ExportFile
from worker.rights.outcome import Counts, Entry, Outcome
from worker.rights.request import Right, RightsRequest
from worker.rights.subject import Person
from worker.store.rights import Kept
from worker.transcripts import iso


class Order(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked, and by whom. Empty once an erasure is done: then it would be the last that is known of the person.

    ``region`` is that of numbers without a country's code.
    """

    request: RightsRequest | None = None
    name: str = ""
    why: str = ""
    region: str | None = None


class Progress(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What was found and done. ``claims``: the field of each identifier and the conversations that it led to.

    ``waiting``: conversations that are still to be dealt with; ``held``: that a hold keeps; ``gone``: whose key is to be
    destroyed and whose tombstones are still grouped; ``again``: a hold kept some, and was lifted. ``receipts`` are ids.
    """

    claims: tuple[tuple[str, tuple[bytes, ...]], ...] = ()
    hints: tuple[str, ...] = ()
    waiting: tuple[bytes, ...] = ()
    held: tuple[bytes, ...] = ()
    gone: tuple[bytes, ...] = ()
    again: bool = False
    files: tuple[ExportFile, ...] = ()
    phones: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    counts: Counts = Counts()
    receipts: tuple[bytes, ...] = ()

    @property
    def conversations(self) -> set[bytes]:
        """Everything that the request is about."""
        return {one for _, led in self.claims for one in led}


class Case(Private, frozen=True, kw_only=True):
    """A request as it was read: its row, opened."""

    tenant: str
    kept: Kept
    order: Order
    progress: Progress

    @property
    def request(self) -> RightsRequest:
        """What was asked. Raises RightsRefused where that was erased."""
        if self.order.request is None:
            raise RightsRefused("unknown_request")
        return self.order.request


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request as whoever handed it in is told about it: no value of it is repeated."""

    id: str
    request_type: Right
    status: str
    source: str
    created_date: str | None
    due_date: str | None
    completed_date: str | None
    urgency: str | None
    waits_for_hold: bool
    counts: Counts
    execution_log: Sequence[Entry]
    receipts: Sequence[str]
    results_url: str | None = None


_encode: Final = msgspec.msgpack.Encoder().encode


class Sealer:
    """Opens and closes what is kept of requests."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def id(self, tenant: str, request: RightsRequest, number: int) -> bytes:
        """The id of a request: a keyed digest of what it asks. ``number`` tells the same request, asked again later."""
        asked = msgspec.json.encode(
            (request.request_type, request.subject, request.terms), order="deterministic"
        )
        key = self._keyring.tenant_key(tenant, PSEUDONYM)
        return mac(key, b"rights\0" + str(number).encode() + b"\0" + asked)

    def seal(self, tenant: str, id_: bytes, told: Order | Progress) -> bytes:
        """Sealed for its place."""
        return self._keyring.cipher(tenant, RECORDS).seal(_encode(told), _place(tenant, id_, type(told)))

    def order(self, tenant: str, kept: Kept) -> Order:
        """What was asked."""
        order: Order = self._open(tenant, kept.id, kept.sealed, Order)
        return order

    def progress(self, tenant: str, kept: Kept) -> Progress:
        """How far it came."""
        if kept.log is None:
            return Progress()
        progress: Progress = self._open(tenant, kept.id, kept.log, Progress)
        return progress

    def case(self, tenant: str, kept: Kept) -> Case:
        """All of it."""
        return Case(
            tenant=tenant,
            kept=kept,
            order=self.order(tenant, kept),
            progress=self.progress(tenant, kept),
        )

    def _open(self, tenant: str, id_: bytes, sealed: bytes, shape: type[Any]) -> Any:
        plain = self._keyring.cipher(tenant, RECORDS).open(sealed, _place(tenant, id_, shape))
        try:
            return msgspec.msgpack.decode(plain, type=shape)
        except msgspec.MsgspecError:
            raise CryptoError("what is kept of a request is damaged") from None


def found(person: Person) -> Progress:
    """What a search came to."""
    pairs = zip(person.claims, person.by_claim, strict=True)
    return Progress(
        claims=tuple((claim.field, tuple(sorted(led))) for claim, led in pairs),
        hints=tuple(claim.field for claim in person.claims if claim.hint),
        waiting=tuple(person.conversations),
        phones=tuple(person.phones),
    )


def logged(progress: Progress, done: Outcome) -> tuple[Entry, ...]:
    """What became of each identifier when what was found was ``done``."""
    return tuple(_entry(progress, field, led, done) for field, led in progress.claims)


def _entry(progress: Progress, field: str, led: Sequence[bytes], done: Outcome) -> Entry:
    if field in progress.hints:
        return Entry(field=field, outcome=Outcome.HINT)
    if not led:
        return Entry(field=field, outcome=Outcome.NOT_FOUND)
    held = any(one in progress.held for one in led)
    return Entry(field=field, outcome=Outcome.RESTRICTED if held else done, conversations=len(led))


def told(
    kept: Kept, progress: Progress, urgency: str | None, *, held: bool, url: str | None = None
) -> Answer:
    """The request for whoever asks about it."""
    return Answer(
        id=kept.id.hex(),
        request_type=Right(kept.kind),
        status=kept.status,
        source=kept.source,
        created_date=iso(kept.received_at),
        due_date=iso(kept.due_at),
        completed_date=iso(kept.completed_at),
        urgency=urgency,
        waits_for_hold=held,
        counts=progress.counts,
        execution_log=progress.entries,
        receipts=[one.hex() for one in progress.receipts],
        results_url=url,
    )


def _place(tenant: str, id_: bytes, shape: type[Any]) -> bytes:
    return b"rights\0001\0" + shape.__name__.encode() + b"\0" + tenant.encode() + b"\0" + id_
