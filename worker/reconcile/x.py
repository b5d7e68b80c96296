"""X posts and users by batch compliance jobs: one job of each type at a time, carried on over as many runs as it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Final

import msgspec

from connectors.asking import Trouble, number
from connectors.contract import HttpAnswer
from connectors.x.compliance import (
    ComplianceJob,
    JobStatus,
    JobType,
    Kept,
    Result,
    create_job,
    download_results,
    get_job,
    post_events,
    read_job,
    read_results,
    upload_ids,
    user_events,
)
from policies.event import Event, MessageUnsent
from policies.message import Direction, IdentifierKind, Instant, MessageKind, Private
from worker.jobs import Stop
from worker.reconcile.asking import Asker, CutShort
from worker.reconcile.known import Known, conversations_after, messages_after, person_of
from worker.reconcile.run import Case, Tally, Tools, advance, asker, position, whole

ABANDONED: Final = "abandoned"
DAMAGED: Final = "damaged"

_HOUR: Final = 3_600 * 1_000_000
_LONGEST: Final = 24 * _HOUR
_SOME: Final = 200


class Place(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where a walk over what is stored came to: a conversation, and a message of it."""

    conversation: bytes = b""
    at: Instant = 0
    key: bytes = b""


class State(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Between two runs: the job that is under way ("" for none) with what it is about, and the cycle that it belongs to."""

    job: str = ""
    made_at: Instant = 0
    after: Place = Place()
    upto: Place = Place()
    began: Instant = 0
    finished: bool = False


class Entry(Private, frozen=True):
    """An id that is asked about, and the conversation that it stands for, or stands in."""

    place: Place
    id: str
    person: str = ""
    is_theirs: bool = True


_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(State)


def reconcile(tools: Tools, case: Case, type_: JobType, stop: Stop) -> Tally:
    """Take the job of a type as far as it goes now."""
    tally = Tally(about=type_.value)
    asking = asker(tools, case, stop)
    return whole(tally, asking, _Reconciliation(tools, case, type_, asking, tally).run)


class _Reconciliation:
    def __init__(self, tools: Tools, case: Case, type_: JobType, asking: Asker, tally: Tally) -> None:
        self._tools = tools
        self._case = case
        self._type = type_
        self._asking = asking
        self._tally = tally
        self._token = case.asking.secrets["bearer_token"][0]

    def run(self) -> None:
        state = self._state()
        if not state.job:
            state = self._begin(state)
        if state.job:
            self._proceed(state)

    # -- the job -----------------------------------------------------------------------------------------

    def _begin(self, state: State) -> State:
        """Make a job for the next ids; without a job where the cycle is done."""
        now = self._tools.clock()
        wait = number(self._case.asking.options, "hours", 1, 8760) * _HOUR
        if state.finished and 0 <= now - state.began < wait:
            return state
        if state.finished or not state.began:
            state = State(began=now)
        entries = list(islice(self._walk(state.upto), number(self._case.asking.options, "batch", 1, 5000)))
        if not entries:
            return self._save(State(began=state.began, finished=True))
        # Not tried again: a second job of the type would be refused, or be made for nothing.
        job = self._job(
            self._asking.ask(create_job(self._type, self._case.asking, self._token), tries=1), None
        )
        begun = State(job=job.id, made_at=now, after=state.upto, upto=entries[-1].place, began=state.began)
        self._save(begun)
        self._upload(job, entries)
        return begun

    def _proceed(self, state: State) -> None:
        answer = self._asking.ask(get_job(state.job, self._case.asking, self._token))
        if answer.status == 404 or self._tools.clock() - state.made_at > _LONGEST:
            self._abandon(state, ABANDONED)
            return
        job = self._job(answer, state.job)
        match job.status:
            case JobStatus.CREATED:
                # Whoever made it came no further.
                self._upload(job, self._entries(state))
            case JobStatus.COMPLETE:
                self._apply(job, self._entries(state))
                self._save(State(upto=state.upto, began=state.began))
            case JobStatus.FAILED | JobStatus.EXPIRED:
                self._abandon(state, job.status.value)
            case JobStatus.IN_PROGRESS:
                pass

    def _job(self, answer: HttpAnswer, id_: str | None) -> ComplianceJob:
        job = read_job(answer)
        if job is None or job.type is not self._type or id_ not in (None, job.id):
            raise CutShort(Trouble.UNEXPECTED.value)
        return job

    def _upload(self, job: ComplianceJob, entries: Sequence[Entry]) -> None:
        ids = sorted({one.id for one in entries}, key=int)
        answer = self._asking.ask(upload_ids(job, ids, self._case.asking, self._token))
        if not 200 <= answer.status < 300:
            raise CutShort(Trouble.UNEXPECTED.value)

    def _abandon(self, state: State, why: str) -> None:
        """The same ids are asked about again, with another job."""
        self._tally.why = why
        self._save(State(upto=state.after, began=state.began))

    # -- its results -------------------------------------------------------------------------------------

    def _apply(self, job: ComplianceJob, entries: Sequence[Entry]) -> None:
        """Only what was asked about is touched, and only by lines that say plainly what is to be done."""
        read = read_results(self._asking.ask(download_results(job, self._case.asking, self._token)))
        if read is None:
            raise CutShort(Trouble.UNEXPECTED.value)
        known = {one.id: one for one in entries}
        now = self._tools.clock()
        told = [list(self._events(known[one.id], one, now)) for one in read.results if one.id in known]
        self._tools.hand.give(self._case.tenant, self._case.source, list(chain.from_iterable(told)))
        self._tally.gone += sum(any(isinstance(one, MessageUnsent) for one in some) for some in told)
        self._tally.asked += len(known)
        self._tally.unsure += read.damaged
        if read.damaged:
            self._tally.why = DAMAGED

    def _events(self, entry: Entry, result: Result, now: Instant) -> Iterator[Event]:
        account = self._case.account
        if self._type is JobType.POSTS:
            post = Kept(id=entry.id, is_post=True, is_theirs=entry.is_theirs, person=entry.person)
            return post_events(account, post, result, now)
        return user_events(account, list(self._kept_of(entry)), result, now)

    def _kept_of(self, entry: Entry) -> Iterator[Kept]:
        for one in self._messages(entry.place.conversation, Place(), ()):
            yield Kept(
                id=one.id,
                is_post=one.kind == MessageKind.POST,
                is_theirs=one.direction == Direction.INBOUND,
                person=entry.id,
            )

    # -- what is stored ----------------------------------------------------------------------------------

    def _entries(self, state: State) -> list[Entry]:
        """What a job is about, as far as it is still there."""
        return list(takewhile(lambda one: one.place <= state.upto, self._walk(state.after)))

    def _walk(self, after: Place) -> Iterator[Entry]:
        """Every id of the type, from a place on."""
        if after.conversation and self._type is JobType.POSTS:
            yield from self._posts(after.conversation, after)
        last = after.conversation
        while some := self._conversations(last):
            for conversation in some:
                yield from self._of(conversation)
            last = some[-1]

    def _of(self, conversation: bytes) -> Iterator[Entry]:
        if self._type is JobType.POSTS:
            yield from self._posts(conversation, Place())
        elif (person := self._person(conversation)).isdigit() and person != self._case.account:
            yield Entry(Place(conversation), person, person)

    def _posts(self, conversation: bytes, after: Place) -> Iterator[Entry]:
        person = ""
        for one in self._messages(conversation, after, (MessageKind.POST.value,)):
            person = person or self._person(conversation)
            yield Entry(Place(conversation, *one.place), one.id, person, one.direction == Direction.INBOUND)

    def _messages(self, conversation: bytes, after: Place, kinds: tuple[str, ...]) -> Iterator[Known]:
        place, now = (after.at, after.key), self._tools.clock()
        while True:
            with self._tools.store.reading() as tx:
                some = messages_after(
                    tx,
                    self._tools.keyring,
                    self._case.tenant.id,
                    conversation,
                    after=place,
                    before=now,
                    kinds=kinds,
                    limit=_SOME,
                )
            yield from (one for one in some if one.id.isascii() and one.id.isdigit())
            if len(some) < _SOME:
                return
            place = some[-1].place

    def _conversations(self, after: bytes) -> list[bytes]:
        case = self._case
        with self._tools.store.reading() as tx:
            return conversations_after(
                tx, case.tenant.id, case.source.connector.name, case.account, after, _SOME
            )

    def _person(self, conversation: bytes) -> str:
        tools = self._tools
        with tools.store.reading() as tx:
            return person_of(tx, tools.keyring, self._case.tenant.id, conversation, IdentifierKind.X_ID)

    # -- between runs ------------------------------------------------------------------------------------

    def _state(self) -> State:
        kept = position(self._tools, self._case, self._type.value)
        try:
            return _decoder.decode(kept) if kept else State()
        except msgspec.MsgspecError:  # of another version: it begins anew
            return State()

    def _save(self, state: State) -> State:
        advance(self._tools, self._case, self._type.value, _encode(state))
        return state
