"""Alike texts to many recipients are named or looked at (VT-1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from policies.message import Message
from policies.rules import undeclared_campaign
from policies.sms.courtesy import is_courtesy
from policies.sms.facts import SendFacts
from policies.sms.purpose import Purpose
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Quarantine, ReasonCode
from tests.policies.texts import MONDAY_NOON, PREPARED, asked, circumstances, outbound, text

LONG = "Your table is ready, and so is the one beside it."
HELD = Quarantine(code=ReasonCode.NEAR_DUPLICATES)


@pytest.mark.parametrize(
    ("said", "known", "held"),
    [
        ("Your table is ready.", {"alike_recipients": 199}, False),
        ("Your table is ready.", {"alike_recipients": 200}, True),
        ("Your table is ready.", {"alike_recipients": 700, "purpose": Purpose.CONVERSATIONAL}, False),
        (LONG, {"alike_recipients": 199, "purpose": Purpose.CONVERSATIONAL}, False),
        (LONG, {"alike_recipients": 200, "purpose": Purpose.CONVERSATIONAL}, True),
        ("Your table is ready.", {"alike_recipients": 200, "campaign": "spring"}, False),
        ("Your table is ready.", {"alike_recipients": 200, "reviewed": True}, False),
        ("Your table is ready.", {"alike_recipients": 200, "answers_opt_out": True}, False),
        ("Your Larkfield code is 123456", {"alike_recipients": 700}, False),
        ("Your Larkfield code is 123456, and more", {"alike_recipients": 700}, True),
    ],
)
def test_undeclared_campaign(said: str, known: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    """A campaign that was named, and a text that is a template as a whole, are declared."""
    assert asked(undeclared_campaign.check, text(said), **known) == (HELD if held else ALLOW)


@settings(max_examples=80)
@given(outbound, circumstances)
def test_whatever_is_held_was_declared_by_nobody(judged: Message, send: SendFacts) -> None:
    """Below the tenant's number, named, released or from a template: never held. All else: always."""
    facts = Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send)
    declared = send.campaign != "" or PREPARED.owned.fits(judged.content.text or "")
    many = send.alike_recipients >= PREPARED.policy.alike_recipients
    expected = many and not declared and not send.excused and not is_courtesy(judged, send.purpose)
    assert undeclared_campaign.check(judged, facts) == (HELD if expected else ALLOW)
