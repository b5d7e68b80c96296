"""The search finds a string however it was written, and nothing where it was not."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.conformance.search import SHORTEST, Search

URL = "https://scontent.xx.fbcdn.net/v/t39/planted.jpg?oh=ÄB&oe=<7>"


def _code_units(text: str) -> list[int]:
    encoded = text.encode("utf-16-be")
    return [int.from_bytes(encoded[at : at + 2]) for at in range(0, len(encoded), 2)]


def _unit(code: int) -> str:
    return f"\\u{code:04X}"


WRITINGS: dict[str, Callable[[str], bytes]] = {
    "itself": str.encode,
    "upper case": lambda text: text.upper().encode(),
    "in a JSON string": lambda text: json.dumps({"u": text}).encode(),
    "in a JSON string, not ASCII": lambda text: json.dumps([text], ensure_ascii=False).encode(),
    "with escaped slashes": lambda text: json.dumps(text).replace("/", "\\/").encode(),
    "every character escaped": lambda text: "".join(map(_unit, _code_units(text))).encode(),
    "in HTML": lambda text: f"<a href='{html.escape(text)}'>".encode(),
    "percent-encoded": lambda text: f"u={quote(text, safe='')}&e=1".encode(),
    "percent-encoded, lower case": lambda text: quote(text, safe="").lower().encode(),
    "as a path": lambda text: quote(text).encode(),
    "as a form field": lambda text: quote_plus(text).encode(),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "in hex": lambda text: text.encode().hex().encode(),
    "in upper-case hex": lambda text: text.encode().hex().upper().encode(),
    "in base64": lambda text: base64.b64encode(text.encode()),
    "in base64, after one byte": lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
    "in base64, after two bytes": lambda text: base64.b64encode(b"xy" + text.encode() + b"z"),
    "in base64url, after two bytes": lambda text: base64.urlsafe_b64encode(b"xy" + text.encode() + b"z"),
    "in UTF-16, little end first": lambda text: text.encode("utf-16-le"),
    "in UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "gzipped": lambda text: gzip.compress(text.encode()),
    "deflated": lambda text: zlib.compress(b"head " + text.encode(), 1),
    "deflated hard": lambda text: zlib.compress(text.encode() * 3, 9),
    "gzipped twice": lambda text: gzip.compress(gzip.compress(json.dumps(text).encode())),
    "gzipped and cut off": lambda text: gzip.compress(text.encode() + os.urandom(4000))[:2000],
}


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("before", [b"", b"\x00\xff", b"some page of a file"])
def test_finds_every_writing(writing: str, before: bytes) -> None:
    """A string is found in each of its writings, wherever it stands."""
    data = before + WRITINGS[writing](URL) + os.urandom(50)
    assert [found.needle for found in Search([URL, "something else"]).look(data)][:1] == [URL]


@settings(max_examples=60, deadline=None)
@given(
    needle=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\\%&+"), min_size=SHORTEST, max_size=30
    ),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
    writing=st.sampled_from([name for name in WRITINGS if "case" not in name]),
)
def test_finds_any_text(needle: str, before: bytes, after: bytes, writing: str) -> None:
    """Whatever the string is, its writings give it away."""
    data = before + WRITINGS[writing](needle) + after
    assert any(found.needle == needle for found in Search([needle]).look(data))


def test_finds_nothing_in_noise() -> None:
    """Megabytes of random bytes, as ciphertext looks, hold none of a thousand strings."""
    search = Search(f"word{number:04d}" for number in range(1000))
    noise = os.urandom(2_000_000)
    assert list(search.look(noise)) == []
    assert list(search.look(noise[:300_000].hex().encode())) == []


def test_short_strings_are_left_alone() -> None:
    """A string that could turn up by chance is not looked for."""
    assert list(Search(["gone", ""]).look(b"gone")) == []


def test_tells_which_of_many() -> None:
    """Each of several strings is named, with its spelling and where it was packed."""
    data = b"first-string " + gzip.compress(b"second-string")
    found = {
        (hit.needle, hit.spelling, bool(hit.layer))
        for hit in Search(["first-string", "second-string"]).look(data)
    }
    assert found == {("first-string", "raw", False), ("second-string", "raw", True)}
