"""A self-audit: tell stories to a ledger of their own over the real store, search for what must be gone, clean up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec
from sqlalchemy import MetaData

from connectors.contract import Credentials
from connectors.registry import CONNECTORS
from policies.message import Private
from worker import transcripts
from worker.inbound import Answer, Committed, Delivery, Disposition, Posted
from worker.intake.admission import examine
from worker.keyring import Keyring
from worker.ledger import Clock, Ledger
from worker.log.lines import Place
from worker.log.writer import Log
from worker.metrics import Metrics
from worker.observe import Observer
from worker.selfaudit.places import Seeker, Sighting, files_of, in_files, in_lines, in_rows, in_value
from worker.selfaudit.story import CONNECTOR, NEVER_KEPT, Canary, Story, tell
from worker.store.engine import Store
from worker.store.shadow import shadow_of
from worker.store.tables import KeyringTable, Table
from worker.tenants.loading import Tenant, TenantConnector

_SECONDS: Final = 30.0


class AuditFailed(Exception):
    """A story did not come to its end, so nothing was proven."""


class Finding(Private, frozen=True, kw_only=True, array_like=True):
    """What must not be and is, as ``what:where``; and how many bytes of files were searched, or left out."""

    survivors: tuple[str, ...]
    searched: int = 0
    left_out: int = 0


class SelfAudit:
    """Audits tenants over one store. ``log`` is the process's own: its last lines are searched too.

    ``fault`` is told of what kept a tenant's story from its end.
    """

    def __init__(
        self, store: Store, keyring: Keyring, log: Log, clock: Clock, fault: Callable[[Exception], None]
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._log = log
        self._clock = clock
        self._fault = fault

    def run(self, tenants: Sequence[Tenant]) -> dict[str, Finding]:
        """Tell each tenant's shadow a story under the tenant's rules, then search for all of them at once.

        By tenant's id; those whose story did not come to its end are absent: nothing was proven.
        """
        stories = {tenant.id: tell(self._clock()) for tenant in tenants}
        shadows = [_shadow(tenant, stories[tenant.id].account) for tenant in tenants]
        try:
            with _own_log(self._clock) as log:
                told = [
                    tenant.id
                    for tenant, shadow in zip(tenants, shadows, strict=True)
                    if self._is_told(log, shadow, stories[tenant.id])
                ]
            return self._search({id_: stories[id_] for id_ in told}, log.recent())
        finally:
            for shadow in shadows:
                self.clean(shadow.id)

    def clean(self, shadow: str) -> None:
        """Leave nothing of a shadow, also of one whose audit was cut off."""
        for store, models in ((self._store, Table), (self._keyring.store, KeyringTable)):
            with store.transaction() as tx:
                for table in models.metadata.tables.values():
                    if "tenant" in table.c:
                        tx.execute(table.delete().where(table.c.tenant == shadow))

    # -- telling -----------------------------------------------------------------------------------------

    def _is_told(self, log: Log, shadow: Tenant, story: Story) -> bool:
        try:
            self.clean(shadow.id)  # what an audit left that was cut off
            self._tell(log, shadow, story)
        except Exception as error:  # noqa: BLE001 - the other tenants are audited all the same
            self._fault(error)
            return False
        return True

    def _tell(self, log: Log, shadow: Tenant, story: Story) -> None:
        """Two batches, so that what is taken back has really been stored before."""
        committed = self._commit(log, shadow, story.before)
        self._check_control(shadow.id, story, committed)
        self._commit(log, shadow, story.after)

    def _commit(self, log: Log, shadow: Tenant, bodies: Sequence[bytes]) -> list[Committed]:
        source = shadow.connectors[CONNECTOR]
        observer = Observer(log, Metrics("shadow"), self._clock)
        answers: list[Answer] = []
        committed: list[Committed] = []

        def answered(batch: Sequence[tuple[Delivery | Posted, Answer]]) -> None:
            answers.extend(answer for _, answer in batch)

        def told(batch: Sequence[Committed]) -> None:
            committed.extend(batch)
            observer.committed(batch)

        ledger = Ledger(
            self._store,
            self._keyring,
            answers=answered,
            committed=told,
            failed=observer.failed,
            examine=lambda one: examine(one, lambda error: observer.fault(Place.INTAKE, error)),
            clock=self._clock,
        )
        ledger.start()
        for body in bodies:
            ledger.submit(Posted(tenant=shadow, source=source, received_at=self._clock(), body=body))
        if not ledger.stop(_SECONDS) or answers != [Answer.COMMITTED] * len(bodies):
            raise AuditFailed
        return committed

    def _check_control(self, shadow: str, story: Story, committed: Iterable[Committed]) -> None:
        """A search that finds nothing proves something only where it would have found what is there."""
        stored = sum(one.disposition is Disposition.STORED for c in committed for one in c.settled)
        seen = {canary for _, canary in self._in_transcript(Seeker({shadow: story}), shadow)}
        if stored == len(story.before) and Canary.KEPT not in seen:
            raise AuditFailed

    # -- searching ---------------------------------------------------------------------------------------

    def _search(self, stories: Mapping[str, Story], lines: bytes) -> dict[str, Finding]:
        seeker = Seeker(stories)
        files = in_files(seeker, files_of(self._store, self._keyring.store))
        everywhere = {
            "files": files.found,
            "log": in_lines(seeker, lines) | in_lines(seeker, self._log.recent()),
        }
        findings: dict[str, Finding] = {}
        for whose in stories:
            places = {
                **everywhere,
                "rows": self._in_rows(seeker, shadow_of(whose)),
                "transcript": {
                    (who, what)
                    for who, what in self._in_transcript(seeker, shadow_of(whose))
                    if what in NEVER_KEPT
                },
            }
            survivors = sorted(
                f"{what}:{where}" for where, seen in places.items() for who, what in seen if who == whose
            )
            findings[whose] = Finding(
                survivors=tuple(survivors), searched=files.searched, left_out=files.left_out
            )
        return findings

    def _in_transcript(self, seeker: Seeker, shadow: str) -> set[Sighting]:
        return in_value(seeker, transcripts.export(self._store, self._keyring, shadow))

    def _in_rows(self, seeker: Seeker, shadow: str) -> set[Sighting]:
        stores: tuple[tuple[Store, MetaData], ...] = (
            (self._store, Table.metadata),
            (self._keyring.store, KeyringTable.metadata),
        )
        return set().union(*(in_rows(seeker, store, tables, shadow) for store, tables in stores))


def _shadow(tenant: Tenant, account: str) -> Tenant:
    """The tenant's rules under another name, with one connector and nothing to send with."""
    source = TenantConnector(
        connector=CONNECTORS[CONNECTOR],
        accounts=frozenset({account}),
        credentials=Credentials(signing_secrets=()),
    )
    return msgspec.structs.replace(
        tenant, id=shadow_of(tenant.id), connectors={CONNECTOR: source}, sms=None, egress=()
    )


@contextmanager
def _own_log(clock: Clock) -> Iterator[Log]:
    """A log whose lines are written as always, and shown to nobody."""
    descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    log = Log(descriptor, clock)
    log.start()
    try:
        yield log
    finally:
        log.close(_SECONDS)
        os.close(descriptor)
