"""The numbers that a text asks to call, to text or to write to. Every other run of digits is none of our business."""

from __future__ import annotations

import re
from typing import Final

from policies.message import Private


class Number(Private, frozen=True):
    """A number that the text asks for: its digits, where it stands in the folded text, how it is to be reached.

    ``masked``: some digits are written as letters, so that no register can know it. ``chat``: in a chat application.
    """

    digits: str
    start: int
    end: int
    masked: bool = False
    chat: bool = False
    short: bool = False


def asked(text: str) -> list[Number]:
    """Numbers that the folded text asks to call or text, in order."""
    found: list[Number] = []
    for match in _CANDIDATE.finditer(text):
        number = _judged(text, match)
        if number is not None:
            found.append(number)
    return found


def _judged(text: str, match: re.Match[str]) -> Number | None:
    written = match.group()
    digits = "".join(character for character in written if character.isdigit())
    masked = written.count("x") > 4
    if "x" in written and not masked:
        return None
    before = text[max(0, match.start() - 70) : match.start()]
    length = len(digits) + (written.count("x") if masked else 0)
    if length < 7:
        return _short(digits, text, before, match) if not masked else None
    if length > 15 or _DATE.fullmatch(written.strip()):
        return None
    ask = (
        _ASK.search(before)
        or (length > 8 and _ASK_FAR.search(before))
        or _ASK_BEHIND.match(text, match.end())
    )
    if not ask or _BREAKS.search(ask.group()):
        return None
    chat = _CHAT.search(ask.group()) is not None
    return Number(digits, match.start(), match.end(), masked=masked, chat=chat)


def _short(digits: str, text: str, before: str, match: re.Match[str]) -> Number | None:
    """A short code: only where the words before it leave no doubt, and neither for opting out nor for help."""
    if not 3 <= len(digits) <= 6 or len(digits) != len(match.group().strip()) or digits in _PUBLIC_SERVICE:
        return None
    ask = _ASK_SHORT.search(before)
    if ask is None or _OPT_OUT.search(ask.group()) or _QUANTITY.match(text, match.end()):
        return None
    return Number(digits, match.start(), match.end(), short=True)


def same_number(one: str, other: str) -> bool:
    """Whether two numbers (digits only) are the same line: national and international spelling are."""
    if one == other:
        return True
    short, long = sorted((one.removeprefix("00").lstrip("0"), other.removeprefix("00").lstrip("0")), key=len)
    if len(short) < 7:
        return False
    rest = long.removesuffix(short)
    return rest == "" or (long != rest and _CALLING_CODE.fullmatch(rest) is not None)


def digits_of(number: str) -> str:
    """The digits of a number as a register has it: ``+44 20 7946 0018``."""
    return "".join(character for character in number if character.isdecimal())


_CANDIDATE: Final = re.compile(
    r"(?:(?<![\w.,/#*])(?<!\d-)|(?<=number)|(?<=call)|(?<=\bno))(?<![$£€]\s)(?<![$£€])\+?\s?\(?(?:\d|x(?=x{4}|\d))[\dx]*(?:[\s().\-/]{1,2}[\dx]+){0,9}(?![\d%€$£])"
)
_DATE: Final = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:\s\d{1,2})?|\d{1,2}\s\d{1,2}\s\d{4}|\d{4}-\d{4}"
)
_FILL: Final = (
    r"(?:\W{1,4}(?:us|me|him|her|now|today|back|on|at|the|our|your|a|to|free|toll|toll-free|line|helpline|hotline|support|"
    r"immediately|straight|away|directly|team|customer|service|care|office|number|no|urgent|urgently|asap|once|is|also|"
    r"via|by|for|more|info|details|information|help|this|from|be|phone|mobile|land|landline|and|ask|agent|officer|manager|"
    r"app|chat|uk|line's|in|order|cancel|confirm|dispute|claim|if|it|was|not|you|fraud|bank|surgery|school|desk|"
    r"le|au|la|a|de|du|notre|vite|vous|nous|gratuitement|numero|immediatement|sur|ce|d|urgence|pour|annuler|"
    r"al|el|de|nuestro|ya|inmediato|numero|inmediatamente|tel|para|cobrarlo|un|este|mi|lo|cancelar|"
    r"sie|uns|an|unter|der|die|den|sofort|bitte|ab|uhr|jetzt|nummer|mich|in|praxis|sekretariat|das|mir|auf|hier))"
)
_CALL: Final = (
    r"call|calling|callfreefone|freefone|freephone|dialling|dialing|cnt|cont|mob|operator|phone|ring|dial|text|txt|sms|whats\s?app|wa|telegram|tel|telephone|ph|contact|reach|viber|signal|hotline|"
    r"helpline|message|msg|write|chat|support|line|number|cell|mobile|"
    r"appel\w*|rappel\w*|telephon\w*|joign\w*|contact\w*|compos\w*|ecri\w*|portable|numero|"
    r"llam\w*|marque|escrib\w*|comuni\w*|telefono|movil|"
    r"ruf\w*|anruf\w*|meld\w*|schreib\w*|kontakt\w*|erreich\w*|telefon\w*|hub|hubungi|bel|chiama\w*"
)
_ASK: Final = re.compile(
    rf"(?<![^\W_])(?:{_CALL})(?![^\W_]){_FILL}{{0,6}}[\s.:,;=\-]{{0,4}}$"
    r"|(?<![^\W_])(?:send|reply|forward|fwd|transfer|sms|message|envoy\w+|envi\w+|schick\w*|sms)\s(?:[\w\"']+\s){0,4}(?:to|au|al|an)\s$"
    r"|(?<![^\W_])unter\s{1,2}$"
)
_ASK_FAR: Final = re.compile(
    r"(?<![^\W_])(?:call|contact|whats\s?app|text|dial|phone|appelez|contactez|llame|contacte|kontaktieren)\s(?:[a-z'.]{1,12}[\s:=,]{1,3}){1,4}$"
)
_ASK_BEHIND: Final = re.compile(
    r"[\s,]{1,2}(?:an(?:rufen)?\b|immediately|now\b|asap|straight|to\s(?:claim|cancel|confirm|verify|stop|unlock))"
)
_BREAKS: Final = re.compile(
    r"\b(?:account|acct|ref|reference|card|order|invoice|booking|case|ticket|policy|txn|transaction|no\sis|number\sis|"
    r"message\s(?:id|no)|code)\b"
)
_CHAT: Final = re.compile(r"whats\s?app|telegram|viber|signal|\bwa\b|\bchat\b")
_ASK_SHORT: Final = re.compile(
    r"(?<![^\W_])(?:text|txt|sms|send|reply|envoy\w+|repond\w+|responda|envi\w+|sende\w*|manda\w*)\s(?:[\w\"'+]+\s){0,4}"
    r"(?:to|au|al|an|a)\s$"
    r"|(?<![^\W_])(?:call|dial|phone|ring|appel\w+|rappel\w+|compos\w+|llam\w+|marque)\s(?:(?:us|now|on|le|au|al|the|free)\s){0,2}$"
)
_OPT_OUT: Final = re.compile(
    r"\b(?:stop|arret|baja|stopp|quit|end|unsubscribe|cancel|help|optout|out|info|alta|abmelden)\b"
)
_QUANTITY: Final = re.compile(
    r"\s?(?:people|friends|contacts|times|days|hours|minutes|personnes|personas|leute|%)"
)
# Emergency, public service and spam-reporting numbers: a text may name them whoever sends it.
_PUBLIC_SERVICE: Final = frozenset(
    "999 112 911 988 101 105 111 119 15 17 18 110 113 114 115 116 117 118 119 3114 3117 3919 7726 33700 1909 016 017 024 061 "
    "062 091 092 116000 116111 116117 116123 311 211 811 511".split()
)
_CALLING_CODE: Final = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-69]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[057]\d|9[679]\d"
)
