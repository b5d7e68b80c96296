"""The gate before sending as a whole: what each rule leaves to the next, and what nobody can release."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.message import Channel, Direction, Message
from policies.rules import BEFORE_SEND, SHADOWABLE
from policies.sms.facts import SendFacts
from policies.sms.purpose import Purpose
from policies.tenant import Facts, TenantPolicy
from policies.verdict import Decision, Outcome, ReasonCode
from tests.policies.strategies import known
from tests.policies.texts import HOUR, MONDAY_NOON, RECIPIENT, SENDER, circumstances, outbound, sending, text

R = ReasonCode
MIDNIGHT = MONDAY_NOON + 12 * HOUR
BAD = "You stupid bitch, pay at https://elsewhere.example.com"


def decided(message: Message, facts: Facts, shadow: frozenset[str] = frozenset()) -> tuple[Outcome, set[str]]:
    """The outcome and the rules that gave a reason."""
    decision = decide(message, facts, BEFORE_SEND, shadow)
    return decision.outcome, {reason.rule for reason in decision.reasons}


def test_an_ordinary_text_goes_without_a_word() -> None:
    """Nothing is noted where nothing is wrong."""
    assert decided(text(), sending()) == (Outcome.ALLOWED, set())


@pytest.mark.parametrize(
    ("channel", "direction"),
    [
        (Channel.SMS, Direction.INBOUND),
        *((c, d) for c, d in product(Channel, Direction) if c is not Channel.SMS),
    ],
)
def test_only_texts_that_go_out_are_asked_about(channel: Channel, direction: Direction) -> None:
    """Anything else passes, also without a word of facts."""
    message = text(BAD, sender="nobody", recipient="911", channel=channel, direction=direction)
    assert decide(message, known(), BEFORE_SEND).outcome is Outcome.ALLOWED


def test_a_text_of_which_nothing_is_known_is_withheld() -> None:
    """A worker that forgot the facts sends nothing."""
    decision = decide(text(), known(), BEFORE_SEND)
    assert decision.outcome is Outcome.QUARANTINED
    assert [reason.code for reason in decision.reasons] == [R.POLICY_ERROR]


EXCUSES = [
    {"reviewed": reviewed, "answers_opt_out": answers}
    for reviewed, answers in product((False, True), repeat=2)
]
EVERYTHING_ELSE = {
    "to_recipient": 700,
    "same_to_recipient": 700,
    "from_sender": 2_100,
    "alike_recipients": 700,
    "alike_senders": 700,
}


@pytest.mark.parametrize("excuse", EXCUSES, ids=str)
@pytest.mark.parametrize(
    ("sender", "recipient", "opted_out", "night"),
    [*product((SENDER, "+12025550199"), (RECIPIENT, "911"), (False, True), (False, True))],
)
def test_no_release_lifts_sender_recipient_opt_out_or_hours(
    excuse: dict[str, bool],
    sender: str,
    recipient: str,
    opted_out: bool,  # noqa: FBT001
    night: bool,  # noqa: FBT001
) -> None:
    """Every combination: released or not, only the confirmation passes an opt-out and the night; nothing passes the rest."""
    facts = sending(
        MIDNIGHT if night else MONDAY_NOON,
        purpose=Purpose.MARKETING,
        opted_out=opted_out,
        **EVERYTHING_ELSE,
        **excuse,
    )
    outcome, rules = decided(text(BAD, sender=sender, recipient=recipient), facts)
    confirms, excused = excuse["answers_opt_out"], any(excuse.values())
    if sender != SENDER:
        expected = Outcome.DROPPED, {"authorised_sender"}
    elif recipient != RECIPIENT:
        expected = Outcome.DROPPED, {"reachable_recipient"}
    elif opted_out and not confirms:
        expected = Outcome.DROPPED, {"opted_out"}
    elif not excused:
        expected = Outcome.QUARANTINED, {"screening"}
    elif night and not confirms:
        expected = Outcome.DELAYED, {"schedule"}
    else:
        expected = Outcome.ALLOWED, set()
    assert (outcome, rules) == expected


def test_a_tenant_tries_every_rule_that_may_be_tried() -> None:
    """All of them say what they would have done, and the text goes; at night it still waits."""
    facts = sending(crowded_network=True, **EVERYTHING_ELSE)
    assert decided(text(BAD), facts, SHADOWABLE) == (Outcome.ALLOWED, set(SHADOWABLE))
    decision = decide(text(BAD), facts, BEFORE_SEND, SHADOWABLE)
    assert all(reason.shadow for reason in decision.reasons)
    at_night = sending(MIDNIGHT, purpose=Purpose.MARKETING, **EVERYTHING_ELSE)
    every_rule = frozenset(row.name for row in BEFORE_SEND)
    assert decided(text(BAD), at_night, every_rule)[0] is Outcome.DELAYED


def decisions(message: Message, send: SendFacts, shadow: frozenset[str] = frozenset()) -> Decision:
    """As the worker asks."""
    facts = Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send)
    return decide(message, facts, BEFORE_SEND, shadow)


@settings(max_examples=100, deadline=None)
@given(outbound, circumstances, st.sets(st.sampled_from(sorted(SHADOWABLE))))
def test_in_all_circumstances(message: Message, send: SendFacts, shadow: set[str]) -> None:
    """Words are never changed; each reason is of its rule's row; trying a rule makes nothing stricter."""
    decision = decisions(message, send)
    rows = {row.name: row for row in BEFORE_SEND}
    for reason in decision.reasons:
        assert reason.code in {*rows[reason.rule].codes, R.POLICY_ERROR}
        assert reason.clauses
    assert decision.outcome is not Outcome.AMENDED
    assert decision.message in (None, message)
    tried = decisions(message, send, frozenset(shadow))
    assert (
        _ORDER.index(tried.outcome) <= _ORDER.index(decision.outcome)
        or decision.outcome is Outcome.QUARANTINED
    )


@settings(max_examples=60, deadline=None)
@given(outbound, circumstances)
def test_a_release_makes_nothing_stricter_and_refuses_what_was_refused(
    message: Message, send: SendFacts
) -> None:
    """But for what is refused for its words alone, which a person may release too."""
    released = decisions(message, msgspec.structs.replace(send, reviewed=True))
    before = decisions(message, msgspec.structs.replace(send, reviewed=False))
    refused_by = {reason.rule for reason in before.reasons if before.outcome is Outcome.DROPPED}
    if refused_by & {"authorised_sender", "reachable_recipient", "opted_out", "schedule"}:
        assert released.outcome is Outcome.DROPPED
    if before.outcome is Outcome.ALLOWED:
        assert released.outcome is Outcome.ALLOWED


_ORDER = (Outcome.ALLOWED, Outcome.DELAYED, Outcome.QUARANTINED, Outcome.DROPPED)
