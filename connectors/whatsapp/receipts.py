"""One item of ``statuses[]``: how far an outbound message got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from connectors import wild
from connectors.whatsapp import people
from connectors.whatsapp.items import Scope, moment, unrecognised, word
from connectors.whatsapp.trees import codes
from policies.event import DeliveryReported, DeliveryStatus, Event, MessageUnsent, Noted
from policies.message import Json

STATUSES: Final[Mapping[str, DeliveryStatus]] = {
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "played": DeliveryStatus.PLAYED,
    "failed": DeliveryStatus.FAILED,
}

_OTHER_SUBJECTS: Final[Mapping[str, str]] = {"call": "call_status", "payment": "payment_status"}
"""A status may also be that of a call or a payment: its words are others, and its id is no message's."""


def report(scope: Scope, item: dict[str, Json]) -> Sequence[Event]:
    """A known word moves the message's status; ``deleted`` takes the consumer's own message back."""
    subject = _OTHER_SUBJECTS.get(word(item.get("type")))
    if subject is not None:
        return (Noted(account=scope.account, what=subject),)
    message_id = wild.identifier(item.get("id"))
    if message_id is None:
        return (unrecognised(scope.account, item, "no_target"),)
    told = word(item.get("status"))
    when = moment(item, scope.now)
    if told == "deleted":
        # On-Premises wording: a message that the consumer sent was deleted by the consumer; delete it too.
        author = people.known(item.get("recipient_id"), item.get("recipient_user_id"), None).person
        return (MessageUnsent(account=scope.account, message_id=message_id, occurred_at=when, person=author),)
    if told == "warning":
        return (Noted(account=scope.account, what="catalog_warning"),)
    status = STATUSES.get(told)
    if status is None:
        return (unrecognised(scope.account, item, "status_word"),)
    errors = tuple(codes(item.get("errors"))) if "errors" in item else ()
    return (
        DeliveryReported(
            account=scope.account, message_id=message_id, status=status, occurred_at=when, error_codes=errors
        ),
    )
