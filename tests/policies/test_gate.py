"""The gate: order, trace, and that it fails closed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import Check, Rule, decide
from policies.message import Channel, Content, Direction, Message
from policies.tenant import Facts
from policies.verdict import (
    ALLOW,
    Allow,
    Amend,
    Delay,
    Drop,
    Outcome,
    Quarantine,
    ReasonCode,
    Verdict,
    amended,
)
from tests.policies.strategies import known, message, messages

CODE = ReasonCode.TENANT_MEDIA


def says(verdict: Verdict) -> Check:
    return lambda _message, _facts: verdict


def appends(letter: str) -> Check:
    """A rule that adds to the text whatever stands there."""

    def check(judged: Message, _facts: Facts) -> Verdict:
        return Amend(content=Content(text=(judged.content.text or "") + letter), code=CODE)

    return check


def fails(exception: BaseException) -> Check:
    def check(_message: Message, _facts: Facts) -> Verdict:
        raise exception

    return check


def rule(check: Check, name: str = "one", **fields: Any) -> Rule:
    return Rule(name=name, check=check, clauses=("SM-6",), **fields)


TEXT = message(text="a")


def test_without_rules_everything_is_allowed() -> None:
    """An empty gate lets the very same message through and gives no reason."""
    decision = decide(TEXT, known(), ())
    assert (decision.outcome, decision.message, decision.reasons) == (Outcome.ALLOWED, TEXT, ())


@pytest.mark.parametrize("allow", [ALLOW, Allow()], ids=["the constant", "another one"])
def test_an_allowing_rule_leaves_no_reason(allow: Verdict) -> None:
    """Only what was done is traced."""
    decision = decide(TEXT, known(), (rule(says(allow)),))
    assert (decision.outcome, decision.message, decision.reasons) == (Outcome.ALLOWED, TEXT, ())


def test_each_rule_sees_what_those_before_it_left() -> None:
    """Order is meaning: amendments build on one another, and each is traced."""
    decision = decide(TEXT, known(), (rule(appends("b"), "first"), rule(appends("c"), "second")))
    assert decision.outcome is Outcome.AMENDED
    assert decision.message is not None
    assert decision.message.content.text == "abc"
    assert [reason.rule for reason in decision.reasons] == ["first", "second"]
    assert {(reason.code, reason.clauses) for reason in decision.reasons} == {(CODE, ("SM-6",))}


def test_a_drop_ends_the_walk_and_hands_nothing_on() -> None:
    """A dropped message is gone from the decision; no later rule is asked."""
    table = (rule(appends("b")), rule(says(Drop(code=CODE)), "two"), rule(fails(AssertionError()), "three"))
    decision = decide(TEXT, known(), table)
    assert (decision.outcome, decision.message) == (Outcome.DROPPED, None)
    assert [reason.rule for reason in decision.reasons] == ["one", "two"]


def test_a_quarantine_ends_the_walk_and_keeps_the_message_for_a_person() -> None:
    """What is withheld is what the rules before had left of it."""
    table = (rule(appends("b")), rule(says(Quarantine(code=CODE)), "two"), rule(appends("c"), "three"))
    decision = decide(TEXT, known(), table)
    assert decision.outcome is Outcome.QUARANTINED
    assert decision.message is not None
    assert decision.message.content.text == "ab"
    assert [reason.rule for reason in decision.reasons] == ["one", "two"]


def test_of_several_delays_the_longest_counts_and_the_walk_goes_on() -> None:
    """A delay is no permission: the rules after it are asked, and may still amend or drop."""
    delays = (
        rule(says(Delay(until=7, code=CODE))),
        rule(says(Delay(until=9, code=CODE)), "two"),
        rule(says(Delay(until=8, code=CODE)), "three"),
    )
    decision = decide(TEXT, known(), (*delays, rule(appends("b"), "four")))
    assert (decision.outcome, decision.until) == (Outcome.DELAYED, 9)
    assert decision.message is not None
    assert decision.message.content.text == "ab"
    assert decide(TEXT, known(), (*delays, rule(says(Drop(code=CODE))))).outcome is Outcome.DROPPED


@pytest.mark.parametrize(
    ("fields", "concerned"),
    [
        ({}, True),
        ({"channels": frozenset({Channel.INSTAGRAM})}, True),
        ({"channels": frozenset({Channel.X, Channel.SMS})}, False),
        ({"directions": frozenset({Direction.INBOUND})}, True),
        ({"directions": frozenset({Direction.OUTBOUND})}, False),
        ({"channels": frozenset({Channel.INSTAGRAM}), "directions": frozenset({Direction.OUTBOUND})}, False),
        ({"channels": frozenset[Channel]()}, False),
    ],
)
def test_a_rule_is_asked_only_about_what_concerns_it(fields: dict[str, Any], concerned: bool) -> None:  # noqa: FBT001
    """Channel and direction must both fit."""
    decision = decide(TEXT, known(), (rule(says(Drop(code=CODE)), **fields),))
    assert (decision.outcome is Outcome.DROPPED) == concerned


@pytest.mark.parametrize("exception", [ValueError("x"), KeyError("x"), RecursionError(), MemoryError()])
@pytest.mark.parametrize("place", range(3))
def test_a_raising_rule_quarantines(exception: Exception, place: int) -> None:
    """Wherever it stands, and whatever it raises: the message is withheld, the later rules are not asked."""
    table = [rule(appends(letter), letter) for letter in "bc"]
    table.insert(place, rule(fails(exception), "broken"))
    decision = decide(TEXT, known(), table)
    assert decision.outcome is Outcome.QUARANTINED
    last = decision.reasons[-1]
    assert (last.code, last.rule, last.clauses) == (ReasonCode.POLICY_ERROR, "broken", ("SM-6",))
    assert len(decision.reasons) == place + 1


def test_the_process_may_still_be_stopped() -> None:
    """Only failures are withheld; an interrupt goes through."""
    with pytest.raises(KeyboardInterrupt):
        decide(TEXT, known(), (rule(fails(KeyboardInterrupt())),))


def test_amended_allows_what_is_unchanged() -> None:
    """A rule that has nothing to change says so, however it built the content."""
    assert amended(Content(text="a"), Content(text="a"), CODE) is ALLOW
    changed = amended(Content(text="a"), Content(text="b"), CODE)
    assert changed == Amend(content=Content(text="b"), code=CODE)


def test_no_verdict_and_no_decision_shows_content() -> None:
    """What stands in a repr could end in a log."""
    amendment = Amend(content=Content(text="secret words"), code=CODE)
    decision = decide(message(text="secret words"), known(), (rule(says(amendment)),))
    assert "secret" not in f"{amendment!r} {decision!r}"


def identity(judged: Message) -> dict[str, object]:
    fields = msgspec.structs.asdict(judged)
    del fields["content"]
    return fields


checks: st.SearchStrategy[Check] = st.one_of(
    st.sampled_from(
        [says(ALLOW), says(Drop(code=CODE)), says(Quarantine(code=CODE)), appends("x"), fails(ValueError())]
    ),
    st.integers(0, 99).map(lambda until: says(Delay(until=until, code=CODE))),
)
tables = st.lists(checks, max_size=6).map(
    lambda drawn: [rule(check, f"r{n}") for n, check in enumerate(drawn)]
)


@settings(max_examples=60)
@given(messages(), tables)
def test_any_table_over_any_message(judged: Message, table: list[Rule]) -> None:
    """Never raises, amends nothing but content, and traces in the order of the table."""
    decision = decide(judged, known(), table)
    assert [reason.rule for reason in decision.reasons] == sorted(reason.rule for reason in decision.reasons)
    assert (decision.message is None) == (decision.outcome is Outcome.DROPPED)
    assert (decision.until is not None) == (decision.outcome is Outcome.DELAYED)
    if decision.message is not None:
        assert identity(decision.message) == identity(judged)
