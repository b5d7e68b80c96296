"""The gate: order, trace, and that it fails closed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import Check, Rule, decide
from policies.message import Channel, Content, Direction, Message
from policies.reasons import CLAUSES
from policies.rules import BEFORE_SEND, BEFORE_TRANSCRIPT, NEVER_RECORD, SHADOWABLE
from policies.tenant import Facts
from policies.verdict import (
    ALLOW,
    Allow,
    Amend,
    Delay,
    Drop,
    Flag,
    Outcome,
    Quarantine,
    Reason,
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


OTHER, THIRD = ReasonCode.BURST, ReasonCode.NETWORK_SHARE


def test_a_flag_is_noted_and_stops_nothing() -> None:
    """The message goes as it came: allowed, with a reason; the rules after it are asked."""
    flagged = rule(says(Flag(code=CODE)))
    decision = decide(TEXT, known(), (flagged,))
    assert (decision.outcome, decision.message) == (Outcome.ALLOWED, TEXT)
    assert [reason.code for reason in decision.reasons] == [CODE]
    assert decide(TEXT, known(), (flagged, rule(appends("b")))).outcome is Outcome.AMENDED
    assert decide(TEXT, known(), (flagged, rule(says(Delay(until=7, code=CODE))))).outcome is Outcome.DELAYED
    assert decide(TEXT, known(), (flagged, rule(says(Drop(code=CODE))))).outcome is Outcome.DROPPED


@pytest.mark.parametrize("verdict", [Drop, Quarantine, Flag, lambda **named: Delay(until=7, **named)])
def test_every_objection_of_a_rule_is_named_with_its_own_clauses(verdict: Any) -> None:
    """In the rule's order; what has no clauses of its own serves those of the rule."""
    decision = decide(TEXT, known(), (rule(says(verdict(code=CODE, also=(OTHER, THIRD), shadow=(OTHER,)))),))
    assert decision.reasons == (
        Reason(code=CODE, rule="one", clauses=("SM-6",)),
        Reason(code=OTHER, rule="one", clauses=CLAUSES[OTHER], shadow=True),
        Reason(code=THIRD, rule="one", clauses=CLAUSES[THIRD]),
    )


def test_a_rule_that_is_tried_is_traced_and_changes_nothing() -> None:
    """Whatever it says, also where it fails: the message goes as the other rules leave it."""
    for check in (appends("b"), *map(says, _SAYING), fails(ValueError())):
        table = (rule(check, "tried", may_shadow=True), rule(appends("c"), "two"))
        decision = decide(TEXT, known(), table, shadow={"tried"})
        assert decision.outcome is Outcome.AMENDED
        assert decision.message is not None
        assert decision.message.content.text == "ac"
        assert [(reason.rule, reason.shadow) for reason in decision.reasons] == [
            ("tried", True),
            ("two", False),
        ]
        assert decide(TEXT, known(), table[:1], shadow={"tried"}).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("verdict", [Drop(code=CODE), Quarantine(code=CODE), Delay(until=7, code=CODE)])
def test_a_rule_that_may_not_be_tried_acts(verdict: Verdict) -> None:
    """Whoever names it."""
    table = (rule(says(verdict), "always"),)
    tried = decide(TEXT, known(), table, shadow={"always"})
    assert tried == decide(TEXT, known(), table)
    assert not any(reason.shadow for reason in tried.reasons)


def test_what_leaves_no_choice_is_never_tried() -> None:
    """Nothing that keeps something off the record (SM-6, SM-9); not who sends, to whom, when, and who said no."""
    assert not any(row.may_shadow for row in (*NEVER_RECORD, *BEFORE_TRANSCRIPT))
    always = {"authorised_sender", "reachable_recipient", "opted_out", "schedule"}
    always |= {"excluded_recipient", "account_standing"}
    assert {row.name for row in BEFORE_SEND if not row.may_shadow} == always
    assert {row.name for row in BEFORE_SEND} - SHADOWABLE == always


_SAYING: tuple[Verdict, ...] = (
    Drop(code=CODE),
    Quarantine(code=CODE),
    Delay(until=7, code=CODE),
    Flag(code=CODE),
)


def identity(judged: Message) -> dict[str, object]:
    fields = msgspec.structs.asdict(judged)
    del fields["content"]
    return fields


checks: st.SearchStrategy[Check] = st.one_of(
    st.sampled_from(
        [
            says(ALLOW),
            says(Drop(code=CODE)),
            says(Quarantine(code=CODE)),
            says(Flag(code=CODE)),
            appends("x"),
            fails(ValueError()),
        ]
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
    assert decision.reasons or decision.outcome is Outcome.ALLOWED
    if decision.message is not None:
        assert identity(decision.message) == identity(judged)


@settings(max_examples=60)
@given(messages(), tables, st.sets(st.sampled_from([f"r{n}" for n in range(6)])))
def test_what_is_tried_makes_no_difference(judged: Message, table: list[Rule], names: set[str]) -> None:
    """The outcome is that of the table without those rules; what acted is told as if they were not there."""
    tried = [msgspec.structs.replace(row, may_shadow=True) for row in table]
    decision = decide(judged, known(), tried, shadow=names)
    without = decide(judged, known(), [row for row in table if row.name not in names])
    acted = tuple(reason for reason in decision.reasons if not reason.shadow)
    assert msgspec.structs.replace(decision, reasons=acted) == without
    assert {reason.rule for reason in decision.reasons if reason.shadow} <= names
