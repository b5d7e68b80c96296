"""The shape of what nobody understood: types and known keys, and no value, ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.shape import MAX_DEPTH, MAX_LENGTH, shape
from policies.message import Json

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WORDS = frozenset({"id", "entry", "text", *LETTERS})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "number"),
        (1.5, "number"),
        ("secret", "string"),
        ([], "[]"),
        ({}, "{}"),
        ({"text": "secret", "id": 1}, "{id:number,text:string}"),
        ({"secret": 1, "id": None}, "{id:null,?:1}"),
        ({"secret": 1, "other": {"id": 1}}, "{?:2}"),
        ([1, "a"], "[numberx2]"),
        ({"entry": [{"id": "1", "secret": 2, "x": 3}] * 3}, "{entry:[{id:string,?:2}x3]}"),
        (
            dict.fromkeys(LETTERS, 1),
            "{" + ",".join(f"{one}:number" for one in LETTERS[:24]) + ",?:2}",
        ),
        ([[[[[[["deep"]]]]]]], "[[[[[[[…]x1]x1]x1]x1]x1]x1]"),
    ],
)
def test_a_shape_names_types_and_known_keys(value: Json, expected: str) -> None:
    """Any other key is counted: a key can be data too."""
    assert shape(value, WORDS) == expected


_keys = st.sampled_from(sorted(WORDS)) | st.text(max_size=6)
_trees: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=30,
)
_grammar = re.compile(r"(?:id|entry|text|[A-Z]|string|number|boolean|null|\?:[0-9]+|x[0-9]+|[\[\]{}:,…])*")


@settings(max_examples=200, deadline=None)
@given(_trees)
def test_no_value_and_no_unknown_key_stands_in_a_shape(tree: Json) -> None:
    """Every shape is made of a few words of ours, and short."""
    drawn = shape(tree, WORDS)
    assert len(drawn) <= MAX_LENGTH
    whole = drawn if len(drawn) < MAX_LENGTH else drawn[: drawn.rindex(",") if "," in drawn else 0]
    assert _grammar.fullmatch(whole)
    assert shape(tree, WORDS) == drawn


def _tower(height: int) -> Json:
    value: Json = "secret"
    for _ in range(height):
        value = {"entry": [value]}
    return value


@pytest.mark.timeout(30)
def test_depth_width_and_length_are_capped() -> None:
    """Towers that would break a recursion, thousands of keys, long lists."""
    assert shape(_tower(100_000), WORDS).count("entry") == MAX_DEPTH // 2
    vocabulary = frozenset(f"a_longer_key_{number}" for number in range(10_000))
    wide = dict.fromkeys(sorted(vocabulary), "secret")
    assert len(shape([wide] * 10_000, vocabulary)) == MAX_LENGTH
    assert shape(wide, vocabulary).endswith("…")
    assert shape({f"?{number}": 1 for number in range(100_000)}, WORDS) == "{?:100000}"
