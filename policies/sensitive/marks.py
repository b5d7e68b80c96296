"""Sensitive personal data: which categories a message speaks of, and what is withheld without consent (PP-4).

A mark is a part of the content, as secret as the text that it is about. It says that words of a category stand there, not
what is so of anybody. On X nothing is marked: its developer terms forbid to derive or infer such facts of its users.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final

from policies.message import Channel, Content, Json, Message
from policies.screening.lexicon import Lexicon


class Category(StrEnum):
    """The categories of PP-4."""

    ORIGIN = "origin"
    POLITICS = "politics"
    BELIEF = "belief"
    UNION = "union"
    HEALTH = "health"
    SEX_LIFE = "sex_life"
    CRIME = "crime"


ALL_CATEGORIES: Final = "sensitive_data"
"""Category of a consent to all of them."""

LONGEST: Final = 20_000
"""So many characters of a message are read."""


def consent_category(category: Category) -> str:
    """What the consent to one category is called."""
    return f"sensitive_{category}"


CONSENTS: Final = frozenset({ALL_CATEGORIES, *map(consent_category, Category)})
"""Every consent that is about sensitive data."""


def marks(message: Message) -> tuple[Category, ...]:
    """The categories that a message speaks of, in their order; nothing on X."""
    if message.channel is Channel.X:
        return ()
    said = " ".join(_said(message.content))
    # Half a character has no UTF-8, and what looks for words wants it.
    return _marks(said[:LONGEST].encode("utf-8", "replace").decode()) if said else ()


def withheld_without_consent(marked: Iterable[str], granted: AbstractSet[str]) -> frozenset[str]:
    """The categories because of which a content is withheld from third parties, and from uses other than its own.

    ``granted`` are the categories of consent that stand. What is marked with a word that nobody knows is withheld.
    """
    if ALL_CATEGORIES in granted:
        return frozenset()
    return frozenset(one for one in marked if f"sensitive_{one}" not in granted)


def _marks(said: str) -> tuple[Category, ...]:
    found = _LEXICON.concepts(f" {_plain(said)} ")
    return tuple(category for category in Category if category in found) if found else ()


def _said(content: Content) -> Iterator[str]:
    if content.text:
        yield content.text
    for media in content.media:
        if media.title:
            yield media.title
    if content.details:
        yield from _leaves(content.details)


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)


_ACCENTS: Final = dict(
    zip("àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿ", "aaaaaaaceeeeiiiinooooooouuuuyy", strict=True)
) | {"ß": "ss"}
_PARTS: Final = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_MARKS: Final = "\u2018\u2019\u201a\u201c\u201d\u201e\u00b4\u00ab\u00bb\u2026\u2013\u2014\u00bf\u00a1"
_FOLDING: Final = str.maketrans(_ACCENTS | dict.fromkeys(_PARTS + _MARKS, " "))
_ASCII: Final = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))


def _plain(said: str) -> str:
    """Words without case and accents, one space apart. Quick, because every message is looked at."""
    if said.isascii():
        words = said.lower().encode().translate(_ASCII).decode()
    else:
        words = said.lower().translate(_FOLDING)
    return " ".join(words.split()) if "  " in words else words


def _phrases(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for category in Category:
        for line in table[category].values():
            yield from ((category, phrase.replace("'", " ")) for phrase in line.split("|"))


_LEXICON: Final = Lexicon(
    _phrases(tomllib.loads(files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8")))
)
