"""What an inbound text asks for: to stop, to start again, to be helped, or something that a person has to read.

47 CFR 64.1200(a)(10): consent may be revoked by any reasonable means, so providers' few keywords do not suffice. The
text is folded (case, accents, disguises, misspelt keywords), what merely looks like a request is taken out ("don't
stop", "the bus stop"), and what is left is compared with the phrases of ``optout.toml`` by an engine
whose time is linear in the text (RE2). Two that contradict each other are for a person.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final

import msgspec
import re2

from policies.sms.folding import DIGITS, folded


class Intent(StrEnum):
    """What the sender of a text wants of it. ``AMBIGUOUS`` goes to a person, ``NONE`` is conversation."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """``phrase`` names the row of ``optout.toml`` that matched (``en.leave_alone``), never what was written.

    ``language`` is the row's: ``any`` for words that several languages use, empty where nothing matched.
    """

    intent: Intent
    language: str = ""
    phrase: str = ""


NOTHING: Final = Reply(intent=Intent.NONE)


def classify(text: str) -> Reply:
    """What the text asks for. Linear in its length; the same words in any disguise give the same answer."""
    said = _plain(text)
    if not said:
        return NOTHING
    for at in _FRIENDS.matching(said):
        friend, stands_for = _FRIENDS.rows[at]
        said = friend.sub(stands_for, said)
    found: dict[Intent, Reply] = {}
    for at in _PHRASES.matching(said):
        _, row = _PHRASES.rows[at]
        found.setdefault(row.intent, row)
    if Intent.STOP in found and Intent.START in found:
        return Reply(intent=Intent.AMBIGUOUS, language="any", phrase="any.contradiction")
    return next((found[intent] for intent in Intent if intent in found), NOTHING)


# --- the text: words, one space apart --------------------------------------------------------------------------------------

_SIGNS: Final = str.maketrans({"🛑": " stop ", **dict.fromkeys("🚫⛔✋🔕🖐", " noentry ")})
_CONTRACTED: Final = re.compile(r"['\u2019\u02bc`\u00b4](?=(?:t|s|m|d|re|ll|ve)\b)")
_SIGN_IN_WORD: Final = re.compile(r"[$@](?=\w*[a-z])")
_WORD: Final = re.compile(r"[^\W_]+")
_RUN: Final = re.compile(r"(.)\1{2,}")
_SPACED_OUT: Final = re.compile(r"(?<!\S)\w(?: \w)+(?!\S)")
_LETTERS: Final = re.compile(r"\b[a-z](?: [a-z])+\b")


def _plain(text: str) -> str:
    open_ = _CONTRACTED.sub("", folded(text.translate(_SIGNS)))
    open_ = _SIGN_IN_WORD.sub(lambda sign: sign[0].translate(DIGITS), open_)
    if "  " in open_:  # letters with one space between them are words with two between them
        open_ = _SPACED_OUT.sub(lambda letters: letters[0].replace(" ", ""), open_)
    words = " ".join(map(_word, _WORD.findall(open_)))
    words = _LETTERS.sub(_joined, words)
    return _alone(words).encode("ascii", "replace").decode().replace("?", "_")


def _word(word: str) -> str:
    """A keyword that is disguised or misspelt, as it is spelt; any other word as it is."""
    if word in _VOCABULARY or len(word) > _LONGEST:
        return word
    letters = word.translate(DIGITS)
    for spelling in (letters, _RUN.sub(r"\1", letters), _RUN.sub(r"\1\1", letters)):
        if spelling in _KEYWORDS:
            return _KEYWORDS[spelling]
    return _near(word, _LONG)


def _near(word: str, keywords: Mapping[str, str]) -> str:
    return next((keywords[less] for less in _one_less(word) if less in keywords), word)


def _one_less(word: str) -> Iterator[str]:
    yield word
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]


def _joined(letters: re.Match[str]) -> str:
    together = letters[0].replace(" ", "")
    return _KEYWORDS.get(together, letters[0])


def _alone(words: str) -> str:
    """The keyword that the whole message is, if one is left when spaces or a slip of the finger are taken out."""
    together = (_COURTESY.sub("", words).strip() or words).replace(" ", "")
    if together in _VOCABULARY or len(together) > _LONGEST:
        return _KEYWORDS.get(together, words)
    for spelling in (together.translate(DIGITS), _near(together, _SHORT)):
        if spelling in _KEYWORDS:
            return _KEYWORDS[spelling]
    return words


class _Patterns:
    """Patterns that are asked all at once, each with what it stands for.

    RE2's set says "no match" in silence when its memory is full: a last pattern that always matches tells the two
    apart, and then they are asked one by one.
    """

    def __init__(self, rows: Iterable[tuple[str, Any]]) -> None:
        written = tuple(rows)
        self.rows = tuple((re2.compile(pattern, _options()), row) for pattern, row in written)
        self._set = re2.Set.SearchSet(_options())
        for pattern, _ in (*written, ("", None)):
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, text: str) -> list[int]:
        """The rows that match somewhere in the text, in the table's order."""
        found = sorted(self._set.Match(text) or ())
        if found and found[-1] == len(self.rows):
            return found[:-1]
        return [at for at, (pattern, _) in enumerate(self.rows) if pattern.search(text)]


# --- the tables -------------------------------------------------------------------------------------------------------------

_UMLAUTS: Final = {"ä": "(?:a|ae)", "ö": "(?:o|oe)", "ü": "(?:u|ue)"}


def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("optout.toml").read_text(encoding="utf-8"))


def _pattern(written: str, words: Mapping[str, str]) -> str:
    """RE2 for a pattern of the table: lists filled in, umlauts in both spellings, whole words only."""
    for name, alternatives in words.items():
        written = written.replace(f"{{{name}}}", alternatives)
    for umlaut, spellings in _UMLAUTS.items():
        written = written.replace(umlaut, spellings)
    return rf"\b(?:{written})\b" if not written.endswith(("$", ".*)")) else rf"\b(?:{written})"


def _whole(keywords: str, words: Mapping[str, str]) -> str:
    fill = words["fill"]
    return rf"^(?:(?:{fill}) )*(?:{keywords})(?: (?:{keywords}|{fill}))*$"


def _written(table: Mapping[str, Any]) -> Iterator[tuple[Reply, str]]:
    """Every phrase with the answer that it gives; an intent's keywords are its first."""
    words = table["words"]
    for language, keywords in table["keywords"].items():
        for intent, alternatives in keywords.items():
            row = Reply(intent=Intent(intent), language=language, phrase=f"{language}.{intent}")
            yield row, _whole(alternatives, words)
    for intent in (Intent.STOP, Intent.START, Intent.AMBIGUOUS):
        for language, phrases in table[intent].items():
            for name, written in phrases.items():
                row = Reply(intent=intent, language=language, phrase=f"{language}.{name}")
                yield row, _pattern(written, words)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _without_a_letter(keywords: Iterable[str], apart: frozenset[str]) -> dict[str, str]:
    """Every keyword under itself and every spelling with one letter less, unless two or another word claim it."""
    under: dict[str, set[str]] = {}
    for keyword in keywords:
        for less in _one_less(keyword):
            if less == keyword or less not in apart:
                under.setdefault(less, set()).add(keyword)
    return {less: min(found) for less, found in under.items() if len(found) == 1}


_TABLE: Final = _table()
_PHRASES: Final = _Patterns((pattern, row) for row, pattern in _written(_TABLE))
_FRIENDS: Final = _Patterns(
    (_pattern(written, _TABLE["words"]), stands_for or "_")
    for friends in _TABLE["friends"].values()
    for written, stands_for in friends.items()
)
_KEYWORDS: Final[dict[str, str]] = {
    keyword.replace(" ", ""): keyword
    for by_intent in _TABLE["keywords"].values()
    for keywords in by_intent.values()
    for keyword in keywords.split("|")
}
_VOCABULARY: Final = frozenset(
    (*_TABLE["misspelt"]["words"].split(), *re.findall(r"[a-z]+", str(_TABLE["keywords"])), *_KEYWORDS)
)
_LONG: Final = _without_a_letter(_TABLE["misspelt"]["long"].split(), _VOCABULARY)
_SHORT: Final = _without_a_letter(_TABLE["misspelt"]["short"].split(), _VOCABULARY)
_LONGEST: Final = 1 + max(map(len, _KEYWORDS))
_COURTESY: Final[re.Pattern[str]] = re.compile(rf"\b(?:{_TABLE['words']['fill']})\b")
