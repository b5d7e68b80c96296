"""A text to somebody of whom nothing is recorded waits for a person (PP-8, PP-3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.message import Message
from policies.rules import BEFORE_SEND, excluded_recipient
from policies.sms.facts import SendFacts
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Outcome, Quarantine, ReasonCode, Verdict
from tests.policies.texts import MONDAY_NOON, circumstances, outbound, sending, text

HELD = Quarantine(code=ReasonCode.EXCLUDED_RECIPIENT)


@pytest.mark.parametrize(
    ("excluded", "known", "verdict"),
    [
        (False, {}, ALLOW),
        (True, {}, HELD),
        (True, {"campaign": "spring"}, HELD),
        (True, {"reviewed": True}, ALLOW),
        (True, {"answers_opt_out": True}, ALLOW),
    ],
)
def test_excluded_recipient(excluded: bool, known: dict[str, Any], verdict: Verdict) -> None:  # noqa: FBT001
    """A person's release is what it waits for."""
    facts = msgspec.structs.replace(sending(**known), excluded=excluded)
    assert excluded_recipient.check(text(), facts) == verdict


@settings(max_examples=60)
@given(outbound, circumstances, st.booleans())
def test_nothing_goes_to_them_by_itself(judged: Message, send: SendFacts, excluded: bool) -> None:  # noqa: FBT001
    """In all circumstances: held, or refused for something worse."""
    facts = Facts(now=MONDAY_NOON, policy=TenantPolicy(), excluded=excluded, send=send)
    decision = decide(judged, facts, BEFORE_SEND)
    if excluded and not send.excused:
        assert decision.outcome in {Outcome.QUARANTINED, Outcome.DROPPED}
