"""Productions under legal process (VT-3, VT-5): made for one recipient, recorded, destroyed after use or when they expire.

What is made is on the record before its file is written, so that a crash at any point leaves a file that is known, and is
destroyed like any other. No plaintext touches a disk.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from policies.lifecycle import Duty
from policies.message import Instant, Private
from worker.acts import Operator, record_act
from worker.audit.receipts import Destroyed, make_receipt
from worker.audit.signing import SigningKey
from worker.crypto import CryptoError, sync_directory
from worker.directory import new_id
from worker.holds.bundle import Writer
from worker.holds.envelope import RecipientKey
from worker.holds.gather import Gatherer
from worker.holds.shred import Shredded, is_bundle, shred
from worker.holds.whom import find
from worker.keyring import RECORDS, Keyring
from worker.store import persons, seals
from worker.store import productions as store
from worker.store.engine import Store
from worker.store.productions import Production
from worker.store.retry import persistently
from worker.transcripts import iso

PRODUCED: Final = "produced"
DESTROYED: Final = "production_destroyed"
MISSING: Final = "production_missing"
"""Its file was not where it was written when it had to be destroyed: nobody vouches for what became of it."""

SCHEDULE: Final = Operator(name="sluicegate", why="it expired")


class ProductionRefused(Exception):
    """A production is not made or destroyed. The text says why and repeats nothing."""


class Order(Private, frozen=True, kw_only=True):
    """What is to be produced, on what basis, for whom. ``expires`` in microseconds; ``until`` is the first instant beyond."""

    legal_basis: str
    reference: str
    recipient: RecipientKey
    operator: Operator
    expires: Instant
    person: str | None = None
    conversation: bytes | None = None
    since: Instant | None = None
    until: Instant | None = None

    @property
    def scope(self) -> str:
        """Whom it is about."""
        if self.person is not None:
            return "person"
        return "tenant" if self.conversation is None else "conversation"


class Told(Private, frozen=True, kw_only=True):
    """What is sealed of a production: where its file is, for whom and why it was made. Nobody it is about."""

    path: str
    host: str
    scope: str
    legal_basis: str
    reference: str
    recipient: str
    by: str
    why: str


class Made(Private, frozen=True, kw_only=True):
    """A production that was made: its id, the SHA-256 of its file, what is in it."""

    id: str
    digest: str
    expires_at: Instant
    counts: dict[str, int]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Told)


class ProductionDesk:
    """Makes and destroys productions of one store."""

    def __init__(
        self, store_: Store, keyring: Keyring, signing: SigningKey, clock: Callable[[], Instant]
    ) -> None:
        self._store = store_
        self._keyring = keyring
        self._signing = signing
        self._clock = clock

    def make(self, tenant: str, order: Order, out: Path) -> Made:
        """Write a bundle to ``out``, which must not be there. Raises ProductionRefused, RightsRefused or OSError."""
        conversations = self._conversations(tenant, order)
        path = out.absolute()
        if path.exists() or path.is_symlink():
            raise ProductionRefused("there is a file of this name already: a production overwrites nothing")
        now = self._clock()
        made = Production(id=new_id(now), made_at=now, expires_at=now + order.expires, sealed=b"")
        made = msgspec.structs.replace(made, sealed=self._seal(tenant, made.id, order, path))
        with _fresh(_partial(path, made.id)) as file:
            end = self._record(tenant, made, order)
            try:
                counts = self._write(file, tenant, made, order, conversations, end)
                digest = file.finish(path)
            except BaseException:
                with suppress(Exception):  # what is left now is found when it expires
                    self._destroy(tenant, made, order.operator)
                raise
        with self._store.transaction() as tx:
            store.finish(tx, tenant, made.id, digest)
        return Made(id=made.id.hex(), digest=digest.hex(), expires_at=made.expires_at, counts=counts)

    def productions(self, tenant: str) -> list[tuple[Production, Told | None]]:
        """Every production of a tenant, and what is sealed of it."""
        with self._store.reading() as tx:
            return [(one, self._told(tenant, one)) for one in store.all_productions(tx, tenant)]

    def destroy(self, tenant: str, prefix: str, operator: Operator) -> Shredded:
        """Destroy one after its use; ``prefix`` begins its id (hex). Raises ProductionRefused or OSError."""
        with self._store.reading() as tx:
            found = [
                one for one in store.all_productions(tx, tenant) if one.id.hex().startswith(prefix.lower())
            ]
        if not prefix or len(found) != 1:
            raise ProductionRefused(
                "this tenant has no such production, or several: see `sluicegate produce list`"
            )
        if found[0].destroyed_at is not None:
            raise ProductionRefused("this production was destroyed already: nothing was changed")
        return self._destroy(tenant, found[0], operator)

    def destroy_expired(self, now: Instant) -> int:
        """Destroy what has expired and lies on this machine; how many. What lies on another, that one destroys."""
        with self._store.reading() as tx:
            due = store.expired(tx, now)
        done, failed = 0, False
        for tenant, one in due:
            told = self._told(tenant, one)
            if told is not None and not _lies_here(told, one):
                continue
            try:
                self._destroy(tenant, one, SCHEDULE)
                done += 1
            except OSError:
                failed = True  # the others are due all the same
        if failed:
            raise ProductionRefused("an expired production cannot be destroyed: its file cannot be written")
        return done

    # -- making ------------------------------------------------------------------------------------------

    def _conversations(self, tenant: str, order: Order) -> list[bytes] | None:
        with self._store.reading() as tx:
            if order.conversation is not None:
                found = [row.id for row in persons.conversation_rows(tx, tenant, [order.conversation])]
            elif order.person is not None:
                found = find(tx, self._keyring, tenant, order.person).conversations
            else:
                return None
        if not found:
            raise ProductionRefused("this tenant knows nobody, or no conversation, by this: nothing was made")
        return found

    def _record(self, tenant: str, made: Production, order: Order) -> tuple[int, bytes]:
        def remember() -> tuple[int, bytes]:
            about, operator, now = made.id, order.operator, made.made_at
            with self._store.transaction() as tx:
                store.add(tx, tenant, made)
                return record_act(
                    tx, self._keyring, tenant, action=PRODUCED, about=about, operator=operator, now=now
                )

        return persistently(remember)

    def _write(
        self,
        file: _File,
        tenant: str,
        made: Production,
        order: Order,
        conversations: list[bytes] | None,
        end: tuple[int, bytes],
    ) -> dict[str, int]:
        writer = Writer(order.recipient.seal(made.id.hex(), made.expires_at, file), made.made_at)
        with self._store.reading() as tx:
            bounds = {"since": order.since, "until": order.until}
            lines = Gatherer(tx, self._keyring, tenant, conversations, about=[made.id], **bounds)
            writer.lines("conversations", lines.conversations())
            writer.lines("messages", lines.messages())
            writer.lines("decisions", lines.decisions())
        writer.close(_manifest(tenant, made, order, lines, end), self._signing)
        return dict(lines.counts)

    # -- destroying --------------------------------------------------------------------------------------

    def _destroy(self, tenant: str, one: Production, operator: Operator) -> Shredded:
        """First what is in the file, then the record of it, then its name: so no crash hides that it was destroyed."""
        told = self._told(tenant, one)
        found, aside = Shredded.ABSENT, None
        if told is not None:
            path, aside = Path(told.path), _partial(Path(told.path), one.id)
            found = shred(path, aside, one.id.hex())
        persistently(partial(self._mark, tenant, one, operator, found))
        if aside is not None:
            aside.unlink(missing_ok=True)
        return found

    def _mark(self, tenant: str, one: Production, operator: Operator, found: Shredded) -> None:
        now = self._clock()
        kind = DESTROYED if found is Shredded.DESTROYED else MISSING
        what = Destroyed(kind=kind, duty=Duty.RETENTION_CEILING, files=[one.digest or one.id])
        with self._store.transaction() as tx:
            if store.mark_destroyed(tx, tenant, one.id, now):
                seals.add_receipts(tx, tenant, [make_receipt(self._signing, tenant, what, now)])
                record_act(tx, self._keyring, tenant, action=kind, about=one.id, operator=operator, now=now)

    # -- details -----------------------------------------------------------------------------------------

    def _seal(self, tenant: str, id_: bytes, order: Order, path: Path) -> bytes:
        told = Told(
            path=str(path),
            host=socket.gethostname(),
            scope=order.scope,
            legal_basis=order.legal_basis,
            reference=order.reference,
            recipient=order.recipient.id,
            by=order.operator.name,
            why=order.operator.why,
        )
        return self._keyring.cipher(tenant, RECORDS).seal(_encoder.encode(told), _place(tenant, id_))

    def _told(self, tenant: str, one: Production) -> Told | None:
        cipher = self._keyring.cipher(tenant, RECORDS)
        with suppress(CryptoError, msgspec.MsgspecError):
            return _decoder.decode(cipher.open(one.sealed, _place(tenant, one.id)))
        return None


class _File:
    """The file that a bundle is written to, under another name until it is whole; its digest is taken on the way."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._path = path
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def finish(self, path: Path) -> bytes:
        """Make it durable under its own name, which nobody has taken meanwhile; its SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._path, path)
        self._path.unlink()
        sync_directory(path.parent)
        return self._digest.digest()

    def close(self) -> None:
        self._file.close()


@contextmanager
def _fresh(path: Path) -> Iterator[_File]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = _File(os.open(path, flags, 0o600), path)
    try:
        yield file
    finally:
        file.close()


def _lies_here(told: Told, one: Production) -> bool:
    """Whether this machine answers for the file: it wrote it, or finds it where it was written (a shared disk)."""
    return told.host == socket.gethostname() or is_bundle(Path(told.path), one.id.hex())


def _manifest(
    tenant: str, made: Production, order: Order, lines: Gatherer, end: tuple[int, bytes]
) -> dict[str, Any]:
    return {
        "id": made.id.hex(),
        "tenant": tenant,
        "made_at": iso(made.made_at),
        "expires_at": iso(made.expires_at),
        "legal_basis": order.legal_basis,
        "order": order.reference,
        "scope": {
            "about": order.scope,
            "person": order.person,
            "conversation": order.conversation.hex() if order.conversation is not None else None,
            "since": iso(order.since),
            "before": iso(order.until),
        },
        "custody": [
            {
                "at": iso(made.made_at),
                "act": PRODUCED,
                "by": order.operator.name,
                "why": order.operator.why,
                "recipient_key": order.recipient.id,
                "sequence": end[0],
                "head": end[1].hex(),
            }
        ],
        "policies": sorted(filter(None, lines.policies)),
        "counts": dict(sorted(lines.counts.items())),
    }


def _partial(path: Path, id_: bytes) -> Path:
    """Beside it, under a name that nobody else gives."""
    return path.with_name(f"{path.name}.{id_.hex()}.partial")


def _place(tenant: str, id_: bytes) -> bytes:
    return b"production\0001\0" + tenant.encode() + b"\0" + id_
