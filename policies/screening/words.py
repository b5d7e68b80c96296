"""The words of a text as a reader understands them: ``cl4im``, ``c laim`` and ``claaaim`` are ``claim``.

Repairs need a vocabulary: a word is only changed into one that exists, and a word that exists is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from policies.message import Private

URL: Final = "\ue000"
MAIL: Final = "\ue001"
PHONE: Final = "\ue002"
"""What stands, character for character, in the place of links and asked numbers."""

CLASSES: Final = {URL: "#url", MAIL: "#mail", PHONE: "#phone"}


class Word(Private, frozen=True, gc=False):
    """``text`` is the word repaired, or a class such as ``#money``; positions are in the folded text."""

    text: str
    start: int
    end: int
    repaired: bool = False


def words(text: str, vocabulary: Container[str], *, run_together: bool = False) -> list[Word]:
    """Words in order; numbers, amounts and codes as classes. ``run_together``: spaces between words may be lost."""
    found: list[Word] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        token = match.group()
        if kind == "word" and token in vocabulary:
            found.append(Word(token, match.start(), match.end()))
        elif kind == "word":
            word = _word(token, match.start(), match.end(), vocabulary)
            found += _parted(word, vocabulary) if run_together else (word,)
        elif kind == "place":
            found.append(Word(CLASSES[token[0]], match.start(), match.end()))
        elif kind == "mixed":
            found += _mixed(token, match.start(), vocabulary)
        else:
            found.append(Word(_class(kind, token), match.start(), match.end()))
    return _joined(found, text, vocabulary)


def _class(kind: str | None, token: str) -> str:
    if kind == "number":
        digits = sum(character.isdigit() for character in token)
        return "#time" if ":" in token else f"#n{min(digits, 9)}"
    return f"#{kind}" if kind != "marks" else f"#{token[0]}{min(len(token), 3)}"


def _word(token: str, start: int, end: int, vocabulary: Container[str]) -> Word:
    if token in vocabulary or len(token) < 4:
        return Word(token, start, end)
    if token.count("x") == len(token):
        return Word(f"#n{min(len(token), 9)}", start, end)
    shorter = _REPEATED.sub(r"\1\1", token)
    for candidate in (shorter, _DOUBLED.sub(r"\1", token)):
        if candidate != token and candidate in vocabulary:
            return Word(candidate, start, end, repaired=True)
    return Word(token.replace("'", ""), start, end)


def _mixed(token: str, start: int, vocabulary: Container[str]) -> list[Word]:
    """Letters and digits or signs in one word: leetspeak if it reads as a word, else a code."""
    end = start + len(token)
    inner = token.rstrip("!|$@+")
    for written in (token, inner):
        for table in _LEET:
            plain = written.translate(table)
            if len(plain) > 2 and (plain in vocabulary or _DOUBLED.sub(r"\1", plain) in vocabulary):
                return [
                    Word(
                        plain if plain in vocabulary else _DOUBLED.sub(r"\1", plain),
                        start,
                        end,
                        repaired=True,
                    )
                ]
    if inner.isalpha():
        return [_word(inner, start, end, vocabulary)]
    letters = sum(character.isalpha() for character in inner)
    if letters and _SIGNS.search(inner):
        return [Word(inner.translate(_LEET[0]), start, end, repaired=True)]
    tail = _UNIT.fullmatch(inner)
    if tail is not None:
        return [
            Word(f"#n{min(len(tail.group(1)), 9)}", start, start + len(tail.group(1))),
            Word(tail.group(2), start, end),
        ]
    if letters * 3 > len(inner) * 2 and len(inner) > 3:
        return [Word(inner.translate(_LEET[0]), start, end, repaired=True)]
    return [Word("#code", start, end)]


def _joined(found: list[Word], text: str, vocabulary: Container[str]) -> list[Word]:
    """Neighbours that are one word in two pieces: ``cla im``, ``ver-ify``."""
    result: list[Word] = []
    known = True
    for word in found:
        before, known = known, word.text in vocabulary or word.text[0] == "#"
        if not (before and known) and result and _splits(result[-1], word, text, vocabulary):
            last = result.pop()
            result.append(Word(last.text + word.text, last.start, word.end, repaired=True))
            known = True
        else:
            result.append(word)
    return result


def _splits(one: Word, two: Word, text: str, vocabulary: Container[str]) -> bool:
    if not 0 <= two.start - one.end <= 2 or one.text[0] == "#" or two.text[0] == "#":
        return False
    whole = one.text + two.text
    return len(whole) > 4 and whole in vocabulary and "\n" not in text[one.end : two.start]


def _parted(word: Word, vocabulary: Container[str]) -> Sequence[Word]:
    """``freeprizenow`` as three words."""
    pieces = None if word.text in vocabulary or len(word.text) < 6 else segmented(word.text, vocabulary)
    return [Word(piece, word.start, word.end, repaired=True) for piece in pieces] if pieces else (word,)


def segmented(run: str, vocabulary: Container[str]) -> Sequence[str] | None:
    """A run of letters as words that exist, longest first: ``freeprizenow``; None where it is no such run."""
    pieces: list[str] = []
    position = 0
    while position < len(run):
        for end in range(min(len(run), position + 14), position + 1, -1):
            if run[position:end] in vocabulary:
                pieces.append(run[position:end])
                position = end
                break
        else:
            return None
    return pieces


_TOKEN: Final = re.compile(
    r"(?P<place>\ue000+|\ue001+|\ue002+)"
    r"|(?P<money>[$£€₹¥]\s?\d[\d.,]*[km]?\b|(?:rs\.?|usd|eur|gbp|inr|aed|ngn|cad|aud|chf)\s?\d[\d.,]*"
    r"|\d[\d.,]*\s?(?:[$£€₹¥]|(?:eur|usd|gbp|euros?|dollars?|pounds?|inr|chf|quid)\b))"
    r"|(?P<mixed>(?=[a-z]*[\d@$!|€£+])[a-z\d@$|€£+!]*[a-z][a-z\d@$|€£+!]*)"
    r"|(?P<number>[\dx]*\d[\dx]*(?:[.,:/\-]\d+)*)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)"
    r"|(?P<marks>[!?]+)"
)
_REPEATED: Final = re.compile(r"(.)\1{2,}")
_DOUBLED: Final = re.compile(r"(.)\1+")
_SIGNS: Final = re.compile(r"[a-z][@$|€£!+][a-z]|^[@$|€£][a-z]{2}")
_UNIT: Final = re.compile(r"(\d+)([a-z]{1,5})")
_LEET: Final = (
    str.maketrans("0123456789@$!|€£+", "oizeasgtbgasiieLt".lower()),
    str.maketrans("0123456789@$!|€£+", "olreasbtbqasllett"),
)
