"""Sending what stands in the outbox: claim, check once more, call the provider once, write down what it said.

A call is made at most once for each claim (worker/store/outbox.py has the states). Nothing is lost by dying at any point:
before the claim is committed nothing has happened; after it, whatever was not written down in time becomes UNKNOWN, which
is asked for, waited for, and at last shown to a person, and never sent again by itself.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from connectors.contract import Refused, Sent
from policies.event import DeliveryReported, Failure
from policies.message import Channel, Instant
from worker.egress.client import FORBIDDEN
from worker.inbound import Committed
from worker.keyring import Keyring
from worker.sms import lastcheck, recording
from worker.sms.calls import CallResult, Calls, Renewed, Unreached
from worker.sms.keeping import Keeper
from worker.sms.lastcheck import Asked, Claimed, Ready
from worker.sms.outcomes import COURSES, SECOND, Outcome, after, unreached
from worker.sms.recording import Recorded
from worker.sms.reports import Reports, Told
from worker.sms.senders import Senders
from worker.store import outbox
from worker.store.engine import Store
from worker.store.outbox import OutboxState, Outgoing
from worker.store.retry import persistently
from worker.store.statements import Raced, clock
from worker.tenants.loading import Tenant, Tenants, Version

POLL_SECONDS: Final = 1.0
"""How often work is looked for that another replica took in, or whose time has come."""

_WRITING_SECONDS: Final = 600.0
"""How long an answer is held while the store does not take it; then the row's lease tells that it is unknown."""

T = TypeVar("T")


class Delivery:
    """Threads that send. ``wake`` when something was put into the outbox; ``stop`` finishes what is being called."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        store: Store,
        keyring: Keyring,
        calls: Calls,
        reports: Reports,
        tenants: Callable[[], Tenants],
        *,
        threads: int,
        unknown_seconds: float,
        now: Callable[[Connection], Instant] = clock,
        draw: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._calls = calls
        self._reports = reports
        self._tenants = tenants
        self._threads = threads
        self._clock = now
        self._draw = draw
        self._monotonic = monotonic
        self._lease = calls.longest + 30.0
        self.senders = Senders(threads, reports.switched, monotonic)
        self._configured: dict[str, object] = {}
        self._turn = 0
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._pool = ThreadPoolExecutor(max(threads, 1), "send")
        self._keeper = Keeper(
            store, keyring, calls, reports, round(unknown_seconds * SECOND), self._found, now
        )
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._persist = Retrying(
            retry=retry_if_exception_type((SQLAlchemyError, Raced)),
            stop=stop_any(stop_when_event_set(self._abandoned), stop_after_delay(_WRITING_SECONDS)),
            wait=wait_random_exponential(multiplier=0.05, max=5),
            sleep=sleep_using_event(self._abandoned),
            reraise=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it looks for work, or was never meant to."""
        return self._threads == 0 or self._thread.is_alive()

    def start(self) -> None:
        """Begin to send."""
        if self._threads:
            self._thread.start()

    def wake(self) -> None:
        """Something was put into the outbox, or may be sent now."""
        self._woken.set()

    def cease(self) -> None:
        """Claim nothing more; calls under way go on."""
        self._stopping.set()
        self._woken.set()

    def stop(self, timeout: float) -> bool:
        """Cease, and finish the calls under way. Whether all were finished within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self.cease()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        while self.senders.in_flight and time.monotonic() < deadline:
            self._woken.clear()
            self._woken.wait(min(0.05, max(deadline - time.monotonic(), 0)))
        self._abandoned.set()
        finished = not self.senders.in_flight and not self._thread.is_alive()
        self._pool.shutdown(wait=finished, cancel_futures=True)
        self._keeper.close()
        return finished

    def configured(self, tenants: Tenants) -> None:
        """Tenants were loaded: what was left alone is tried again where its configuration is another one."""
        before, self._configured = self._configured, {one.id: _sends_with(one) for one in tenants.serving}
        for tenant in before.keys() | self._configured.keys():
            if before.get(tenant) != self._configured.get(tenant):
                self.senders.forget(tenant)
        self._woken.set()

    def heard(self, batch: Sequence[Committed]) -> None:
        """What providers report later of texts that they took: some of it concerns the sender, or an operator."""
        for committed in batch:
            if committed.delivery.source.connector.channel is not Channel.SMS:
                continue
            self._woken.set()  # it may have put an answer into the outbox
            place = committed.delivery.tenant.id, committed.delivery.source.connector.name
            for item in committed.delivery.events:
                event = item.event
                if isinstance(event, DeliveryReported) and event.failure and COURSES[event.failure].alert:
                    self.senders.heard(*place, event.account, event.failure)
                    code = max(event.error_codes, default=0)
                    self._reports.heard(*place, event.account, event.failure, code)

    def status(self) -> Mapping[str, Any]:
        """What is not done, by tenant and state, and who sends nothing now."""
        return {
            "calls": self.senders.in_flight,
            "outbox": self._keeper.status(),
            "out_of_service": self.senders.status(),
        }

    # -- looking for work --------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = self.round()
            except Exception as error:  # noqa: BLE001 - the store may answer again, and what is due stays due
                self._reports.fault(error)
                more = False
            if not more:
                pause = self.senders.seconds_to_pause()
                self._woken.wait(POLL_SECONDS if pause is None else min(POLL_SECONDS, pause + 0.005))

    def round(self) -> bool:
        """Look once at every tenant with work, a different one first each time. Whether there may be more to claim."""
        tenants = self._tenants()
        with self._store.reading() as tx:
            now = self._clock(tx)
            busy = outbox.tenants_with_work(tx)
            due = [one for one in busy if (outbox.due_next(tx, one) or now + 1) <= now]
        self._keeper.keep(busy, tenants)
        self._turn += 1
        versions = [tenants.versions[one] for one in due if one in tenants.versions]
        start = self._turn % max(len(versions), 1)
        claimed = [self._claim(version) for version in versions[start:] + versions[:start]]
        return any(claimed)

    def _claim(self, version: Version) -> bool:
        tenant = version.tenant.id
        free = self._threads - self.senders.in_flight
        if free <= 0 or self._stopping.is_set():
            return False
        entered: list[Outgoing] = []
        asked = Asked(
            tenant=version.tenant,
            most=free,
            lease=round(self._lease * SECOND),
            without=self.senders.closed_connectors(tenant) | version.out_of_service | version.not_sending,
            silent=self.senders.silent_accounts(tenant),
            enter=partial(self._enter, tenant, entered),
        )
        try:
            claimed, now = persistently(partial(self._transact, asked, entered))
        except IntegrityError:  # another replica calls the same pair: the database says so
            self._undo(tenant, entered)
            return False
        except BaseException:
            self._undo(tenant, entered)
            raise
        until = self._monotonic() + self._lease
        for ready in claimed.ready:
            self._pool.submit(self._deliver, ready, until, now)
        for account, wait in claimed.pauses.items():
            self.senders.pause(tenant, account, wait - now)
        for stopped in claimed.stopped:
            self._stop(stopped)
        return claimed.seen > 0 and bool(claimed.ready or claimed.stopped)

    def _transact(self, asked: Asked, entered: list[Outgoing]) -> tuple[Claimed, Instant]:
        self._undo(asked.tenant.id, entered)  # what an earlier try had let through
        with self._store.transaction() as tx:
            now = self._clock(tx)
            return lastcheck.claim(tx, self._keyring, asked, now), now

    def _enter(self, tenant: str, entered: list[Outgoing], row: Outgoing) -> bool:
        if not self.senders.enter(tenant, row):
            return False
        entered.append(row)
        return True

    def _undo(self, tenant: str, entered: list[Outgoing]) -> None:
        while entered:
            self.senders.leave(tenant, entered.pop())

    def _stop(self, stopped: lastcheck.Stopped) -> None:
        recorded = self._write(lambda tx, now: recording.stop(tx, self._keyring, stopped, now))
        if recorded is not None and recorded.applied:
            self._reports.told(
                Told(
                    tenant=stopped.tenant.id,
                    row=stopped.row,
                    state=stopped.state,
                    reasons=stopped.reasons,
                    recorded=recorded,
                )
            )

    def _found(self, ready: Ready, sent: Sent) -> None:
        """A provider that was asked about an unknown text has it."""
        self._record(ready, sent, 0, 0)
        self._woken.set()

    # -- one text ----------------------------------------------------------------------------------------

    def _deliver(self, ready: Ready, until: float, claimed_at: Instant) -> None:
        """Call once and write down what came of it. ``until``: later (this process stood still) nobody is called."""
        result: CallResult | None = None
        try:
            started = time.monotonic_ns()
            result = self._call(ready) if self._monotonic() < until - self._calls.longest else Renewed()
            called = (time.monotonic_ns() - started) // 1000
            self._record(ready, result, max(claimed_at - ready.row.not_before, 0), called)
        except Exception as error:  # noqa: BLE001 - the row's lease tells what is not known
            self._reports.fault(error)
        finally:
            self._let_go(ready, result)

    def _let_go(self, ready: Ready, result: CallResult | None) -> None:
        if result is None:
            self.senders.leave(ready.tenant.id, ready.row)
        else:
            self.senders.learn(ready.tenant.id, ready.row, result)
        self._woken.set()

    def _call(self, ready: Ready) -> CallResult:
        try:
            return self._calls.send(ready.tenant, ready.source, ready.text)
        except Exception as error:  # noqa: BLE001 - raised before anything was sent: this text cannot be
            self._reports.fault(error)
            return Refused(failure=Failure.REJECTED)

    def _record(self, ready: Ready, result: CallResult, waited: int, called: int) -> None:
        draw = self._draw()
        provider_id = result.id if isinstance(result, Sent) else ""
        outcome = Outcome(state=OutboxState.UNKNOWN)

        def write(tx: Connection, now: Instant) -> Recorded:
            nonlocal outcome
            outcome = _outcome(result, ready.row.attempts, now, draw)
            return recording.record(tx, self._keyring, ready, outcome, provider_id, now)

        started = time.monotonic_ns()
        recorded = self._write(write)
        if recorded is None:
            return
        self._reports.told(
            Told(
                tenant=ready.tenant.id,
                row=ready.row,
                state=outcome.state,
                failure=outcome.failure,
                code=outcome.code,
                alert=outcome.alert,
                recorded=recorded,
                waited=waited,
                call=called,
                record=(time.monotonic_ns() - started) // 1000,
            )
        )

    def _write(self, change: Callable[[Connection, Instant], T]) -> T | None:
        """One transaction, again and again until the store takes it; None where this process ends before."""

        def transact() -> T:
            with self._store.transaction() as tx:
                return change(tx, self._clock(tx))

        try:
            done: T = self._persist(persistently, transact)
            return done
        except (SQLAlchemyError, Raced, RetryError) as error:
            self._reports.fault(error)
            return None


def _sends_with(tenant: Tenant) -> object:
    sendings = {name: source.sending for name, source in tenant.connectors.items()}
    return sendings, tenant.egress, tenant.sms and tenant.sms.policy


def _outcome(result: CallResult, attempts: int, now: Instant, draw: float) -> Outcome:
    match result:
        case Renewed():
            return Outcome(state=OutboxState.QUEUED, until=now)
        case Unreached():
            return unreached(attempts, now, draw, forbidden=result.why in FORBIDDEN)
        case _:
            return after(result, attempts, now, draw)
