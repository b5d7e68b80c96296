"""What became of a text, written down: the row of the outbox and the transcript's status in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from policies.event import DeliveryReported, DeliveryStatus, Event, MessageReceived
from policies.message import Instant, Private
from worker.inbound import Delivery, Disposition, Governed
from worker.keyring import Keyring
from worker.settle import Settlement
from worker.sms.lastcheck import Ready, Stopped
from worker.sms.message import message_of
from worker.sms.outcomes import Outcome
from worker.store import outbox
from worker.store.outbox import OutboxState
from worker.tenants.loading import Tenant, TenantConnector


class Recorded(Private, frozen=True, kw_only=True):
    """Whether it applied, and the end of the tenant's decision chain where something was settled ("" if not)."""

    applied: bool
    sequence: int = 0
    head: str = ""


def record(
    tx: Connection, keyring: Keyring, ready: Ready, outcome: Outcome, provider_id: str, now: Instant
) -> Recorded:
    """Write down what a call came to. ``provider_id``: by what the provider will call the text, "" where it tells none.

    Messages before the outbox where both are written, as whoever settles a provider's report does.
    """
    tenant, row = ready.tenant, ready.row
    match outcome.state:
        case OutboxState.SENT:
            # The receipt itself ends the row (worker/settle.py), whatever became of it meanwhile.
            return _settled(
                tx, keyring, ready, _receipt(ready, DeliveryStatus.SENT, outcome, provider_id, now), now
            )
        case OutboxState.FAILED:
            if not outbox.record(
                tx, tenant.id, row, OutboxState.FAILED, now, failure=outcome.failure, code=outcome.code
            ):
                return Recorded(applied=False)
            return _settled(tx, keyring, ready, _receipt(ready, DeliveryStatus.FAILED, outcome, "", now), now)
        case OutboxState.QUEUED:
            applied = outbox.postpone(
                tx, tenant.id, row, now, outcome.until, failure=outcome.failure, code=outcome.code
            )
            return Recorded(applied=applied)
        case _:
            return Recorded(applied=outbox.record(tx, tenant.id, row, outcome.state, now))


def stop(tx: Connection, keyring: Keyring, stopped: Stopped, now: Instant) -> Recorded:
    """End a text that may not be sent any more: with the reasons in the decision chain, if there is anything left of it."""
    tenant, row = stopped.tenant, stopped.row
    if not outbox.finish(tx, tenant.id, [row.key], stopped.state, now):
        return Recorded(applied=False)
    source = tenant.connectors.get(row.connector)
    if stopped.payload is None or source is None:
        return Recorded(applied=True)
    message = message_of(stopped.payload, row.account, row.submitted_at)
    refused = Governed(
        MessageReceived(account=row.account, message=message),
        stopped.reasons,
        withheld=True,
        disposition=Disposition.REFUSED,
    )
    failed = DeliveryReported(
        account=row.account, message_id=message.id, status=DeliveryStatus.FAILED, occurred_at=now
    )
    return _settle(tx, keyring, tenant, source, [refused, Governed(failed)], now)


def _receipt(
    ready: Ready, status: DeliveryStatus, outcome: Outcome, provider_id: str, now: Instant
) -> DeliveryReported:
    ours = ready.payload.id
    return DeliveryReported(
        account=ready.row.account,
        message_id=provider_id or ours,
        status=status,
        occurred_at=now,
        error_codes=(outcome.code,) if outcome.code else (),
        failure=outcome.failure,
        ours=ours,
    )


def _settled(tx: Connection, keyring: Keyring, ready: Ready, event: Event, now: Instant) -> Recorded:
    return _settle(tx, keyring, ready.tenant, ready.source, [Governed(event)], now)


def _settle(
    tx: Connection,
    keyring: Keyring,
    tenant: Tenant,
    source: TenantConnector,
    events: Sequence[Governed],
    now: Instant,
) -> Recorded:
    delivery = Delivery(tenant=tenant, source=source, received_at=now, size=0, events=events)
    settlement = Settlement(tx, keyring, [delivery], now)
    settlement.apply()
    sequence, head = settlement.conclude()
    return Recorded(applied=True, sequence=sequence, head=head.hex())
