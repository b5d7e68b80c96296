"""What cannot be seen on a terminal is shown; what can be seen is left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.plain import plain


@pytest.mark.parametrize(
    "text",
    ["Grüße, 你好, שלום, مرحبا", "a [red]b[/red] \\ c", "👍🏽 e\u0301", "👩\u200d🌾 می\u200cخواهم", ""],
)
def test_what_can_be_seen_stays(text: str) -> None:
    """Letters of any script, emoji, combining marks, and what only looks like markup."""
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\u{1b}[31mb"),
        ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
        ("abc\u202egnp.exe", "abc\\u{202e}gnp.exe"),
        ("\u2066a\u2069", "\\u{2066}a\\u{2069}"),
        ("a\u200bb\u00adc\ufeff", "a\\u{200b}b\\u{ad}c\\u{feff}"),
        ("\x9b31m\x7f", "\\u{9b}31m\\u{7f}"),
        ("\U000e0041\u2028", "\\u{e0041}\\u{2028}"),
        ("\ud800", "\\u{d800}"),
    ],
)
def test_what_cannot_be_seen_is_shown_as_its_number(text: str, shown: str) -> None:
    """Escape sequences, line ends, bidirectional overrides, invisible letters, tags and surrogates."""
    assert plain(text) == shown


@given(st.text(alphabet=st.characters()))
def test_nothing_unseen_is_left(text: str) -> None:
    """Whatever the text is, one line of visible characters comes of it."""
    left = set(plain(text)) - {"\u200c", "\u200d"}
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in left)
