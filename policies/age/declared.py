"""How old somebody says that they are, where that is under 13: in English, French, Spanish and German.

The text is folded (case, accents, invisible characters), what is quoted and what merely looks like it ("as if I'm 11") is
taken out, and what is left is compared with the phrases of ``declared.toml`` by an engine whose time is linear in the text
(RE2). Only what people say of themselves counts: not of their children, not how many they are, how far away, or where.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final, NamedTuple

import re2

from policies.sms.folding import folded

LONGEST: Final = 2_000
"""So many characters of a text are read: who tells their age says so in a message, not in a book."""

ADULT: Final = 13
"""The age from which on PP-8 does not speak of somebody."""


def declared_age(text: str) -> int | None:
    """The greatest age under 13 that the text's author says they may have; None where they say nothing of the kind."""
    text = text.encode("utf-8", "replace").decode()  # half a character has no UTF-8, which RE2 wants
    if _MAY.search(text) is None:
        return None
    said = _plain(text[:LONGEST])
    if _FRIENDS.search(said) is not None:
        said = _FRIENDS.sub("_", said)
    ages = [age for at in _matching(said) if (age := _age(_ROWS[at], said)) is not None]
    return max(ages, default=None)


class _Row(NamedTuple):
    """A phrase: ``less`` is taken from the number that it captures; without one the age is ``less`` below 13."""

    pattern: Any
    less: int


def _age(row: _Row, said: str) -> int | None:
    found = row.pattern.search(said)
    if found is None:
        return None
    number = next((group for group in found.groups() if group), None)
    return (ADULT if number is None else _NUMBERS[number]) - row.less


def _matching(said: str) -> list[int]:
    """The rows that match somewhere. RE2's set says "no" in silence when its memory is full: its last row always matches."""
    found = sorted(_SET.Match(said) or ())
    if found and found[-1] == len(_ROWS):
        return found[:-1]
    return list(range(len(_ROWS)))


# --- the text: words and what parts sentences ---------------------------------------------------------------------------

_APOSTROPHE: Final = re.compile(r"['\u2019\u2018\u02bc`\u00b4]")


def _plain(text: str) -> str:
    said = folded(_APOSTROPHE.sub(" ", _QUOTED.sub(" _ ", text)).replace("\n", " . "))
    if not said.isascii():
        said = "".join(letter if letter.isascii() else _sign(letter) for letter in said)
    return " ".join(said.split())


def _sign(letter: str) -> str:
    """A digit of another script; what belongs to a number as its unit; anything else (a picture) ends a sentence."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    return "$" if unicodedata.category(letter) == "Sc" or letter in "°‰" else "!"


# --- the tables ---------------------------------------------------------------------------------------------------------

_SENTENCE: Final = r"(?: ?[!?;_)]| ?[.,:]+(?: [^0-9]|[!?)]|$)| -+ [^0-9]| ?$)"
"""The end of a sentence or a part of one; no decimal, no time, no range of numbers."""

_LESS: Final = {"is": 0, "under": 1, "school": 1}


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _group(numbers: Mapping[str, str], first: int, last: int, *, digits: bool = True) -> str:
    """The numbers of a range, in digits and words."""
    spelt = (
        f"{number}|{words}" if digits else words
        for number, words in numbers.items()
        if first <= int(number) <= last
    )
    return f"({'|'.join(spelt)})"


def _pattern(written: str, fill: Mapping[str, str]) -> str:
    """RE2 for a phrase of the table, from the beginning of a word."""
    for name, alternatives in fill.items():
        written = written.replace(f"{{{name}}}", f"(?:{alternatives})")
    return rf"\b(?:{written})" if not written.startswith("(?:^") else written


def _numbers(table: Mapping[str, Any]) -> dict[str, int]:
    known: dict[str, int] = {}
    for rows in (table["ordinals"], table["numbers"]):
        for number, words in rows.items():
            known |= dict.fromkeys((number, *words.split("|")), int(number))
    return known


def _fill(table: Mapping[str, Any]) -> dict[str, str]:
    numbers = table["numbers"]
    return {
        **table["words"],
        "n": _group(numbers, 5, 12),
        "y": _group(numbers, 3, 12),
        "u": _group(numbers, 4, 13),
        "o": _group(table["ordinals"], 5, 12, digits=False),
    }


def _written(table: Mapping[str, Any], fill: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Every phrase with what its number is to be lessened by."""
    for way, less in _LESS.items():
        for language, phrases in table[way].items():
            go_on = table["go_on"][language]
            end = {"end": rf"(?:{_SENTENCE}| (?:{go_on})\b)", "go_on": go_on}
            yield from ((_pattern(written, {**end, **fill}), less) for written in phrases.values())


def _may(table: Mapping[str, Any]) -> str:
    """What stands in every text that says so: a number below 14, or the word for a school."""
    words = "|".join(table["numbers"].values())
    digits = r"(?:^|[^0-9])(?:[3-9]|1[0-3])(?:$|[^0-9])"
    return rf"(?i){digits}|{table['unfolded']['words']}|\b(?:{words}|{table['schools']['words']})"


_TABLE: Final[dict[str, Any]] = tomllib.loads(
    files(__package__).joinpath("declared.toml").read_text(encoding="utf-8")
)
_NUMBERS: Final = _numbers(_TABLE)
_FILL: Final = _fill(_TABLE)
_WRITTEN: Final = tuple(_written(_TABLE, _FILL))
_ROWS: Final = tuple(_Row(re2.compile(pattern, _options()), less) for pattern, less in _WRITTEN)
_SET: Final = re2.Set.SearchSet(_options())
for _one, _ in (*_WRITTEN, ("", 0)):
    _SET.Add(_one)
_SET.Compile()
_FRIENDS: Final = re2.compile(
    rf"\b(?:{'|'.join(_pattern(written, _FILL) for written in _TABLE['friends'].values())})\b", _options()
)
_QUOTED: Final = re2.compile(_TABLE["quoted"]["pattern"], _options())
_MAY: Final = re2.compile(_may(_TABLE), _options())
