"""Counting is right at every boundary, and smart encoding saves parts without touching what is said."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.sms.segments import BASIC, EXTENDED, Alphabet, Encoding, measure, smart

GSM7, UCS2 = Alphabet.GSM7, Alphabet.UCS2


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts"),
    [
        ("", GSM7, 0, 0),
        ("a", GSM7, 1, 1),
        ("a" * 160, GSM7, 160, 1),
        ("a" * 161, GSM7, 161, 2),
        ("a" * 306, GSM7, 306, 2),
        ("a" * 307, GSM7, 307, 3),
        ("a" * 459, GSM7, 459, 3),
        ("a" * 460, GSM7, 460, 4),
        ("€" * 80, GSM7, 160, 1),
        ("€" * 81, GSM7, 162, 2),
        ("a" * 158 + "€", GSM7, 160, 1),
        ("a" * 159 + "€", GSM7, 161, 2),
        # 306 septets would fill two parts, were the escape not the last septet of the first.
        ("a" * 152 + "€" + "a" * 152, GSM7, 306, 3),
        ("a" * 151 + "€" + "a" * 153, GSM7, 306, 2),
        ("€" * 152, GSM7, 304, 2),
        ("€" * 153, GSM7, 306, 3),
        ("\f^{}\\[~]|€", GSM7, 20, 1),
        ("Ç", GSM7, 1, 1),
        ("ç", UCS2, 1, 1),
        ("`", UCS2, 1, 1),
        ("\x1b", UCS2, 1, 1),
        ("ж" * 70, UCS2, 70, 1),
        ("ж" * 71, UCS2, 71, 2),
        ("ж" * 134, UCS2, 134, 2),
        ("ж" * 135, UCS2, 135, 3),
        ("😀" * 35, UCS2, 70, 1),
        ("ж" * 69 + "😀", UCS2, 71, 2),
        ("ж" * 66 + "😀" + "ж" * 66, UCS2, 134, 3),
        ("ж" * 65 + "😀" + "ж" * 67, UCS2, 134, 2),
        ("€" * 30 + "ж", UCS2, 31, 1),
        ("\ud83d", UCS2, 1, 1),
    ],
)
def test_boundaries(text: str, alphabet: Alphabet, units: int, parts: int) -> None:
    """One unit more or less decides what a text costs."""
    assert measure(text) == Encoding(alphabet=alphabet, units=units, parts=parts)


def _by_hand(text: str) -> tuple[str, int, int]:
    """Write every part out, letter by letter, as octets or septets."""
    if all(letter in BASIC or letter in EXTENDED for letter in text):
        letters = [["esc", letter] if letter in EXTENDED else [letter] for letter in text]
        single, each, name = 160, 153, "gsm7"
    else:
        encoded = [letter.encode("utf-16-be", "surrogatepass") for letter in text]
        letters = [[str(octets[at : at + 2]) for at in range(0, len(octets), 2)] for octets in encoded]
        single, each, name = 70, 67, "ucs2"
    whole = [unit for letter in letters for unit in letter]
    if len(whole) <= single:
        return name, len(whole), 1 if whole else 0
    parts: list[list[str]] = [[]]
    for letter in letters:
        if len(parts[-1]) + len(letter) > each:
            parts.append([])
        parts[-1].extend(letter)
    assert [unit for part in parts for unit in part] == whole
    return name, len(whole), len(parts)


_gsm = st.sampled_from(sorted(BASIC | EXTENDED))
_lengths = st.sampled_from((0, 1, 66, 67, 69, 70, 71, 133, 134, 135, 152, 153, 159, 160, 161, 305, 306, 307))


@settings(max_examples=150)
@given(_lengths, _gsm | st.characters(), st.text(_gsm, max_size=8) | st.text(max_size=8), st.integers(0, 310))
def test_as_written_out_by_hand(length: int, letter: str, middle: str, at: int) -> None:
    """Near every boundary, with wide letters anywhere."""
    text = letter * length
    text = text[:at] + middle + text[at:]
    found = measure(text)
    assert (found.alphabet.value, found.units, found.parts) == _by_hand(text)


def test_the_alphabet_is_complete() -> None:
    """127 letters (the escape is none) and ten extended ones, no letter twice."""
    assert (len(BASIC), len(EXTENDED), len(BASIC & EXTENDED)) == (127, 10, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t", "Don't"),
        ("“Hello” – ‘yes’ — ok", "\"Hello\" - 'yes' - ok"),
        ("« Bonjour »\u202f!", '" Bonjour " !'),
        ("wait…", "wait..."),
        ("a\u200bb\u00adc\ufeff", "abc"),
        ("a\u2028b", "a\nb"),
        ("cafe\u0301", "café"),
        ("“https://example.org/a”", '"https://example.org/a"'),
        ("10 a.m.–5 p.m.", "10 a.m.-5 p.m."),
        # What has to stay: accents, joiners where the alphabet is UCS-2 anyway, addresses, too many dots.
        ("reçu – ok", "reçu – ok"),
        ("👨\u200d👩\u200d👧 “ok”", "👨\u200d👩\u200d👧 “ok”"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("https://example.org/a–b", "https://example.org/a–b"),
        ("bücher–shop.example/a ok", "bücher–shop.example/a ok"),
        ("mail a–b@example.org", "mail a–b@example.org"),
        ("…" * 70, "…" * 70),
        ("plain", "plain"),
    ],
)
def test_smart(text: str, expected: str) -> None:
    """Typography goes where it alone costs parts; everything else stays."""
    assert smart(text) == expected


_typography = st.sampled_from("‘’“”„–—…\u00a0\u200b\u200d’«»")


@settings(max_examples=150)
@given(
    st.text(_gsm | _typography | st.characters(), max_size=180) | st.text(_gsm | _typography, max_size=180)
)
def test_smart_never_costs_and_never_rewrites(text: str) -> None:
    """No more parts, the same letters and digits in the same order, and a second time changes nothing."""
    after = smart(text)
    assert measure(after).parts <= measure(text).parts
    assert smart(after) == after
    assert _said(after) == _said(text)
    if after != text:
        assert measure(after).alphabet is GSM7


def _said(text: str) -> list[str]:
    return [letter for letter in unicodedata.normalize("NFC", text) if letter.isalnum()]
