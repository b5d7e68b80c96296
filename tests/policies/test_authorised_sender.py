"""Who is not in the tenant's register sends nothing (VT-6, VT-8)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.rules import authorised_sender
from policies.sms.countries import SenderKind
from policies.sms.policy import Prepared
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict
from tests.policies.texts import POLICY, PREPARED, RECIPIENT, SENDER, asked, text

R = ReasonCode


@pytest.mark.parametrize(
    ("sender", "recipient", "verdict"),
    [
        (SENDER, RECIPIENT, ALLOW),
        ("+12025550199", RECIPIENT, Drop(code=R.SENDER_UNKNOWN)),
        ("nobody at all!", RECIPIENT, Drop(code=R.SENDER_UNKNOWN, also=(R.SENDER_MALFORMED,))),
        ("Alert", RECIPIENT, Drop(code=R.SENDER_UNKNOWN, also=(R.SENDER_GENERIC,))),
        ("Larkf1eld", RECIPIENT, Drop(code=R.SENDER_UNKNOWN, also=(R.SENDER_LOOKALIKE,))),
        (SENDER, "+442079460123", Drop(code=R.SENDER_COUNTRY)),
        # Whether the recipient is a number at all is another rule's to say.
        (SENDER, "911", ALLOW),
        (SENDER, "", ALLOW),
    ],
)
def test_authorised_sender(sender: str, recipient: str, verdict: Verdict) -> None:
    """Everything that stands against it is named."""
    assert asked(authorised_sender.check, text(sender=sender, recipient=recipient)) == verdict


def test_another_tenants_name_is_refused_although_it_stands_in_the_register() -> None:
    """Names that pass for each other are told across tenants."""
    named = msgspec.structs.replace(
        POLICY.senders[0], address="Northwind", kind=SenderKind.ALPHANUMERIC, country="GB", registrations=()
    )
    policy = msgspec.structs.replace(POLICY, senders=(named,))
    judged = text(sender="Northwind", recipient="+442079460123")
    known, alone = Prepared.of(policy, ("North-wind",)), Prepared.of(policy)
    assert asked(authorised_sender.check, judged, sms=alone) is ALLOW
    assert asked(authorised_sender.check, judged, sms=known) == Drop(code=R.SENDER_LOOKALIKE)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=16), st.text("+0123456789", max_size=16), st.booleans())
def test_no_circumstance_lets_a_stranger_send(sender: str, recipient: str, excused: bool) -> None:  # noqa: FBT001
    """Released or not: what is not in the register is refused, for reasons of the rule's row."""
    verdict = asked(
        authorised_sender.check,
        text(sender=sender, recipient=recipient),
        sms=PREPARED,
        reviewed=excused,
        answers_opt_out=excused,
    )
    assert isinstance(verdict, Drop)
    assert {verdict.code, *verdict.also} <= set(authorised_sender.CODES)
