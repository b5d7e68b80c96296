"""One campaign is recognised in every disguise and with every slot filled anew; what is unrelated shares nothing."""

from __future__ import annotations

import random
import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.sms.fingerprint import BANDS, bands
from tests.bench.screen_disguises import DISGUISES
from worker.training.collections import written
from worker.training.slots import filled

CAMPAIGN = "Dear {name}, your {brand} account {code} shows a payment of {amount}. Confirm it today at {link} or the card stops."
NAMES = ("Amira", "Jean-Baptiste", "Ofelia Brandt", "Tom")
AMOUNTS = ("£49.99", "$1,200", "35 EUR", "€ 9")
CODES = ("X7K2P9", "482913", "AB-20931", "ref 00923")
LINKS = ("https://larkfield.example/a8Xq", "bit.ly/3xYz12", "hxxp :// evil[.]example/9", "www.osprey.example")
SIMILAR = ("homoglyphs", "leetspeak", "zero width", "spacing", "dots", "split links", "enclosed", "mathematical",
           "full width", "accents", "struck through", "split words", "hyphens", "stretched")  # fmt: skip
# What one campaign keeps: who speaks, and how it writes a date.
KEPT = {"brand": "Larkfield", "real": "NatTrust Bank", "shop": "Corner Books", "city": "Leeds", "month": "June",
        "date": "12 March", "flight": "VA 1234"}  # fmt: skip


def alike(one: str, other: str) -> bool:
    """Whether two texts share a band."""
    return not set(bands(one)).isdisjoint(bands(other))


def campaigns(variant: int) -> list[str]:
    """The written texts, each as the campaign that it could be, its slots filled."""
    texts: list[str] = []
    for text in written():
        open_ = text.text
        for slot, value in KEPT.items():
            open_ = open_.replace(f"{{{slot}}}", value)
        texts.append(filled(open_, text.lang, variant).text)
    return texts


@given(st.sampled_from(NAMES), st.sampled_from(AMOUNTS), st.sampled_from(CODES), st.sampled_from(LINKS))
def test_slots_do_not_part_a_campaign(name: str, amount: str, code: str, link: str) -> None:
    """Whatever name, amount, code and link each recipient gets, the text is the campaign's."""
    values = {"brand": "Larkfield", "name": name, "amount": amount, "code": code, "link": link}
    first = CAMPAIGN.format(brand="Larkfield", name="Priya", amount="£12.00", code="7731", link="x.example/1")
    assert alike(first, CAMPAIGN.format(**values))


@pytest.mark.parametrize("name", SIMILAR)
def test_a_disguise_does_not_part_a_campaign(name: str) -> None:
    """Of the written texts, disguised and with other values in their slots, next to all are recognised."""
    rng = random.Random(name)
    pairs = list(zip(campaigns(0), campaigns(1), strict=True))[::3]
    found = [alike(plain, DISGUISES[name](other, rng)) for plain, other in pairs]
    assert sum(found) / len(found) >= 0.95


def test_unrelated_texts_share_nothing() -> None:
    """Of all pairs of written texts, fewer than one in a thousand share a band: those that say the same."""
    marks = [set(bands(filled(text.text, text.lang, 0).text)) for text in written()]
    pairs = [not one.isdisjoint(other) for one, other in combinations(marks, 2)]
    assert sum(pairs) / len(pairs) < 0.001


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("YES", "yes"),
        ("https://a.example/1", "https://a.example/2"),
        ("482913", "771 204"),
        ("Ok 👍", "ok 👍"),
        (
            "您的验证码是123456，请勿告诉他人，谢谢您的支持与理解",
            "您的验证码是987654，请勿告诉他人，谢谢您的支持与理解",
        ),
        ("Your.account.is.blocked.call.us.today.please", "Your.account.is.blocked.call.us.today.please!"),
    ],
)
def test_short_and_odd_texts_have_one_too(one: str, other: str) -> None:
    """What is too short for pieces, or no Latin text, is still recognised."""
    assert alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("YES", "no"), ("Ok", "stop"), ("See you at 5", "See you in the afternoon"), ("", "hello")],
)
def test_short_texts_that_differ_are_apart(one: str, other: str) -> None:
    """Nothing in common, nothing shared; an empty text is like none."""
    assert not alike(one, other)


def test_the_bands_are_the_same_everywhere() -> None:
    """What one replica stores, another one finds, whatever its hash seed."""
    assert [band.hex() for band in bands("Your parcel waits at the office in Leeds, fetch it by Friday")][
        :2
    ] == [
        "d72ffd0d5d1de2d9",
        "11a8187f0b66bb08",
    ]


@settings(max_examples=150)
@given(st.text(max_size=300))
def test_any_text_has_bands(text: str) -> None:
    """Total and repeatable: none for nothing, one for a short text, else all of them, eight bytes each."""
    found = bands(text)
    assert found == bands(text)
    assert len(found) in {0, 1, BANDS}
    assert all(len(band) == 8 for band in found)


@pytest.mark.parametrize(
    "piece", ["a.", "1-", "[.]", "a@", "$1", "!", "a ", "@", "1.a", "ab3", "//", "\u0301a"]
)
def test_no_text_takes_long(piece: str) -> None:
    """Nothing that a text repeats makes a pattern go back and forth."""
    text = (piece * 6400)[:6400]
    begun = time.thread_time()
    bands(text)
    assert time.thread_time() - begun < 0.2
