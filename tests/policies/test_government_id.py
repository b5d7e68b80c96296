"""Government identification numbers: none is kept, whatever its kind, place and disguise (PP-3)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.identifiers.kind import Family
from policies.identifiers.registry import KINDS
from policies.identifiers.scan import scan
from policies.message import Channel, Content, Direction, Media, MediaKind, Message
from policies.rules import NEVER_RECORD, government_id
from policies.verdict import ALLOW, Amend, Outcome, ReasonCode, Verdict
from tests.policies.identifiers.made import texts
from tests.policies.identifiers.others import OTHERS, other_texts
from tests.policies.strategies import INNOCENT, known, message, messages, written

SSN = "536-90-4399"
GONE = "[ID:us_ssn]"
STATE = [kind for kind in KINDS if kind.family is Family.GOVERNMENT]


def becomes(**content: object) -> Verdict:
    return Amend(content=Content(**content), code=ReasonCode.GOVERNMENT_ID)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        (message(), ALLOW),
        (message(text="hello"), ALLOW),
        (message(text=f"it is {SSN}, ok?"), becomes(text=f"it is {GONE}, ok?")),
        (message(text=f"{SSN} {SSN}"), becomes(text=f"{GONE} {GONE}")),
        (message(text=GONE), ALLOW),
        (message(text=f"order {SSN}"), ALLOW),
        (message(text=f"my ssn for order 4711 is {SSN}"), becomes(text=f"my ssn for order 4711 is {GONE}")),
        (
            message(media=(Media(kind=MediaKind.FILE, id="536904399", title=f"{SSN}.pdf"),)),
            becomes(media=(Media(kind=MediaKind.FILE, id="536904399", title=f"{GONE}.pdf"),)),
        ),
        (
            message(media=(Media(kind=MediaKind.LINK, url=f"https://a.example/?ssn={SSN}&x=1"),)),
            becomes(media=(Media(kind=MediaKind.LINK, url=f"https://a.example/?ssn={GONE}&x=1"),)),
        ),
        (message(media=(Media(kind=MediaKind.IMAGE, url=f"https://a.example/{SSN}/b"),)), ALLOW),
        (
            message(details={"template": {"elements": [{"title": f"SSN {SSN}"}]}}),
            becomes(details={"template": {"elements": [{"title": f"SSN {GONE}"}]}}),
        ),
        (
            message(details={"form": {"fields": [{"name": "Your SSN?", "value": "536904399"}]}}),
            becomes(details={"form": {"fields": [{"name": "Your SSN?", "value": GONE}]}}),
        ),
        (
            message(details={"form": {"fields": [{"name": "ssn", "value": [536904399]}]}}),
            becomes(details={"form": {"fields": [{"name": "ssn", "value": [GONE]}]}}),
        ),
        (message(details={"form": {"fields": [{"name": "rooms", "value": 536904399}]}}), ALLOW),
        (message(details={"form": {"ssn": "536904399"}}), becomes(details={"form": {"ssn": GONE}})),
        (message(details={SSN: {SSN: 1}}), becomes(details={GONE: {GONE: 1}})),
        (message(details={"order": {"catalog_id": SSN, "items": [{"product_retailer_id": SSN}]}}), ALLOW),
        (message(details={"contacts": [{"phones": [{"phone": "536-90-4399"}]}]}), ALLOW),
        (message(profile={"name": f"Ann {SSN}"}), becomes(profile={"name": f"Ann {GONE}"})),
        (message(id=SSN, account=SSN, thread=SSN), ALLOW),
    ],
)
def test_government_id(judged: Message, verdict: Verdict) -> None:
    """What is said loses it, wherever it is said; ids, and URLs that do not name it, stay as they are."""
    assert government_id.check(judged, known()) == verdict


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("channel", Channel)
def test_on_every_channel_and_in_both_directions(channel: Channel, direction: Direction) -> None:
    """An agent's message is one too, and says why."""
    decision = decide(message(text=f"ssn {SSN}", channel=channel, direction=direction), known(), NEVER_RECORD)
    assert decision.outcome is Outcome.AMENDED
    assert decision.message is not None
    assert decision.message.content.text == f"ssn {GONE}"
    assert [(one.code, one.clauses) for one in decision.reasons] == [("government_id", ("PP-3",))]


@pytest.mark.parametrize("kind", STATE, ids=lambda kind: kind.name)
def test_at_least_98_of_100_are_found_in_every_spelling_and_disguise(kind: object) -> None:
    """Every script's digits, every separator, invisible characters, words of four languages, many sentences."""
    made = texts(kind, random.Random(f"found {kind.name}"), 2)  # type: ignore[arg-type, attr-defined]
    found = [covers(text, number) for text, number in made]
    assert sum(found) >= 0.98 * len(found)


def covers(text: str, number: str) -> bool:
    """Whether the number is found as a whole."""
    at = text.index(number)
    return any(one.start <= at and one.end >= at + len(number) for one in scan(text))


@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_at_most_one_of_100_other_numbers_is_touched(kind: str) -> None:
    """Orders, parcels, telephones, amounts, dates, references, and what else is written in digits."""
    made = other_texts(kind, random.Random(f"other {kind}"), 200)
    touched = [text for text in made if scan(text)]
    assert len(touched) <= 0.01 * len(made), touched[:3]


spoken = st.lists(
    st.one_of(
        st.sampled_from(
            "ssn dni nif nino passport order card cvv is my number tel https://a.example/?ssn= tax id [ID:card] code 12/27".split(
                " "
            )
        ),
        st.sampled_from(
            (
                "536-90-4399",
                "536904399",
                "12345678Z",
                "4111 1111 1111 1111",
                "4111111111111111",
                "85.07.30-033.28",
                "123",
                "046 454 286",
                "AB 12 34 56 C",
            )
        ),
        st.text("0123456789 -.ab", max_size=12),
    ),
    max_size=14,
).map(" ".join)
"""Words and numbers in any order, so that each may stand beside each."""


@settings(max_examples=200)
@given(spoken)
def test_a_second_time_changes_nothing(text: str) -> None:
    """Through the whole gate: no further token, and no further reason."""
    once = decide(message(text=text), known(), NEVER_RECORD)
    assert once.message is not None
    twice = decide(once.message, known(), NEVER_RECORD)
    assert (twice.message, twice.reasons) == (once.message, ())


@settings(max_examples=200)
@given(spoken)
def test_around_a_number_every_character_stays(text: str) -> None:
    """Between the tokens stands what stood there, in its order, and nothing else."""
    verdict = government_id.check(message(text=text), known())
    after = verdict.content.text if isinstance(verdict, Amend) else text
    position = 0
    for one in scan(text):
        if one.kind.family is Family.GOVERNMENT:
            assert after is not None
            between = text[position : one.start]
            assert after.startswith(between + one.kind.token)
            after = after[len(between) + len(one.kind.token) :]
            position = one.end


@settings(max_examples=40)
@given(messages())
def test_what_holds_no_number_is_allowed(judged: Message) -> None:
    """Whatever the message."""
    assert government_id.check(judged, known()) == ALLOW


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_texts_stay(text: str) -> None:
    """Among them URLs, telephone numbers and percent signs."""
    assert government_id.check(message(text=text), known()) == ALLOW


def test_nothing_of_the_value_is_in_a_value_s_repr() -> None:
    """Neither of what was found, nor of the verdict."""
    found = scan(f"ssn {SSN}")
    assert "536" not in f"{found}{government_id.check(message(text=f'ssn {SSN}'), known())}"
    assert "536" not in written(government_id.check(message(text=f"ssn {SSN}"), known()))
