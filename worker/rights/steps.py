"""What is done at each step of a request. Each may be done twice (a crash, two replicas) and ends in the same.

* export: search ▸ write (where a file is wanted) ▸ done
* update: search ▸ correct ▸ done
* delete: search ▸ contents ▸ rest ▸ keys ▸ files ▸ prove ▸ tidy ▸ sweep ▸ done, or held as long as a legal hold keeps something
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.lifecycle import Duty
from policies.message import Instant, Private
from worker.audit.receipts import Destroyed, make_receipt
from worker.audit.signing import SigningKey
from worker.keyring import Keyring
from worker.rights.deadlines import HELD, Deadlines
from worker.rights.erase import Eraser, Gone
from worker.rights.export import Head, stream
from worker.rights.files import ExportFile, Removal, remove, write
from worker.rights.finding import Finder, count_restricted
from worker.rights.outcome import Outcome, Status
from worker.rights.rectify import Rectifier
from worker.rights.request import Right, TermType
from worker.rights.ticket import Case, Order, Progress, Sealer, found, logged
from worker.store import persons, rights, seals
from worker.store.checkpoint import empty
from worker.store.engine import Store
from worker.store.retry import persistently
from worker.store.rights import Kept

SEARCH: Final = "search"
WRITE: Final = "write"
CORRECT: Final = "correct"
CONTENTS: Final = "contents"
REST: Final = "rest"
KEYS: Final = "keys"
FILES: Final = "files"
PROVE: Final = "prove"
TIDY: Final = "tidy"
SWEEP: Final = "sweep"
DONE: Final = "done"
CLOSED: Final = "closed"
"""Done so long ago that what was asked is forgotten."""

STATUS: Final[Mapping[str, Status]] = {
    SEARCH: Status.SEARCHING,
    WRITE: Status.FINALIZING,
    CORRECT: Status.UPDATING,
    **dict.fromkeys((CONTENTS, REST, KEYS, FILES), Status.DELETING),
    **dict.fromkeys((PROVE, TIDY, SWEEP, HELD), Status.FINALIZING),
    DONE: Status.COMPLETED,
}
"""What is told of a request that is at this step."""

_FIRST: Final = {Right.UPDATE: CORRECT, Right.DELETE: CONTENTS}
_LEFT: Final = frozenset({Removal.ELSEWHERE, Removal.CHANGED, Removal.FAILED})


class Tools(Private, frozen=True, kw_only=True):
    """What requests are worked on with."""

    store: Store
    keyring: Keyring
    signing: SigningKey
    clock: Callable[[], Instant]
    deadlines: Deadlines = Deadlines()


Moved = tuple[str, Progress]
"""The step that follows, and how far the request is then."""


class Steps:
    """The steps over one store."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._store = tools.store
        self._clock = tools.clock
        self._sealer = Sealer(tools.keyring)
        self._finder = Finder(tools.keyring)
        self._eraser = Eraser(tools.store, tools.keyring, tools.clock)
        self._rectifier = Rectifier(tools.store, tools.keyring, tools.clock)
        self._table: Mapping[str, Callable[[Case], Moved]] = {
            SEARCH: self._search,
            WRITE: self._write,
            CORRECT: self._correct,
            CONTENTS: self._contents,
            REST: self._rest,
            KEYS: self._keys,
            FILES: self._files,
            TIDY: self._tidy,
            SWEEP: self._sweep,
        }

    def take(self, case: Case) -> None:
        """Do what is to be done at the step of the request, and write down that it was."""
        if case.kept.step == PROVE:
            persistently(partial(self._prove, case))
        else:
            self.move(case, *self._table[case.kept.step](case))

    def move(self, case: Case, following: str, progress: Progress) -> None:
        """Write down how far the request is, unless another replica has."""

        def transact() -> None:
            with self._store.transaction() as tx:
                self._move(tx, case, following, progress)

        persistently(transact)

    def stream(self, case: Case) -> Iterator[bytes]:
        """The person's data as it is now."""
        head = Head(request=case.kept.id.hex(), tenant=case.tenant, made_at=self._clock())
        with self._store.reading() as tx:
            person = self._finder.person(tx, case.tenant, case.request, case.order.region)
            yield from stream(tx, self._tools.keyring, head, person)

    # -- any request -------------------------------------------------------------------------------------

    def _move(self, tx: Connection, case: Case, following: str, progress: Progress) -> None:
        tenant, kept = case.tenant, case.kept
        values: dict[str, Any] = {"step": following, "status": STATUS[following]}
        if following == DONE:
            values["completed_at"] = self._clock()
        if following == SWEEP and not progress.held:
            # What was asked would be the last that is known of the person.
            values["sealed"] = self._sealer.seal(tenant, kept.id, Order())
            progress = _without_person(progress)
        values["log"] = self._sealer.seal(tenant, kept.id, progress)
        rights.move(tx, tenant, kept.id, kept.step, **values)

    def _search(self, case: Case) -> Moved:
        with self._store.reading() as tx:
            person = self._finder.person(tx, case.tenant, case.request, case.order.region)
            counts = self._finder.counts(tx, case.tenant, person)
        progress = msgspec.structs.replace(found(person), files=case.progress.files, counts=counts)
        right = case.request.request_type
        if right is not Right.EXPORT:
            return _FIRST[right], progress
        progress = msgspec.structs.replace(progress, entries=logged(progress, Outcome.EXPORTED))
        return (WRITE if any(not file.digest for file in progress.files) else DONE), progress

    # -- export and update -------------------------------------------------------------------------------

    def _write(self, case: Case) -> Moved:
        """Into every file that was promised and is not finished."""
        files = tuple(
            file if file.digest else msgspec.structs.replace(file, digest=write(file, self.stream(case)))
            for file in case.progress.files
        )
        counts = msgspec.structs.replace(case.progress.counts, files=len(files))
        return DONE, msgspec.structs.replace(case.progress, files=files, counts=counts)

    def _correct(self, case: Case) -> Moved:
        terms, region = case.request.terms, case.order.region
        with self._store.reading() as tx:
            person = self._finder.person(tx, case.tenant, case.request, region)
        corrected = sum(
            self._rectifier.names(case.tenant, conversation, persona.place[0], terms)
            for persona in person.personas
            for conversation in sorted(persona.conversations)
        )
        phones = [term for term in terms if term.type is TermType.PHONE]
        numbers = sum(self._rectifier.number(case.tenant, person, term, region) for term in phones)
        done = Outcome.RECTIFIED if corrected or numbers else Outcome.FOUND
        counts = msgspec.structs.replace(case.progress.counts, messages=corrected, identifiers=numbers)
        progress = msgspec.structs.replace(case.progress, waiting=(), counts=counts)
        return DONE, msgspec.structs.replace(progress, entries=logged(progress, done))

    # -- delete ------------------------------------------------------------------------------------------

    def _contents(self, case: Case) -> Moved:
        for conversation in case.progress.waiting:
            self._eraser.contents(case.tenant, conversation)
        return REST, case.progress

    def _rest(self, case: Case) -> Moved:
        progress = case.progress
        gone = {one: self._eraser.rest(case.tenant, one, again=progress.again) for one in progress.waiting}
        self._eraser.counts(case.tenant, progress.phones)
        held = tuple(one for one, how in gone.items() if how is Gone.HELD)
        done = tuple(one for one, how in gone.items() if how is not Gone.HELD)
        held = (*progress.held, *held)
        return KEYS, msgspec.structs.replace(progress, waiting=(), held=held, gone=done)

    def _keys(self, case: Case) -> Moved:
        self._eraser.keys(case.tenant, case.progress.gone)
        return FILES, case.progress

    def _files(self, case: Case) -> Moved:
        """Remove what earlier exports of the person were written to, and what was asked in their name."""
        removed = left = 0
        for kept in self._earlier(case):
            progress = self._sealer.progress(case.tenant, kept)
            stay = tuple(file for file in progress.files if remove(file) in _LEFT)
            removed, left = removed + len(progress.files) - len(stay), left + len(stay)
            persistently(partial(self._forget, case.tenant, kept, progress, stay))
        counts = msgspec.structs.replace(
            case.progress.counts, files=case.progress.counts.files + removed, files_left=left
        )
        return PROVE, msgspec.structs.replace(case.progress, counts=counts)

    def _earlier(self, case: Case) -> list[Kept]:
        """Requests about the same person that left something behind: files, or what they asked."""
        about = case.progress.conversations
        with self._store.reading() as tx:
            kept = rights.of_kinds(tx, case.tenant, [Right.EXPORT, Right.UPDATE])
        return [one for one in kept if self._sealer.progress(case.tenant, one).conversations & about]

    def _forget(self, tenant: str, kept: Kept, progress: Progress, stay: Sequence[ExportFile]) -> None:
        remaining = msgspec.structs.replace(_without_person(progress), files=tuple(stay))
        with self._store.transaction() as tx:
            rights.move(
                tx,
                tenant,
                kept.id,
                kept.step,
                step=DONE,
                status=Status.COMPLETED,
                completed_at=kept.completed_at or self._clock(),
                sealed=self._sealer.seal(tenant, kept.id, Order()),
                log=self._sealer.seal(tenant, kept.id, remaining),
            )

    def _prove(self, case: Case) -> None:
        """The receipt and the step after it are one transaction: there is one receipt of what went at one time."""
        progress = case.progress
        with self._store.transaction() as tx:
            if rights.lock(tx, case.tenant, case.kept.id, PROVE) is None:
                return
            if progress.gone:
                receipt = make_receipt(self._tools.signing, case.tenant, _destroyed(tx, case), self._clock())
                seals.add_receipts(tx, case.tenant, [receipt])
                progress = msgspec.structs.replace(progress, receipts=(*progress.receipts, receipt.id))
            self._move(tx, case, TIDY, progress)

    def _tidy(self, case: Case) -> Moved:
        progress = case.progress
        for conversation in progress.gone:
            self._eraser.ungroup(case.tenant, conversation)
        with self._store.reading() as tx:
            restricted = sum(count_restricted(tx, case.tenant, one) for one in progress.held)
        counts = msgspec.structs.replace(progress.counts, restricted=restricted)
        entries = logged(progress, Outcome.ERASED)
        return SWEEP, msgspec.structs.replace(progress, gone=(), counts=counts, entries=entries)

    def _sweep(self, case: Case) -> Moved:
        """What was deleted and what was overwritten still stand in SQLite's logs: cut them off, last of all."""
        for store in (self._store, self._tools.keyring.store):
            empty(store)
        return (HELD if case.progress.held else DONE), case.progress


def _destroyed(tx: Connection, case: Case) -> Destroyed:
    gone = case.progress.gone
    alive = {row.id for row in persons.conversation_rows(tx, case.tenant, gone)}
    keys = (key for one in gone for key in persons.message_keys(tx, case.tenant, one, erased=True))
    return Destroyed(
        kind="erasure",
        duty=Duty.ERASURE,
        messages=list(keys),
        conversations=gone,
        keys=sorted(set(gone) - alive),
    )


def _without_person(progress: Progress) -> Progress:
    """What may stay: which field of the request had which outcome, how much there was, which receipts prove it."""
    return Progress(entries=progress.entries, counts=progress.counts, receipts=progress.receipts)
