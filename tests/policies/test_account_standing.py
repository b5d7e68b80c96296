"""What a platform has taken away stops sending, and nothing else does (SM-2, SM-4)."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.event import AccountState
from policies.gate import decide
from policies.message import Message
from policies.rules import BEFORE_SEND, account_standing
from policies.rules.account_standing import WAIT
from policies.sms.facts import SendFacts
from policies.sms.standing import MOVING, STOPPING, worst
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Delay, Outcome, ReasonCode, Verdict
from tests.policies.texts import MONDAY_NOON, asked, circumstances, outbound, sending, text


def held(code: ReasonCode) -> Verdict:
    return Delay(code=code, until=MONDAY_NOON + WAIT)


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({}, ALLOW),
        ({"standing": AccountState.ACTIVE}, ALLOW),
        ({"standing": AccountState.INFORMED}, ALLOW),
        ({"standing": AccountState.UNKNOWN}, ALLOW),
        ({"standing": AccountState.REVOKED}, held(ReasonCode.ACCOUNT_REVOKED)),
        ({"standing": AccountState.SUSPENDED}, held(ReasonCode.ACCOUNT_SUSPENDED)),
        ({"standing": AccountState.RESTRICTED}, held(ReasonCode.ACCOUNT_RESTRICTED)),
        ({"standing": AccountState.UNREVIEWED}, held(ReasonCode.ACCOUNT_UNREVIEWED)),
        ({"standing": AccountState.REVOKED, "reviewed": True}, held(ReasonCode.ACCOUNT_REVOKED)),
        ({"standing": AccountState.SUSPENDED, "answers_opt_out": True}, held(ReasonCode.ACCOUNT_SUSPENDED)),
    ],
)
def test_account_standing(known: dict[str, Any], verdict: Verdict) -> None:
    """Nobody's release changes what a platform decided."""
    assert asked(account_standing.check, **known) == verdict


def test_the_gate_lets_it_wait_with_the_reason() -> None:
    decision = decide(text(), sending(standing=AccountState.SUSPENDED), BEFORE_SEND)
    assert (decision.outcome, decision.until) == (Outcome.DELAYED, MONDAY_NOON + WAIT)
    assert [(one.code, one.clauses) for one in decision.reasons] == [("account_suspended", ("SM-2", "SM-4"))]


def test_one_aspect_that_stops_is_enough() -> None:
    """Of every pair of states, the worse one counts; notices count for nothing."""
    for pair in combinations_with_replacement(AccountState, 2):
        expected = next((state for state in STOPPING if state in pair), AccountState.ACTIVE)
        assert worst(pair) is expected
    assert worst(()) is AccountState.ACTIVE
    assert set(AccountState) - MOVING == {AccountState.INFORMED, AccountState.UNKNOWN}


@settings(max_examples=60)
@given(outbound, circumstances, st.sampled_from(AccountState))
def test_nothing_goes_at_once_from_an_account_that_may_not_send(
    judged: Message, send: SendFacts, state: AccountState
) -> None:
    """In all circumstances."""
    known = msgspec.structs.replace(send, standing=state)
    decision = decide(judged, Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=known), BEFORE_SEND)
    assert state not in STOPPING or decision.outcome is not Outcome.ALLOWED
