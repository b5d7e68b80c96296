"""One run of retention over every tenant: what is due goes, whoever was offboarded comes a step further, space is returned.

It may be cut off anywhere, run again at once, or by several replicas: what is left is what the next run finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from policies.message import Instant
from policies.retention import Retention
from policies.sms.policy import SmsPolicy
from worker.audit.signing import SigningKey
from worker.keyring import Keyring
from worker.retention import leftovers, offboard, persons, purge
from worker.retention.means import BATCH, Means, Stopped, rest
from worker.retention.offboard import Step
from worker.retention.persons import Forgotten
from worker.retention.purge import Judge, Swept
from worker.retention.space import give_back
from worker.store import decisions, retention
from worker.store.engine import Store
from worker.store.retention import Offboarding
from worker.tenants.loading import Tenant

KIND = "purge"
"""The kind of a receipt, and the event of a decision record."""


class Tended(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did for one tenant.

    ``contents`` destroyed, ``restricted`` because of a hold, ``held``: past their ceiling, and a hold keeps them. ``records``:
    tombstones, and at the very end every row; ``leftovers``: rows of outbound texts. ``step``: how far an offboarding is;
    ``sequence`` and ``head``: the end of the decision chain.
    """

    tenant: str
    contents: int = 0
    restricted: int = 0
    held: int = 0
    persons: int = 0
    keys: int = 0
    records: int = 0
    leftovers: int = 0
    step: str = ""
    sequence: int = 0
    head: str = ""
    duration_us: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything went."""
        return any((self.contents, self.restricted, self.persons, self.keys, self.records, self.leftovers))


Tell = Callable[[Tended], None]


def run_due(  # noqa: PLR0913 - what it works with, by name
    store: Store,
    keyring: Keyring,
    tenants: Iterable[Tenant],
    clock: Callable[[], Instant],
    *,
    signing: SigningKey,
    tell: Tell = lambda _tended: None,
    pause: Callable[[float], None] = rest,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """For a schedule: do what is due for every tenant there is, in service or not; whether there was anything."""
    means = Means(store=store, keyring=keyring, signing=signing, clock=clock, rest=pause, stop=stop)
    serving = {tenant.id: tenant for tenant in tenants}
    with store.reading() as tx:
        offboardings = retention.all_offboardings(tx)
        everybody = sorted({*serving, *offboardings, *decisions.tenants(tx)})
    changed = False
    try:
        for id_ in everybody:
            tended = tend(means, id_, serving.get(id_), offboardings.get(id_))
            tell(tended)
            changed |= tended.changed
        give_back(means)
    except Stopped:
        return True
    return changed


def tend(means: Means, id_: str, tenant: Tenant | None, offboarding: Offboarding | None) -> Tended:
    """Do what is due for one tenant. Without a file and without an offboarding nobody said what may go: so nothing does."""
    if offboarding is not None and offboarding.step == Step.GONE:
        return Tended(tenant=id_, step=Step.GONE)
    started = time.monotonic()
    policy = policy_of(means, id_, tenant, offboarding)
    swept, forgotten, records = Swept(), Forgotten(), 0
    if offboarding is not None:
        swept, forgotten = offboard.advance(means, id_, offboarding, policy)
        records = 0 if tenant is not None else offboard.end(means, id_, offboarding)
    if offboarding is None or means.clock() < offboarding.ends_at:
        swept, forgotten, records = _by_age(means, id_, policy)
    sms = tenant.sms.policy if tenant is not None and tenant.sms is not None else SmsPolicy()
    rows = leftovers.purge(means, id_, sms)
    with means.store.reading() as tx:
        known = retention.find_offboarding(tx, id_)
        sequence, head = decisions.end_of(tx, id_)
    return Tended(
        tenant=id_,
        contents=swept.contents,
        restricted=swept.restricted,
        held=swept.held,
        persons=forgotten.persons,
        keys=forgotten.keys,
        records=records,
        leftovers=rows,
        step=known.step if known is not None else "",
        sequence=sequence,
        head=head.hex(),
        duration_us=round((time.monotonic() - started) * 1_000_000),
    )


def policy_of(means: Means, id_: str, tenant: Tenant | None, offboarding: Offboarding | None) -> Retention:
    """What is kept until when: by the offboarding, else by the tenant's file, else for ever."""
    if offboarding is not None:
        with means.store.reading() as tx:
            return retention.kept_policy(tx, id_)
    return tenant.retention if tenant is not None else Retention()


def _by_age(means: Means, id_: str, policy: Retention) -> tuple[Swept, Forgotten, int]:
    now = means.clock()
    swept = purge.sweep(means, id_, Judge(policy=policy), KIND)
    forgotten = persons.forget(means, id_, partial(persons.by_age, policy), KIND)
    return swept, forgotten, _records(means, id_, policy, now)


def _records(means: Means, id_: str, policy: Retention, now: Instant) -> int:
    """Tombstones of an agreement that ended a calendar year ago. The decision chain stays whole until the tenant is gone."""
    agreement = policy.agreement
    if agreement is None or now < agreement.kept_until:
        return 0
    with means.store.reading() as tx:
        if retention.has_holds(tx, id_):
            return 0
    before = agreement.ended_at
    return means.until_done(lambda tx: retention.forget_tombstones(tx, id_, before, BATCH))
