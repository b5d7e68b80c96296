"""Requests from their arrival to their end: one step after the other, each durable before the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from worker.acts import Operator, record_act
from worker.holds.holding import Holds
from worker.rights.deadlines import DAY, HELD, Source, urgency_of
from worker.rights.errors import RightsRefused
from worker.rights.files import ExportFile, is_ours
from worker.rights.finding import Finder
from worker.rights.outcome import Outcome, Status
from worker.rights.rectify import Rectifier
from worker.rights.request import Right, RightsRequest
from worker.rights.steps import CLOSED, DONE, REST, SEARCH, WRITE, Steps, Tools
from worker.rights.subject import Person
from worker.rights.ticket import Answer, Case, Order, Progress, Sealer, found, logged, told
from worker.store import rights
from worker.store.retry import persistently
from worker.store.rights import Kept

SAME: Final = DAY
"""For so long after it was done, the same request is the same: whoever asks again is told what was done."""

REMEMBERED: Final = 31 * DAY
"""For so long after it was done it is known what was asked, and the results of an export can be fetched."""

_AT_ONCE: Final = 500

ACTS: Final = {
    Right.EXPORT: "rights_export",
    Right.UPDATE: "rights_update",
    Right.DELETE: "rights_delete",
}
"""What a request is called in the record of operators' acts."""


class Arrival(Private, frozen=True, kw_only=True):
    """How a request came: by whom and why, from where, and into which file an export is to be written.

    ``received_at`` is when its time began to run, None for now.
    """

    operator: Operator
    source: Source = Source.PERSON
    region: str | None = None
    file: ExportFile | None = None
    received_at: Instant | None = None


class Resumed(Private, frozen=True, kw_only=True):
    """What became of a request that was gone on with: where it stands, or what went wrong."""

    tenant: str
    id: bytes
    answer: Answer | None = None
    error: Exception | None = None


class Desk:
    """Takes requests and brings them to their end. From any thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._store = tools.store
        self._keyring = tools.keyring
        self._clock = tools.clock
        self._sealer = Sealer(tools.keyring)
        self._finder = Finder(tools.keyring)
        self._rectifier = Rectifier(tools.store, tools.keyring, tools.clock)
        self._steps = Steps(tools)

    # -- taking ------------------------------------------------------------------------------------------

    def count(self, tenant: str, request: RightsRequest, arrival: Arrival) -> Answer:
        """What a request would be about; nothing is changed. Raises RightsRefused as ``take`` would."""
        with self._store.reading() as tx:
            person = self._found(tx, tenant, request, arrival)
            counts = self._finder.counts(tx, tenant, person)
        progress = msgspec.structs.replace(found(person), counts=counts)
        progress = msgspec.structs.replace(progress, entries=logged(progress, Outcome.FOUND))
        id_ = self._sealer.id(tenant, request, 0)
        return told(self._fresh(tenant, id_, request, arrival), progress, None, held=False)

    def take(self, tenant: str, request: RightsRequest, arrival: Arrival) -> Answer:
        """Record a request and bring it as far as it goes now. Raises RightsRefused: then nothing was changed."""
        with self._store.reading() as tx:
            standing = self._stands(tx, tenant, request, arrival)
            if not standing:
                self._found(tx, tenant, request, arrival)
        id_ = persistently(partial(self._record, tenant, request, arrival, standing=standing))
        return self.work(tenant, id_)

    def work(self, tenant: str, id_: bytes) -> Answer:
        """Take one step after the other until it is done, or a hold keeps it. Raises RightsRefused, or what fails."""
        case = self._case(tenant, id_)
        while not case.kept.is_done and case.kept.step != HELD:
            self._steps.take(case)
            case = self._case(tenant, id_)
        return self._told(case)

    def resume(self, tenant: str | None = None) -> list[Resumed]:
        """Go on with everything that is not done, of one tenant or of all, where it can be gone on with."""
        with self._store.reading() as tx:
            unfinished = rights.unfinished(tx, tenant)
        return [self._resume(of, kept) for of, kept in unfinished if self._is_ready(of, kept)]

    def close(self) -> int:
        """Forget what was asked by requests that were done long ago; how many.

        Which conversations they were about stays, as long as those do: an erasure has to find the files of exports.
        """
        with self._store.reading() as tx:
            old = rights.done_before(tx, DONE, self._clock() - REMEMBERED, _AT_ONCE)
        for tenant, kept in old:
            sealed = self._sealer.seal(tenant, kept.id, Order())
            with self._store.transaction() as tx:
                rights.move(tx, tenant, kept.id, DONE, step=CLOSED, sealed=sealed)
        return len(old)

    # -- telling -----------------------------------------------------------------------------------------

    def status(self, tenant: str, id_: bytes) -> Answer:
        """How far a request is. Raises RightsRefused."""
        return self._told(self._case(tenant, id_))

    def all(self, tenant: str) -> list[Answer]:
        """The last requests of a tenant, the first received first."""
        with self._store.reading() as tx:
            kept = rights.all_of(tx, tenant)
        return [self._told(self._sealer.case(tenant, one)) for one in kept]

    def export(self, tenant: str, id_: bytes) -> Iterator[bytes]:
        """The data of the person whom an export is about, as it is now, in pieces. Raises RightsRefused at once."""
        case = self._case(tenant, id_)
        if case.request.request_type is not Right.EXPORT:
            raise RightsRefused("not_an_export")
        return self._steps.stream(case)

    # -- recording ---------------------------------------------------------------------------------------

    def _found(self, tx: Connection, tenant: str, request: RightsRequest, arrival: Arrival) -> Person:
        """Whom the request names. Raises RightsRefused where that is nobody, or somebody else would be joined."""
        person = self._finder.person(tx, tenant, request, arrival.region)
        if arrival.source is not Source.META_CALLBACK and not self._finder.is_anybody(tx, tenant, person):
            raise RightsRefused("nobody_found")
        self._rectifier.check(tx, tenant, person, request.terms, arrival.region)
        return person

    def _stands(self, tx: Connection, tenant: str, request: RightsRequest, arrival: Arrival) -> bool:
        """Whether the same request is not done yet, or was done just now and nothing speaks for doing it once more.

        Somebody may have come back who was erased, or an erasure may have emptied what was asked before.
        """
        kept = self._known(tx, tenant, request)
        if kept is None or not kept.is_done:
            return kept is not None
        if request.request_type is Right.DELETE:
            return not self._finder.person(tx, tenant, request, arrival.region).personas
        return self._sealer.order(tenant, kept).request is not None

    def _known(self, tx: Connection, tenant: str, request: RightsRequest) -> Kept | None:
        """The same request where it is not done yet, or was just now."""
        kept = self._last(tx, tenant, request)[0]
        if kept is None or kept.completed_at is None or self._clock() - kept.completed_at < SAME:
            return kept
        return None

    def _last(self, tx: Connection, tenant: str, request: RightsRequest) -> tuple[Kept | None, bytes]:
        """The same request as it was last recorded, and the id that it would get now."""
        last = None
        for number in count():
            id_ = self._sealer.id(tenant, request, number)
            kept = rights.find(tx, tenant, id_)
            if kept is None:
                return last, id_
            last = kept
        raise AssertionError

    def _record(self, tenant: str, request: RightsRequest, arrival: Arrival, *, standing: bool) -> bytes:
        with self._store.transaction() as tx:
            last, id_ = self._last(tx, tenant, request)
            if last is not None and (standing or not last.is_done):
                self._again(tx, tenant, last, arrival)
                return last.id
            rights.add(tx, tenant, self._fresh(tenant, id_, request, arrival))
            action = ACTS[request.request_type]
            now, operator = self._clock(), arrival.operator
            record_act(tx, self._keyring, tenant, action=action, about=id_, operator=operator, now=now)
        return id_

    def _fresh(self, tenant: str, id_: bytes, request: RightsRequest, arrival: Arrival) -> Kept:
        received_at = self._clock() if arrival.received_at is None else arrival.received_at
        order = Order(
            request=request,
            name=arrival.operator.name,
            why=arrival.operator.why,
            region=arrival.region,
        )
        progress = Progress(files=(arrival.file,) if arrival.file is not None else ())
        return Kept(
            id=id_,
            kind=request.request_type,
            status=Status.INITIATED,
            source=arrival.source,
            step=SEARCH,
            received_at=received_at,
            due_at=self._tools.deadlines.due(arrival.source, received_at),
            sealed=self._sealer.seal(tenant, id_, order),
            log=self._sealer.seal(tenant, id_, progress),
        )

    def _again(self, tx: Connection, tenant: str, kept: Kept, arrival: Arrival) -> None:
        """An export is searched and written once more: into its new file, beside those that it has."""
        if kept.kind != Right.EXPORT or (not kept.is_done and arrival.file is None):
            return
        files = self._sealer.progress(tenant, kept).files
        if arrival.file is not None and arrival.file.path not in {
            file.path for file in files if not file.digest
        }:
            files = (*files, arrival.file)
        log = self._sealer.seal(tenant, kept.id, Progress(files=files))
        values = {"step": SEARCH, "status": Status.INITIATED, "completed_at": None, "log": log}
        rights.move(tx, tenant, kept.id, kept.step, **values)

    # -- going on ----------------------------------------------------------------------------------------

    def _is_ready(self, tenant: str, kept: Kept) -> bool:
        if kept.step not in {HELD, WRITE}:
            return True
        case = self._sealer.case(tenant, kept)
        if kept.step == WRITE:
            return all(file.digest or is_ours(file) for file in case.progress.files)
        return self._release(case)

    def _release(self, case: Case) -> bool:
        """Whether no hold keeps something any more that one kept before; then that is what waits."""
        progress = case.progress
        with self._store.reading() as tx:
            holds = Holds(tx, case.tenant)
            free = tuple(one for one in progress.held if not holds.keeps(one))
        if free:
            held = tuple(one for one in progress.held if one not in free)
            progress = msgspec.structs.replace(progress, waiting=free, held=held, again=True)
            self._steps.move(case, REST, progress)
        return bool(free)

    def _resume(self, tenant: str, kept: Kept) -> Resumed:
        try:
            return Resumed(tenant=tenant, id=kept.id, answer=self.work(tenant, kept.id))
        except Exception as error:  # noqa: BLE001 - one request must not keep the others
            if not isinstance(error, RightsRefused) or error.code != "file_busy":
                self._fail(tenant, kept.id)
            return Resumed(tenant=tenant, id=kept.id, error=error)

    def _fail(self, tenant: str, id_: bytes) -> None:
        with self._store.transaction() as tx:
            kept = rights.find(tx, tenant, id_)
            if kept is not None and not kept.is_done:
                rights.move(tx, tenant, id_, kept.step, status=Status.ERROR)

    # -- details -----------------------------------------------------------------------------------------

    def _case(self, tenant: str, id_: bytes) -> Case:
        with self._store.reading() as tx:
            kept = rights.find(tx, tenant, id_)
        if kept is None:
            raise RightsRefused("unknown_request")
        return self._sealer.case(tenant, kept)

    def _told(self, case: Case) -> Answer:
        kept = case.kept
        urgency = urgency_of(kept, self._clock(), self._tools.deadlines)
        has_results = kept.kind == Right.EXPORT and kept.is_done and case.order.request is not None
        url = f"/v1/tenants/{case.tenant}/rights/{kept.id.hex()}/export" if has_results else None
        return told(kept, case.progress, urgency, held=kept.step == HELD, url=url)
