"""Made-up outbound texts and what is known of their sending, for the tests of BEFORE_SEND."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from policies.event import AccountState
from policies.gate import Check
from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Message,
    MessageKind,
)
from policies.sms.countries import Registry, SenderKind
from policies.sms.facts import SendFacts
from policies.sms.policy import Prepared, SmsPolicy
from policies.sms.purpose import Purpose
from policies.sms.senders import Evidence, Registration, Sender
from policies.tenant import Facts, TenantPolicy
from policies.verdict import Verdict

MONDAY_NOON: Final = 1_796_058_000_000_000
"""2026-11-30, 17:00 UTC: noon in Washington, within the hours of every state."""
HOUR: Final = 3600 * 1_000_000

SENDER: Final = "+12025550143"
RECIPIENT: Final = "+12025550123"

POLICY: Final = SmsPolicy(
    senders=(
        Sender(
            address=SENDER,
            kind=SenderKind.DID,
            owner="Larkfield",
            evidence=Evidence.OWNED,
            reference="contract 12",
            country="US",
            registrations=(Registration(registry=Registry.TEN_DLC, id="C-1"),),
        ),
    ),
    brands=("Larkfield",),
    hosts=("larkfield.example",),
    templates=("Your Larkfield code is {digits}",),
)
PREPARED: Final = Prepared.of(POLICY)


def text(
    said: str = "Your table is ready.",
    *,
    sender: str = SENDER,
    recipient: str = RECIPIENT,
    channel: Channel = Channel.SMS,
    direction: Direction = Direction.OUTBOUND,
) -> Message:
    """A text of the tenant's own sender."""
    return Message(
        channel=channel,
        account=sender,
        id="0198f0000000700080000000000000a1",
        direction=direction,
        kind=MessageKind.TEXT,
        person=(Identifier(kind=IdentifierKind.PHONE, value=recipient),),
        occurred_at=MONDAY_NOON,
        content=Content(text=said),
    )


def sending(now: Instant = MONDAY_NOON, **known: Any) -> Facts:
    """What is known of a transactional text against which nothing stands, with these facts otherwise."""
    plain: dict[str, Any] = {"sms": PREPARED, "purpose": Purpose.TRANSACTIONAL}
    return Facts(now=now, policy=TenantPolicy(), send=SendFacts(**(plain | known)))


def asked(check: Check, message: Message | None = None, **known: Any) -> Verdict:
    """What a rule says of a text (a plain one if none is named), given these facts."""
    return check(message or text(), sending(**known))


purposes = st.sampled_from(Purpose)
counts = st.integers(0, 700)

circumstances = st.builds(
    SendFacts,
    sms=st.just(PREPARED),
    purpose=purposes,
    campaign=st.sampled_from(("", "spring")),
    send_after=st.one_of(st.none(), st.integers(MONDAY_NOON - 48 * HOUR, MONDAY_NOON + 48 * HOUR)),
    not_after=st.one_of(st.none(), st.integers(MONDAY_NOON - 48 * HOUR, MONDAY_NOON + 48 * HOUR)),
    opted_out=st.booleans(),
    answers_opt_out=st.booleans(),
    reviewed=st.booleans(),
    stored_zone=st.sampled_from((None, "Europe/Berlin", "Pacific/Auckland", "No/Where")),
    place=st.sampled_from((None, "US-TX")),
    to_recipient=counts,
    same_to_recipient=counts,
    from_sender=counts,
    alike_recipients=counts,
    alike_senders=counts,
    crowded_network=st.booleans(),
    standing=st.sampled_from(AccountState),
)
"""Anything that may be known of a text of the tenant above."""

said = st.one_of(
    st.sampled_from(
        (
            "Your table is ready.",
            "Your Larkfield code is 123456",
            "See https://larkfield.example/a",
            "Pay the fee at https://parcel-fee.example.top now or your account is blocked",
            "You stupid bitch",
            "New coats are in at Larkfield",
        )
    ),
    st.text(max_size=40),
)
"""What tenants write, good and bad."""

outbound = st.builds(
    text,
    said,
    sender=st.sampled_from((SENDER, "+12025550199", "AcmeBank")),
    recipient=st.sampled_from((RECIPIENT, "+442079460123", "911", "")),
)
"""Outbound texts, from good and bad senders to good and bad recipients."""
