"""Numbers split over two consecutive messages: what is to go from each of the two."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.identifiers.redact import without
from policies.identifiers.split import TAIL, across
from tests.policies.identifiers.made import number
from tests.policies.identifiers.others import OTHERS, other_texts


def rewritten(before: str, after: str) -> tuple[str, str]:
    """Both texts with what was found taken out."""
    split = across(before, after)
    return without(before, split.before), without(after, split.after)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("my ssn is 536-90", "4399", ("my ssn is [ID:us_ssn]", "[ID:us_ssn]")),
        ("my ssn is 536-90-", "4399 ok?", ("my ssn is [ID:us_ssn]", "[ID:us_ssn] ok?")),
        ("my ssn is 5369", "04399", ("my ssn is [ID:us_ssn]", "[ID:us_ssn]")),
        ("my ssn is", "536904399", ("my ssn is", "[ID:us_ssn]")),
        ("What is your SSN, please?", "536904399", ("What is your SSN, please?", "[ID:us_ssn]")),
        ("Your DNI?", "12345678Z gracias", ("Your DNI?", "[ID:es_dni] gracias")),
        ("536904399", "that is my ssn", ("[ID:us_ssn]", "that is my ssn")),
        ("4111 1111 1111", "1111", ("[ID:card]", "[ID:card]")),
        ("card 41111111", "11111111 12/27", ("card [ID:card]", "[ID:card] 12/27")),
        ("my card is [ID:card]", "cvv 123", ("my card is [ID:card]", "cvv [ID:cvv]")),
        ("my card is [ID:card]", "12/27 123", ("my card is [ID:card]", "12/27 [ID:cvv]")),
        ("my ssn is [ID:us_ssn]", "order 536904399", ("my ssn is [ID:us_ssn]", "order 536904399")),
        ("call me at 555", "0123456", ("call me at 555", "0123456")),
        ("see you at 5", "pm", ("see you at 5", "pm")),
        ("", "536904399", ("", "536904399")),
        ("x" * 3 * TAIL + " my ssn is 536-90", "4399", ("x" * 3 * TAIL + " my ssn is [ID:us_ssn]", "[ID:us_ssn]")),
        ("9" * 3 * TAIL, "ssn 12", ("9" * 3 * TAIL, "ssn 12")),
    ],
)  # fmt: skip
def test_across(before: str, after: str, expected: tuple[str, str]) -> None:
    """Halves of one number, a number and its name, a card and its CVV; other numbers stay."""
    assert rewritten(before, after) == expected


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 8),
    st.sampled_from(("us_ssn", "es_nie", "fr_nir", "card", "in_aadhaar")),
)
def test_a_number_cut_anywhere_is_found_in_both_halves(seed: int, at: int, name: str) -> None:
    """Nothing of it is left in either, and a second look finds no more."""
    names = {"us_ssn": "SSN", "es_nie": "NIE", "fr_nir": "NIR", "card": "card", "in_aadhaar": "Aadhaar"}
    plain = number(name, random.Random(seed))
    if plain[at - 1].isdigit() and plain[at].isdigit():
        first, second = rewritten(f"{names[name]}: {plain[:at]}", f"{plain[at:]} thanks")
        assert (first, second) == (f"{names[name]}: [ID:{name}]", f"[ID:{name}] thanks")
        assert rewritten(first, second) == (first, second)


@pytest.mark.parametrize("kind", OTHERS)
def test_two_messages_with_other_numbers_stay(kind: str) -> None:
    """At most one pair of a hundred is touched."""
    made = other_texts(kind, random.Random(f"split {kind}"), 200)
    touched = [pair for pair in pairwise(made) if rewritten(*pair) != pair]
    assert len(touched) <= 2, touched[:3]
