"""A network above its share is noted, and its texts go (VT-7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from policies.gate import decide
from policies.message import Message
from policies.rules import BEFORE_SEND, network_share
from policies.sms.facts import SendFacts
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Flag, Outcome, ReasonCode
from tests.policies.texts import MONDAY_NOON, asked, circumstances, outbound, sending, text

FLAG = Flag(code=ReasonCode.NETWORK_SHARE)


@pytest.mark.parametrize(
    ("known", "flagged"), [({}, False), ({"crowded_network": True}, True), ({"reviewed": True}, False)]
)
def test_network_share(known: dict[str, Any], flagged: bool) -> None:  # noqa: FBT001
    """As the worker counted."""
    assert asked(network_share.check, **known) == (FLAG if flagged else ALLOW)


def test_a_flagged_text_goes() -> None:
    """Its decision says why it is noted, and that it is allowed."""
    decision = decide(text(), sending(crowded_network=True), BEFORE_SEND)
    assert decision.outcome is Outcome.ALLOWED
    assert [(reason.code, reason.clauses) for reason in decision.reasons] == [("network_share", ("VT-7",))]


@settings(max_examples=60)
@given(outbound, circumstances)
def test_nothing_but_the_count_matters(judged: Message, send: SendFacts) -> None:
    """In all circumstances."""
    verdict = network_share.check(judged, Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send))
    assert verdict == (FLAG if send.crowded_network else ALLOW)
