"""Disguises are undone, what was undone is noted, and every letter remembers where it came from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.screening.model import shipped_model
from policies.screening.normalise import fold
from policies.screening.reading import read


@pytest.mark.parametrize(
    ("written", "plain", "flag"),
    [
        ("Frее саsh", "free cash", "lookalike"),
        ("f r e e", "free", "spaced"),
        ("c-l-a-i-m it", "claim it", "spaced"),
        ("ⓕⓡⓔⓔ", "free", "enclosed"),
        ("🅵🆁🅴🅴", "free", "enclosed"),
        ("🇫🇷🇪🇪", "free", "enclosed"),
        ("𝐅𝐫𝐞𝐞 𝓬𝓪𝓼𝓱", "free cash", "mathematical"),
        ("Ｆｒｅｅ", "free", "mathematical"),
        ("fr\u200bee", "free", "invisible"),
        ("f\u0336r\u0336e\u0336e\u0336", "free", "invisible"),
        ("ᴘʀɪᴢᴇ", "prize", "lookalike"),
    ],
)
def test_a_disguise_is_undone_and_noted(written: str, plain: str, flag: str) -> None:
    """Each kind of disguise gives plain letters and its flag."""
    folded = fold(written)
    assert folded.text == plain
    assert flag in folded.flags


@pytest.mark.parametrize(
    "text", ["Привет, как дела?", "Καλημέρα σας", "שלום", "schöne Grüße", "à bientôt", "¿Qué tal?"]
)
def test_other_scripts_and_accents_are_no_disguise(text: str) -> None:
    """Whole words of another script stay; accents of four languages raise no flag."""
    assert not fold(text).flags


def test_genuine_cyrillic_keeps_its_letters() -> None:
    """A Russian sentence is not read as Latin."""
    assert fold("оса сосна").text == "оса сосна"


@settings(max_examples=150)
@given(st.text(max_size=200))
def test_every_letter_remembers_its_origin(text: str) -> None:
    """Any string folds; origins are as many as letters, in order, and inside the original."""
    folded = fold(text)
    starts = list(folded.starts)
    assert len(starts) == len(folded.text)
    assert starts == sorted(starts)
    assert all(0 <= start < len(text) for start in starts)


@settings(max_examples=150)
@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Reading is total, and every word has a place in the folded text."""
    reading = read(text, shipped_model().vocabulary)
    assert all(0 <= word.start < word.end <= len(reading.folded.text) for word in reading.words)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("cl4im", "claim"),
        ("pr1ze", "prize"),
        ("acc0unt", "account"),
        ("claaaim", "claim"),
        ("cla im", "claim"),
        ("ver-ify", "verify"),
        ("c l a i m", "claim"),
    ],
)
def test_a_broken_word_is_repaired(written: str, word: str) -> None:
    """Leetspeak, stretched letters and split words become the word that they are read as."""
    words = [found.text for found in read(f"please {written} today", shipped_model().vocabulary).words]
    assert word in words


def test_codes_stay_codes() -> None:
    """A one-time code or booking reference is no leetspeak."""
    words = [word.text for word in read("Your booking X7K2P9 and 482913", shipped_model().vocabulary).words]
    assert words == ["your", "booking", "#code", "and", "#n6"]
