"""Wording that is held whoever sends it: abuse and its kin, chain letters, and schemes that need no link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policies.screening.action import Action
from policies.screening.context import Register
from policies.screening.lexicon import ACCUSATIONS, BRANDS, CONDUCT
from policies.screening.ownership import Found
from policies.screening.reading import Reading
from policies.verdict import ReasonCode

_HOLD: Final = Action.QUARANTINE


def wording(reading: Reading) -> Iterator[Found]:
    """Words of the reviewed list, each under its own reason."""
    for hit in CONDUCT.hits(reading.padded):
        code, _, action = hit.concept.partition(".")
        start, end = _span(reading, hit.start, hit.end)
        yield ReasonCode(code), Action.BLOCK if action == "block" else _HOLD, start, end


def accusations(reading: Reading) -> Iterator[Found]:
    """What is said of a third person and is defamation unless it is true; a warning of fraud names nobody."""
    if reading.concepts & (_EXCUSED | {"onetime"}):
        return
    for hit in ACCUSATIONS.hits(reading.padded):
        if _ANYBODY.isdisjoint(reading.padded[: hit.start].split()):
            yield ReasonCode.DEFAMATORY, _HOLD, *_span(reading, hit.start, hit.end)


def chain_letter(reading: Reading) -> Iterator[Found]:
    """``Forward this to 10 people``: who reads it is asked to pass it on to many."""
    match = _PASS_ON.search(reading.folded.text)
    if match is not None:
        yield ReasonCode.HOAX, _HOLD, match.start(), match.end()


def schemes(reading: Reading) -> Iterator[Found]:
    """Lures that work without a link, told by what comes together in one text."""
    concepts = reading.concepts
    if concepts & _EXCUSED or "ignore" in concepts:
        return
    for needed, code in _SCHEMES:
        if needed <= concepts:
            yield code, _HOLD, 0, len(reading.folded.text)
            return


def impersonation(reading: Reading, register: Register) -> Iterator[Found]:
    """Another organisation's name, spoken in as one's own, together with what lures ask for."""
    if reading.concepts & (_EXCUSED | {"onetime", "ignore", "booking"}):
        return
    pressed = len(reading.concepts & _PRESSURE)
    for hit in BRANDS.hits(reading.padded):
        name = hit.concept
        own = name in register.brands or any(name.replace(" ", "") in label for label in register.labels)
        if not own and (pressed > 1 or (register.brands and pressed and hit.start < 12)):
            yield ReasonCode.IMPERSONATION, _HOLD, *_span(reading, hit.start, hit.end)
            return


def named(concepts: frozenset[str], *, leads_away: bool) -> ReasonCode:
    """The reason that a text which the model holds is given."""
    if concepts & {"dating"}:
        return ReasonCode.OBSCENE
    if concepts & {"credential", "sendcode", "blocked", "verify", "account"} and (
        leads_away or "verify" in concepts
    ):
        return ReasonCode.PHISHING
    if concepts & {"authority", "family", "newnumber"}:
        return ReasonCode.IMPERSONATION
    if concepts & {"prize", "loan", "job", "invest", "gamble", "inherit", "refund", "pharma", "goods"}:
        return ReasonCode.DECEPTIVE_MARKETING
    return ReasonCode.PHISHING if leads_away and concepts & _PRESSURE else ReasonCode.SPAM


def _span(reading: Reading, start: int, end: int) -> tuple[int, int]:
    """Where in the folded text a stretch of the padded one stands."""
    position = 1
    first = last = None
    for word in reading.words:
        after = position + len(word.text)
        if after > start and position < end:
            first, last = first or word, word
        position = after + 1
    return (first.start, last.end) if first is not None and last is not None else (0, 0)


_EXCUSED: Final = frozenset({"warning", "keepsecret"})
# "Whoever asks for it is a fraudster" accuses nobody.
_ANYBODY: Final = frozenset(
    "whoever anyone anybody someone caller wer jeder jemand anrufer quien quienes cualquiera alguien quiconque celui".split()
)
_PRESSURE: Final = frozenset(
    "blocked verify click urgent otherwise prize refund fee force credential stream".split()
)
_P, _I, _D, _S, _T = (
    ReasonCode.PHISHING,
    ReasonCode.IMPERSONATION,
    ReasonCode.DECEPTIVE_MARKETING,
    ReasonCode.SPAM,
    ReasonCode.THREATENING,
)
_SCHEMES: Final = tuple(
    (frozenset(needed.split()), code)
    for needed, code in (
        ("sendcode", _P),
        ("newnumber family", _I),
        ("newnumber chatapp", _I),
        ("giftcards family", _I),
        ("extort invest", _T),
        ("job chatapp", _D),
        ("invest chatapp", _D),
        ("loan chatapp", _D),
        ("gamble chatapp", _S),
        ("acquaint chatapp", _D),
        ("inherit credential", _D),
        ("credential reply", _P),
        ("pharma prize", _S),
        ("account blocked verify click", _P),
        ("account blocked credential", _P),
        ("inherit chatapp", _D),
    )
)
_PASS_ON: Final = re.compile(
    r"\b(?:send|forward|fwd|pass|share|copy|post|text|txt|envoie|envoyez|transfere\w*|partage\w*|reenvia\w*|envia\w*|manda\w*|"
    r"comparte|schick\w*|send\w*|leite\w*|teil\w*)\b[^.!?]{0,40}?\b(?:to|with|a|an|con|avec)\b[^.!?]{0,16}?"
    r"(?:\d{1,3}|five|seven|ten|twelve|fifteen|twenty|dix|diez|zehn|all|every|toutes?|tous|todos|alle)\b[^.!?]{0,16}?"
    r"\b(?:people|friends|contacts|frnds|frends|persons|groups|ppl|pals|everyone|amis|personnes|contactos|personas|amigos|"
    r"leute|freunde|kontakte|grupos|groupes|gruppen)\b"
)
