"""``sluicegate tenants offboard``: what it does, and what it says of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from policies.retention import Agreement, Retention
from worker.acts import Operator
from worker.errors import ConfigurationError, Unavailable
from worker.retention import offboard, persons, purge
from worker.retention.means import Means
from worker.retention.offboard import Step
from worker.retention.purge import Judge
from worker.retention.report import proof_due, write_report
from worker.retention.space import give_back
from worker.store import decisions, retention
from worker.store.retention import Offboarding
from worker.tenants.loading import Tenant
from worker.transcripts import iso

_TRIES = 3


class TenantsEnd:
    """The offboarding of one tenant. Raises ConfigurationError for one that nobody knows."""

    def __init__(self, means: Means, tenant: str, serving: Tenant | None) -> None:
        self._means = means
        self._tenant = tenant
        self._serving = serving
        with means.store.reading() as tx:
            self._known = retention.find_offboarding(tx, tenant)
            if serving is None and self._known is None and tenant not in decisions.tenants(tx):
                raise ConfigurationError("there is no such tenant, neither in service nor in the store")

    def policy(self, ends: str, zone: str | None) -> Retention:
        """What is kept until when, if the agreement ends with that day. Raises ConfigurationError."""
        said = self._said()
        own = said.agreement.zone if said.agreement is not None else "UTC"
        try:
            return msgspec.structs.replace(said, agreement=_agreement(ends, zone or own))
        except (ValueError, OverflowError, KeyError, OSError):
            raise ConfigurationError(
                "--agreement-ends: expected a day such as 2027-12-31, and --zone one such as Europe/Berlin"
            ) from None

    def foreseen(self, policy: Retention) -> Iterator[str]:
        """What would be done; nothing is changed."""
        offboard.refuse_done(self._tenant, self._known)
        yield from self._dates(policy)
        now = max(self._means.clock(), policy.agreement.ended_at if policy.agreement else 0)
        with self._means.store.reading() as tx:
            found = purge.count(tx, self._tenant, Judge(policy=policy, is_over=True), now)
            empty = persons.count(tx, self._tenant, partial(persons.by_end, policy), now)
            stays = (
                sum(one.count for one in retention.stock(tx, self._tenant))
                - found.contents
                - found.restricted
            )
        yield f"{found.contents} contents would go, {found.restricted} would be restricted by a legal hold, {stays} stay"
        yield f"{empty} persons of whom nothing is left would be forgotten, and whoever is left with nothing then"

    def carried_out(self, policy: Retention, operator: Operator, path: Path) -> Iterator[str]:
        """Do all that can be done now. What a crash interrupted is gone on with when it is called again."""
        known = offboard.announce(self._means, self._tenant, policy, operator)
        yield from self._dates(policy)
        if self._means.clock() < known.ends_at:
            yield "the agreement has not ended: what came from platforms goes then; run this again for the report"
            return
        self._purge(policy)
        text = offboard.report(self._means, self._tenant, policy)
        write_report(path, text)
        offboard.reported(self._means, self._tenant, text)
        give_back(self._means)
        yield f"wrote {path}: `sluicegate receipt verify` checks it"
        if self._serving is not None:
            yield f"remove {self._tenant}.toml: as long as it is in service, it takes deliveries and nothing ends for good"

    def _purge(self, policy: Retention) -> None:
        for _ in range(_TRIES):
            with self._means.store.reading() as tx:
                known = retention.find_offboarding(tx, self._tenant)
            if known is None or known.step != Step.ANNOUNCED:
                return
            offboard.advance(self._means, self._tenant, known, policy)
        self._refuse_unfinished()

    def _refuse_unfinished(self) -> None:
        with self._means.store.reading() as tx:
            known: Offboarding | None = retention.find_offboarding(tx, self._tenant)
        if known is not None and known.step == Step.ANNOUNCED:
            raise Unavailable(
                "somebody still writes what has to go: remove the tenant's file and run this again"
            )

    def _said(self) -> Retention:
        if self._known is None:
            return self._serving.retention if self._serving is not None else Retention()
        with self._means.store.reading() as tx:
            return retention.kept_policy(tx, self._tenant)

    def _dates(self, policy: Retention) -> Iterator[str]:
        agreement = policy.agreement
        if agreement is not None:
            yield (
                f"{self._tenant}: its agreement ends {iso(agreement.ended_at)}, records without content are kept until"
                f" {iso(agreement.kept_until)}, proof is due by {proof_due(agreement.ended_at)}"
            )


def _agreement(ends: str, zone: str) -> Agreement:
    """Raises ValueError, OverflowError, KeyError or OSError for what is no day or zone."""
    agreement = Agreement(ends=date.fromisoformat(ends), zone=ZoneInfo(zone).key)
    if agreement.kept_until <= agreement.ended_at:
        raise ValueError
    return agreement
