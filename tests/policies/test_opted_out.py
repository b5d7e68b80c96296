"""After an opt-out nothing is sent but its one confirmation (VT-1.3, VT-1.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from policies.message import Message
from policies.rules import opted_out
from policies.sms.facts import SendFacts
from policies.sms.purpose import Purpose
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict
from tests.policies.texts import MONDAY_NOON, asked, circumstances, outbound

DROP = Drop(code=ReasonCode.OPTED_OUT)


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({}, ALLOW),
        ({"opted_out": True}, DROP),
        ({"opted_out": True, "purpose": Purpose.CONVERSATIONAL}, DROP),
        ({"opted_out": True, "purpose": Purpose.MARKETING, "campaign": "spring"}, DROP),
        ({"opted_out": True, "reviewed": True}, DROP),
        ({"opted_out": True, "answers_opt_out": True}, ALLOW),
    ],
)
def test_opted_out(known: dict[str, Any], verdict: Verdict) -> None:
    """Whatever it is for, and whoever released it."""
    assert asked(opted_out.check, **known) == verdict


@settings(max_examples=80)
@given(outbound, circumstances)
def test_only_the_confirmation_comes_through(judged: Message, send: SendFacts) -> None:
    """In all circumstances: allowed means that nobody said no, or that this says so."""
    allowed = opted_out.check(judged, Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send)) is ALLOW
    assert allowed == (not send.opted_out or send.answers_opt_out)
