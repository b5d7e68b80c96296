"""So many texts a recipient gets, and the same one so often (VT-1.5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from policies.message import Message
from policies.rules import nuisance
from policies.sms.courtesy import LONGEST
from policies.sms.facts import SendFacts
from policies.sms.policy import TWENTY_A_DAY
from policies.sms.purpose import Purpose
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Quarantine, ReasonCode
from tests.policies.texts import MONDAY_NOON, asked, circumstances, outbound, text

HELD = Quarantine(code=ReasonCode.NUISANCE)
MARKETING, TRANSACTIONAL, CONVERSATIONAL = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL


@pytest.mark.parametrize(
    ("purpose", "known", "held"),
    [
        (MARKETING, {}, False),
        (MARKETING, {"to_recipient": 19}, False),
        (MARKETING, {"to_recipient": 20}, True),
        (MARKETING, {"same_to_recipient": 1}, True),
        (MARKETING, {"same_to_recipient": 1, "campaign": "spring"}, True),
        # A one-time password is asked for again, by a recipient who had marketing too.
        (TRANSACTIONAL, {"to_recipient": 20, "same_to_recipient": 5}, False),
        (TRANSACTIONAL, {"to_recipient": 59}, False),
        (TRANSACTIONAL, {"to_recipient": 60}, True),
        (TRANSACTIONAL, {"same_to_recipient": 6}, True),
        (CONVERSATIONAL, {"to_recipient": 59, "same_to_recipient": 5}, False),
        (CONVERSATIONAL, {"to_recipient": 60}, True),
        (CONVERSATIONAL, {"same_to_recipient": 6}, False),
        (MARKETING, {"to_recipient": 700, "same_to_recipient": 9, "reviewed": True}, False),
        (TRANSACTIONAL, {"to_recipient": 700, "same_to_recipient": 9, "answers_opt_out": True}, False),
    ],
)
def test_nuisance(purpose: Purpose, known: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    """By what it is for; what a person released is not held again."""
    assert asked(nuisance.check, purpose=purpose, **known) == (HELD if held else ALLOW)


@pytest.mark.parametrize(
    ("said", "held"), [("Thanks!", False), ("x" * LONGEST, False), ("x" * (LONGEST + 1), True)]
)
def test_a_short_answer_may_be_said_again_and_again(said: str, held: bool) -> None:  # noqa: FBT001
    """In a conversation, and up to the recipient's own number of texts."""
    again = {"same_to_recipient": 700}
    assert asked(nuisance.check, text(said), purpose=CONVERSATIONAL, **again) == (HELD if held else ALLOW)
    assert asked(nuisance.check, text(said), purpose=TRANSACTIONAL, **again) == HELD
    assert asked(nuisance.check, text(said), purpose=CONVERSATIONAL, to_recipient=60) == HELD


def test_the_default_is_twenty_a_day() -> None:
    """As its name says."""
    assert (TWENTY_A_DAY.messages, TWENTY_A_DAY.seconds) == (20, 24 * 3600)


@settings(max_examples=80)
@given(outbound, circumstances)
def test_more_is_never_better(judged: Message, send: SendFacts) -> None:
    """What is held is held after one more text too; an earlier text, or a milder purpose, never makes it worse."""
    facts = Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send)
    if nuisance.check(judged, facts) == HELD:
        for name in ("to_recipient", "same_to_recipient"):
            more = msgspec.structs.replace(send, **{name: getattr(send, name) + 1})
            assert nuisance.check(judged, msgspec.structs.replace(facts, send=more)) == HELD
        stricter = msgspec.structs.replace(send, purpose=MARKETING)
        assert nuisance.check(judged, msgspec.structs.replace(facts, send=stricter)) == HELD
