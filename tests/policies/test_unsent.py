"""What its sender took back is not recorded, in whatever order things arrive (SM-9, SM-10)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from policies.gate import decide
from policies.message import Message
from policies.rules import BEFORE_TRANSCRIPT, unsent
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, Outcome, ReasonCode, Verdict
from tests.policies.strategies import NOW, facts, known, message, messages

DROP = Drop(code=ReasonCode.UNSENT)


@pytest.mark.parametrize(
    ("judged", "tombstone", "verdict"),
    [
        (message(text="hi"), False, ALLOW),
        (message(text="hi"), True, DROP),
        (message(history=True), True, DROP),
        (message(standby=True), True, DROP),
    ],
)
def test_unsent(judged: Message, tombstone: bool, verdict: Verdict) -> None:  # noqa: FBT001
    """A tombstone refuses the message, live or late."""
    assert unsent.check(judged, msgspec.structs.replace(known(), unsent=tombstone)) == verdict


def test_a_tombstone_is_the_reason_also_for_an_old_message() -> None:
    """It comes first: unsent is final."""
    both = msgspec.structs.replace(known(oldest_days=1), unsent=True)
    decision = decide(message(occurred_at=NOW - 10**15), both, BEFORE_TRANSCRIPT)
    assert [reason.code for reason in decision.reasons] == [ReasonCode.UNSENT]


@settings(max_examples=40)
@given(messages(), facts)
def test_no_tenant_can_keep_it(judged: Message, given_facts: Facts) -> None:
    """Whatever is switched or tuned, an unsent message is dropped."""
    decision = decide(judged, msgspec.structs.replace(given_facts, unsent=True), BEFORE_TRANSCRIPT)
    assert (decision.outcome, decision.message) == (Outcome.DROPPED, None)
