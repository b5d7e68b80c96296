"""Payment cards: neither the number nor what proves the card's possession is kept (PP-3)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.identifiers import card, cvv
from policies.identifiers.scan import scan
from policies.message import Content, Media, MediaKind, Message
from policies.rules import NEVER_RECORD, payment_card
from policies.verdict import ALLOW, Amend, ReasonCode, Verdict
from tests.policies.identifiers.made import SENTENCES, number, texts
from tests.policies.strategies import known, message

PAN = "4111 1111 1111 1111"
GONE = "[ID:card]"


def becomes(**content: object) -> Verdict:
    return Amend(content=Content(**content), code=ReasonCode.PAYMENT_CARD)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        (message(text="hello"), ALLOW),
        (message(text=f"take {PAN}!"), becomes(text=f"take {GONE}!")),
        (message(text="pay my order with 4111111111111111"), becomes(text=f"pay my order with {GONE}")),
        (message(text="order 4111111111111111"), ALLOW),
        (message(text=f"order {PAN}"), becomes(text=f"order {GONE}")),
        (message(text="4111 1111 1111 1112"), ALLOW),
        (message(text="DE89 3704 0044 0532 0130 00"), ALLOW),
        (message(text=f"{PAN} 12/27 123"), becomes(text=f"{GONE} 12/27 [ID:cvv]")),
        (message(text=f"{PAN}, exp 12/27, 123."), becomes(text=f"{GONE}, exp 12/27, [ID:cvv].")),
        (message(text=f"{PAN} 500 euros"), becomes(text=f"{GONE} 500 euros")),
        (message(text="the cvv is 1234"), becomes(text="the cvv is [ID:cvv]")),
        (message(text="[ID:card] 12/27 123"), becomes(text="[ID:card] 12/27 [ID:cvv]")),
        (message(text="Your security code is 1234"), ALLOW),
        (message(text=f"{PAN} security code 123"), becomes(text=f"{GONE} security code [ID:cvv]")),
        (message(text="12/27 " + PAN), becomes(text=f"12/27 {GONE}")),
        (message(text=f"https://a.example/{'4111111111111111'}"), ALLOW),
        (message(text="https://a.example/?card=4111111111111111"), becomes(text=f"https://a.example/?card={GONE}")),
        (
            message(media=(Media(kind=MediaKind.IMAGE, id="4111111111111111", title=PAN),)),
            becomes(media=(Media(kind=MediaKind.IMAGE, id="4111111111111111", title=GONE),)),
        ),
        (
            message(details={"interactive": {"fields": [{"name": "Card", "value": 4111111111111111}]}}),
            becomes(details={"interactive": {"fields": [{"name": "Card", "value": GONE}]}}),
        ),
    ],
)  # fmt: skip
def test_payment_card(judged: Message, verdict: Verdict) -> None:
    """Cards by range and check digit, their CVV by what stands beside it; order numbers and codes stay."""
    assert payment_card.check(judged, known()) == verdict


@pytest.mark.parametrize("kind", [card.KIND, cvv.KIND], ids=lambda kind: kind.name)
def test_at_least_98_of_100_are_found_in_every_spelling_and_disguise(kind: object) -> None:
    """A CVV is known by the word right beside it: the sentence that puts others between is no part of its duty."""
    far = SENTENCES[-1].partition("{")[0]
    made = texts(kind, random.Random("cards"), 4)  # type: ignore[arg-type]
    made = [(text, written) for text, written in made if kind is card.KIND or not text.startswith(far)]
    found = [
        any(text[one.start : one.end].startswith(written) for one in scan(text)) for text, written in made
    ]
    assert sum(found) >= 0.98 * len(found)


@settings(max_examples=100)
@given(
    st.integers(0, 10**6),
    st.sampled_from(("{}", "take {} please", "order 4711, {}", "x {}, y", "Karte:{}")),
)
def test_every_valid_card_is_found_without_a_word(seed: int, sentence: str) -> None:
    """In four groups or in one, and its reason is the rule's own."""
    plain = number("card", random.Random(seed))
    decision = decide(message(text=sentence.format(plain)), known(), NEVER_RECORD)
    assert decision.message is not None
    assert decision.message.content.text == sentence.format(GONE)
    assert [one.code for one in decision.reasons] == [ReasonCode.PAYMENT_CARD]
