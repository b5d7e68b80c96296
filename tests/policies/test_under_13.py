"""Who is under 13, or says so, is recorded nowhere; who speaks of children, minutes and addresses is (PP-8)."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.age.declared import declared_age
from policies.gate import decide
from policies.message import Direction, Message
from policies.rules import BEFORE_TRANSCRIPT, under_13
from policies.rules.under_13 import YEAR
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, Outcome, ReasonCode, Verdict
from tests.policies.strategies import NOW, facts, known, message, messages

LISTS = Path(__file__).parent / "declared_ages"
DROP = Drop(code=ReasonCode.NOT_RECORDED)


def labelled(name: str) -> list[tuple[bool, str, str]]:
    """Whether it is said, language and text of every line of a list."""
    lines = (LISTS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(label == "yes", language, text) for label, language, text in rows]


@pytest.mark.parametrize("name", ["development", "held_out"])
def test_precision_and_recall(name: str) -> None:
    """At least 98 % of each, on the list that the phrases may be tuned on and on the one that they are not."""
    rows = [(said, declared_age(text) is not None) for said, _, text in labelled(name)]
    right = rows.count((True, True))
    assert right >= 0.98 * sum(found for _, found in rows) > 0
    assert right >= 0.98 * sum(said for said, _ in rows)


@pytest.mark.parametrize("language", ["en", "fr", "es", "de"])
def test_no_language_is_worse(language: str) -> None:
    """Over both lists, some of each."""
    every = [row for name in ("development", "held_out") for row in labelled(name) if row[1] == language]
    rows = [(said, declared_age(text) is not None) for said, _, text in every]
    right = rows.count((True, True))
    assert len(rows) >= 80
    assert right >= 0.97 * max(sum(said for said, _ in rows), sum(found for _, found in rows))


def test_the_lists_share_no_line() -> None:
    first, second = ({text.casefold() for *_, text in labelled(name)} for name in ("development", "held_out"))
    assert not first & second


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("I'm 11", 11),
        ("I’m eleven", 11),
        ("I'm almost 13", 12),
        ("i'm １１", 11),
        ("I'm ١١", 11),
        ("I\u200b'm 11", 11),
        ("tengo 12 años", 12),
        ("ich bin erst zwölf Jahre alt", 12),
        ("j'ai 9 ans", 9),
        ("I'm 11, I turn 12 tomorrow", 11),
        ("I'm in 4th grade", 12),
        ("I'm 13", None),
        ("my son is 11", None),
        ("11 of us", None),
        ("I'm 11 minutes away", None),
        ("I am 12 Baker Street", None),
        ("“I'm 11” is what he wrote", None),
        ("> I'm 11\nWho wrote this?", None),
        ("ich bin in der 2. Klasse gefahren", None),
        ("", None),
    ],
)
def test_the_age(text: str, age: int | None) -> None:
    """The greatest that it may be."""
    assert declared_age(text) == age


@pytest.mark.parametrize("spun", ["„ 11", "I'm 11 ", "like i m 11 ", "' 11", "j ai ", '"', "im ", "11 "])
def test_it_is_linear(spun: str) -> None:
    """However a text is spun out: a hundredth of a second for what nobody would read to its end."""
    text = (spun * 100_000)[:200_000]
    started = time.perf_counter()
    declared_age(text)
    assert time.perf_counter() - started < 0.25


@pytest.mark.parametrize(
    ("judged", "excluded", "verdict"),
    [
        (message(text="I'm 11"), False, DROP),
        (message(text="hello"), True, DROP),
        (message(text=None), True, DROP),
        (message(text="hello", direction=Direction.OUTBOUND), True, DROP),
        (message(text="hello"), False, ALLOW),
        (message(text="I'm 11", direction=Direction.OUTBOUND), False, ALLOW),
        (message(text="my son is 11"), False, ALLOW),
        (message(text="I'm 11", occurred_at=NOW - YEAR), False, DROP),
        (message(text="I'm 11", occurred_at=NOW - 2 * YEAR), False, ALLOW),
        (message(text="I'm 5", occurred_at=NOW - 7 * YEAR), False, DROP),
        (message(text="I'm 11", occurred_at=NOW + YEAR), False, DROP),
    ],
)
def test_under_13(judged: Message, excluded: bool, verdict: Verdict) -> None:  # noqa: FBT001
    """Known, or declared by the person; who said it years ago has grown older."""
    assert under_13.check(judged, msgspec.structs.replace(known(), excluded=excluded)) == verdict


def test_the_reason_tells_nobody_why() -> None:
    """What is recorded is the same for whoever is not to be recorded, and names no age."""
    declared = decide(message(text="I'm 11"), known(), BEFORE_TRANSCRIPT)
    named = decide(message(text="hi"), msgspec.structs.replace(known(), excluded=True), BEFORE_TRANSCRIPT)
    assert declared.reasons == named.reasons
    [reason] = declared.reasons
    assert (reason.code, reason.rule) == ("not_recorded", "person")
    assert "13" not in str(reason)


@settings(max_examples=60)
@given(messages(), facts, st.booleans())
def test_no_tenant_can_keep_it(judged: Message, given_facts: Facts, excluded: bool) -> None:  # noqa: FBT001
    """Whatever is switched or tuned, nothing of an excluded person goes on; nobody else is dropped for that."""
    decision = decide(judged, msgspec.structs.replace(given_facts, excluded=excluded), BEFORE_TRANSCRIPT)
    assert not excluded or (decision.outcome, decision.message) == (Outcome.DROPPED, None)
    told = ReasonCode.NOT_RECORDED in {reason.code for reason in decision.reasons}
    assert not told or excluded or under_13.declares(judged, given_facts)


@settings(max_examples=80)
@given(st.text(max_size=60), st.integers(14, 400))
def test_other_ages_and_other_texts_are_nothing(text: str, age: int) -> None:
    """A number that is no child's age is none in any phrase."""
    for phrase in ("I'm {}", "I am {} years old", "j'ai {} ans", "tengo {} años", "ich bin {} Jahre alt"):
        assert declared_age(phrase.format(age)) is None
    declared_age(text)


def test_half_a_character_hides_no_age() -> None:
    """A lone surrogate has no UTF-8: what looks for phrases must neither fail nor look away."""
    assert declared_age("\ud800 I'm 11 \udfff") == 11
