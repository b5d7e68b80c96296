"""Where a text stands, put together from what was answered, from outbox and review, and from what its provider reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from policies.event import DeliveryStatus
from policies.message import Channel
from worker.api.models import Evidence, Review, Text
from worker.crypto import CryptoError
from worker.keyring import PSEUDONYM, Keyring
from worker.settle import message_key
from worker.sms.drafts import NOBODYS
from worker.sms.payload import open_payload
from worker.sms.submission import Answer, Ruling
from worker.store import messages, outbox, reviews, submissions
from worker.store.engine import Store
from worker.store.outbox import OutboxState, Outgoing
from worker.store.reviews import Review as ReviewRow
from worker.store.reviews import ReviewState
from worker.tenants.loading import Tenant
from worker.transcripts import iso

_STATES: Final = {state: state.name.lower() for state in OutboxState} | {OutboxState.CALLING: "sending"}
_REVIEWS: Final = {state: state.name.lower() for state in ReviewState}
_STATUSES: Final = tuple(DeliveryStatus)
_answers: Final = msgspec.msgpack.Decoder(Answer)


def look_up(store: Store, keyring: Keyring, tenant: Tenant, id_: str, *, reviewing: bool) -> Text | None:
    """The text with this id of ours, None where the tenant has none. ``reviewing``: with score, evidence and remedies."""
    with store.reading() as tx:
        keys = set(_possible_keys(keyring, tenant, id_))
        found = submissions.by_key(tx, tenant.id, keys)
        if not found:
            return None
        ((key, submission),) = found.items()
        answer = _answers.decode(submission.answer)
        going = outbox.find(tx, tenant.id, [key]).get(key)
        review = reviews.by_key(tx, tenant.id, [key]).get(key)
        status = _STATUSES[messages.statuses(tx, tenant.id, [key]).get(key, 0)]
    return Text.of(
        answer,
        state=_state(answer, going, review),
        status=status.value if status is not DeliveryStatus.UNKNOWN else None,
        failure=(going.failure or None) if going is not None else None,
        submitted_at=iso(submission.submitted_at),
        review=_shown(keyring, tenant.id, review) if reviewing and review is not None else None,
    )


def _possible_keys(keyring: Keyring, tenant: Tenant, id_: str) -> Iterator[bytes]:
    """The message's key says where the text was to be sent from, which the id does not: so ask for every sender."""
    pseudonym = keyring.tenant_key(tenant.id, PSEUDONYM)
    yield message_key(pseudonym, NOBODYS.connector.name, "", id_)
    for name, source in tenant.connectors.items():
        if source.connector.channel is Channel.SMS:
            yield from (message_key(pseudonym, name, account, id_) for account in source.accounts)


def _state(answer: Answer, going: Outgoing | None, review: ReviewRow | None) -> Any:
    if going is not None:
        return _STATES[going.state]
    if review is not None:
        return _REVIEWS[review.state]
    return "refused" if answer.verdict is Ruling.REFUSED else "finished"


def _shown(keyring: Keyring, tenant: str, review: ReviewRow) -> Review | None:
    """What a person sees beside it, for as long as it waits and can be opened."""
    key = keyring.keys(tenant, [review.conversation]).get(review.conversation)
    if key is None or review.sealed is None:
        return None
    try:
        payload = open_payload(key.cipher, tenant, review.key, review.sealed)
    except (CryptoError, msgspec.MsgspecError):
        return None
    return Review(
        score=round(payload.score, 3),
        evidence=[
            Evidence(feature=feature, weight=weight, start=start, end=end)
            for feature, weight, start, end in payload.evidence
        ],
        remedies=list(payload.remedies),
    )
