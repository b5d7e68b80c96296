"""From bytes to JSON: one odd character costs itself, never the batch, and no body costs more than its size."""

from __future__ import annotations

import contextlib
import json
import math
import traceback
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.decode import MAX_DEPTH, MAX_VALUES, MalformedPayload, decode
from policies.message import Json

GONE = "\ufffd"


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "value", "damaged"),
    [
        (b'{"a":[1,"x",null,true]}', {"a": [1, "x", None, True]}, False),
        (b' {"a" : 1}\n', {"a": 1}, False),
        (b"\xef\xbb\xbf[1]", [1], False),
        (b'{"a":1,"a":2}', {"a": 2}, False),
        (b"[NaN,Infinity,-Infinity,1]", [None, None, None, 1], False),
        (b"[1e999,-1e999,1e3]", [None, None, 1000.0], False),
        (b"[" + b"9" * 5000 + b",1]", [None, 1], False),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890], False),
        (b'["\\u0000","ok"]', [GONE, "ok"], True),
        (b'["\\ud800","ok"]', [GONE, "ok"], True),
        (b'["\\udc00\\ud800"]', [GONE + GONE], True),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"], False),
        (b'["\\uD83D\\uDE00 \\u00e9"]', ["\U0001f600 \u00e9"], False),
        (b'["\\\\u0000"]', ["\\u0000"], False),
        (b'{"\\u0000k":"v"}', {GONE + "k": "v"}, True),
        (b'["a\x00b","ok"]', ["a" + GONE + "b", "ok"], True),
        (b'["a\nb\tc\x1f"]', ["a\nb\tc\x1f"], False),
        (b'["\xff","ok"]', [GONE, "ok"], True),
        (b'["\xff","\\ud83d\\ude00"]', [GONE, "\U0001f600"], True),
        (b'["\xed\xa0\x80"]', [GONE * 3], True),
        ('["\u00e9 \U0001f600"]'.encode(), ["\u00e9 \U0001f600"], False),
        (b'{"a":{"b":["\\ud800"]}}', {"a": {"b": [GONE]}}, True),
        (b"17", 17, False),
        (b'"x"', "x", False),
    ],
    ids=str,
)
def test_what_is_odd_is_mended_and_the_rest_stands(body: bytes, value: Json, damaged: bool) -> None:  # noqa: FBT001
    """U+FFFD for what cannot be stored, null for numbers that are none; and it is said when a character was lost."""
    assert decode(body) == (value, damaged)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"\x00", b"nul", b"[1", b"[1]]", b"[1]x", b"[1,]", b"{'a':1}", b"{1:2}", b"[01]", b'["\\x"]', b'"',
        b"[1]\x00", '["a"]'.encode("utf-16"), '["a"]'.encode("utf-32"), b"\x1f\x8b\x08\x00", b"a=b&c=d", b"<xml/>",
        b'["' + b"secret" * 20, _nested(MAX_DEPTH + 1), b"[" * 100_000, b"]" * 100 + b"[" * 100, b"[}" * 100,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_without_the_body_in_it(body: bytes) -> None:
    """Neither in the exception nor anywhere in its chain: the parsers' own exceptions hold the whole text."""
    with pytest.raises(MalformedPayload) as refused:
        decode(body)
    assert refused.value.args == ()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert "secret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "levels", [("[", "]"), ('{"a":', "}"), ('[{"b":', "}]")], ids=lambda levels: levels[0]
)
def test_the_deepest_payload_that_is_read(levels: tuple[str, str]) -> None:
    """Exactly MAX_DEPTH, of whatever brackets and however much stands beside it; one more is refused."""
    left, right = (side.encode() for side in levels)
    times = (MAX_DEPTH - 2) // (left.count(b"[") + left.count(b"{"))
    beside = b"[" + b"{}," * 100
    decode(beside + left * times + b"[0]" + right * times + b"]")
    for inner in (b"[[]]", b'[{"a":0}]'):
        with pytest.raises(MalformedPayload):
            decode(beside + left * times + inner + right * times + b"]")


@pytest.mark.parametrize(
    "text", ["[" * 200, "{" * 200, '\\"' + "[" * 200, "]" * 200 + "\\\\", "\\\\\\" + '"' + "{" * 99]
)
def test_brackets_in_a_string_do_not_nest(text: str) -> None:
    """Nor do escaped quotes end it."""
    value = [text, {"k" + text: "\\"}, ["\\\\", '"']]
    assert decode(json.dumps(value).encode()) == (value, False)


_text = st.text(st.characters(exclude_categories=()), max_size=12)
_numbers = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
_scalars: st.SearchStrategy[Json] = st.none() | st.booleans() | _numbers | _text
_trees: st.SearchStrategy[Json] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=20,
)


def _mended(value: Json) -> Json:
    if isinstance(value, str):
        return "".join(GONE if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def _equal(one: Json, other: Json) -> bool:
    if isinstance(one, float) and isinstance(other, (float, int)):
        return math.isclose(one, other, rel_tol=1e-15)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


@settings(max_examples=200, deadline=None)
@given(_trees)
def test_every_json_value_comes_back_mended(tree: Json) -> None:
    """And says truly whether anything was; what comes back can be stored."""
    # What json.dumps writes for a pair of surrogates is one character to every reader.
    tree = json.loads(json.dumps(tree))
    value, damaged = decode(json.dumps(tree).encode())
    assert _equal(value, _mended(tree))
    assert damaged == (not _equal(tree, _mended(tree)))
    if damaged or "\ud800" not in repr(tree):
        msgspec.json.encode(_small(value)).decode()


def _small(value: Any) -> Any:
    """Without the integers beyond 64 bits, which msgspec does not write."""
    if isinstance(value, dict):
        return {key: _small(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_small(item) for item in value]
    return 0 if isinstance(value, int) else value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text('[]{}"\\,:u0d8a1 \n', max_size=200).map(str.encode))
def test_no_bytes_make_decoding_fail_otherwise(body: bytes) -> None:
    """A value without anything that cannot be stored, or MalformedPayload."""
    try:
        value, _ = decode(body)
    except MalformedPayload:
        return
    json.dumps(value, allow_nan=False).encode()
    assert value == _mended(value)


def test_the_fullest_payload_that_is_read() -> None:
    """Exactly MAX_VALUES, whatever commas and brackets stand in its texts; one more is refused."""
    texts = json.dumps(["[{,}]" * 200_000, '\\",[']).encode()
    full = b"[" + texts + b",0" * (MAX_VALUES - 3) + b"]"
    assert len(decode(full)[0]) == MAX_VALUES - 2
    with pytest.raises(MalformedPayload):
        decode(full[:-1] + b",0]")


MEGABYTES = 3_000_000
HUGE = {
    "one string": b'["' + b"a" * MEGABYTES + b'"]' + b" " * 9,
    "one string among brackets": b"[" + b"[]," * 99 + b'"' + b"a" * MEGABYTES + b'"]',
    "a string without an end": b'["' + b'\\"' * (MEGABYTES // 2) + b"[" * 99,
    "backslashes": b"[" * 99 + b'"' + b"\\" * MEGABYTES,
    "quotes": b"[" * 99 + b'"' * MEGABYTES,
    "openings": b"[" * MEGABYTES,
    "braces": b'{"a":' * (MEGABYTES // 5),
    "closings": b"]" * MEGABYTES,
    "empty lists": b"[" + b"[]," * (MEGABYTES // 3) + b"[]]",
    "as deep as may be": b"[" + (_nested(MAX_DEPTH - 1) + b",") * (MEGABYTES // 127) + b"0]",
    "escaped emoji": b"[" + b'"\\ud83d\\ude00",' * (MEGABYTES // 15) + b"0]",
    "lone surrogates": b"[" + b'"\\ud83d",' * (MEGABYTES // 9) + b"0]",
    "no UTF-8": b'["' + b"\xff" * MEGABYTES + b'"]',
    "digits": b"[" + b"7" * MEGABYTES + b"]",
    "fraction": b"[0." + b"7" * MEGABYTES + b"]",
    "exponent": b"[1e" + b"7" * MEGABYTES + b"]",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE.keys())
def test_three_megabytes_cost_in_proportion(body: bytes) -> None:
    """A second or two at worst; what is quadratic would take hours."""
    with contextlib.suppress(MalformedPayload):
        decode(body)
