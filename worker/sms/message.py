"""A text on its way out as a message of the transcript: the same when it is handed in, released and sent."""

from __future__ import annotations

from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Json,
    Message,
    MessageKind,
)
from worker.sms.payload import Payload


def message_of(payload: Payload, account: str, handed_in: Instant) -> Message:
    """The transcript's entry. ``account`` is the sender's address, "" where it is none of the tenant's.

    Every text names who answers for it (VT-1.1). An account stands in logs, so what somebody merely claimed to be
    is content instead.
    """
    told: dict[str, Json] = {"purpose": payload.purpose.value}
    told |= {
        name: value for name in ("submitter", "campaign", "template") if (value := getattr(payload, name))
    }
    if account != payload.sender:
        told["sender"] = payload.sender
    return Message(
        channel=Channel.SMS,
        account=account,
        id=payload.id,
        direction=Direction.OUTBOUND,
        kind=MessageKind.TEXT,
        person=(Identifier(kind=IdentifierKind.PHONE, value=payload.recipient),),
        occurred_at=handed_in,
        content=Content(text=payload.text, details={"submission": told}),
    )
