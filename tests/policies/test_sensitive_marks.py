"""What is sensitive is marked by category, ordinary business is not, and on X nothing is (PP-4)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Channel, Media, MediaKind, Message
from policies.sensitive.marks import (
    ALL_CATEGORIES,
    CONSENTS,
    Category,
    consent_category,
    marks,
    withheld_without_consent,
)
from tests.policies.strategies import message, messages

HERE = Path(__file__).parent


def lines(name: str) -> list[list[str]]:
    """The columns of a list."""
    text = (HERE / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def said(text: str) -> tuple[Category, ...]:
    return marks(message(text=text))


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("language", ["en", "fr", "es", "de"])
def test_every_category_is_found_in_every_language(category: Category, language: str) -> None:
    """All but one line of each at the most."""
    rows = [row for row in lines("sensitive_texts/sensitive.tsv") if row[:2] == [category, language]]
    found = sum(category in said(text) for *_, text in rows)
    assert len(rows) >= 5
    assert found >= len(rows) - 1


def test_ordinary_business_is_hardly_ever_marked() -> None:
    """At most one in fifty of texts that were chosen to look like it, and fewer of other lists."""
    chosen = [text for *_, text in lines("sensitive_texts/ordinary.tsv")]
    assert sum(bool(said(text)) for text in chosen) <= len(chosen) / 50
    names = ("optout_phrases/development.tsv", "optout_phrases/held_out.tsv")
    others = [row[-1] for row in chain.from_iterable(map(lines, names))]
    assert sum(bool(said(text)) for text in others) <= len(others) / 100


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I’m MUSLIM — is it halal?", {Category.BELIEF}),
        ("J’ai été OPÉRÉE du genou", {Category.HEALTH}),
        ("I'm gay and diabetic", {Category.SEX_LIFE, Category.HEALTH}),
        ("My name is Christian, Church Street 5", set()),
        ("I am sick of waiting", set()),
        ("Ich wähle Option 2", set()),
        ("", set()),
    ],
)
def test_marks(text: str, found: set[Category]) -> None:
    """Whatever case, accents and signs."""
    assert set(said(text)) == found


def test_titles_and_forms_are_looked_at_too() -> None:
    form = {"interactive": {"answers": [{"name": "why", "value": "I have diabetes"}]}}
    assert marks(message(details=form)) == (Category.HEALTH,)
    titled = Media(kind=MediaKind.FILE, title="biopsy")
    assert marks(message(media=(titled,))) == (Category.HEALTH,)


@settings(max_examples=60)
@given(messages(), st.sampled_from(lines("sensitive_texts/sensitive.tsv")))
def test_on_x_nothing_is_inferred(judged: Message, row: list[str]) -> None:
    """Whatever is said there: the same text is marked elsewhere."""
    content = msgspec.structs.replace(judged.content, text=row[-1])
    on_x = msgspec.structs.replace(judged, channel=Channel.X, content=content)
    assert marks(on_x) == ()
    assert Category(row[0]) in marks(msgspec.structs.replace(on_x, channel=Channel.WHATSAPP))


@pytest.mark.parametrize(
    ("marked", "granted", "withheld"),
    [
        ([], [], []),
        (["health"], [], ["health"]),
        (["health"], ["sensitive_health"], []),
        (["health", "crime"], ["sensitive_health"], ["crime"]),
        (["health", "crime"], [ALL_CATEGORIES], []),
        (["health"], ["marketing_messages", "health", "sensitive_crime"], ["health"]),
        (["a word of tomorrow"], [], ["a word of tomorrow"]),
    ],
)
def test_withheld_without_consent(marked: list[str], granted: Iterable[str], withheld: list[str]) -> None:
    """Consent to one category is none to another."""
    assert withheld_without_consent(marked, frozenset(granted)) == set(withheld)


@settings(max_examples=100)
@given(st.sets(st.sampled_from(Category)), st.sets(st.sampled_from(sorted(CONSENTS))))
def test_only_a_consent_lets_anything_go(marked: set[Category], granted: set[str]) -> None:
    """To that category, or to all; more consent never withholds more."""
    withheld = withheld_without_consent(marked, granted)
    assert withheld <= marked
    for one in marked - withheld:
        assert {ALL_CATEGORIES, consent_category(one)} & granted
    assert not withheld_without_consent(marked, granted | {ALL_CATEGORIES})
