r"""How long a text is on the air: its alphabet, its units, its parts.

GSM 7-bit default alphabet and its extension table: 3GPP TS 23.038, 6.2.1. A part of several carries six octets of
header (TS 23.040, 9.2.3.24.1), which leaves 153 of 160 septets or 67 of 70 UCS-2 units. What takes two units (an
extended letter with its escape, a surrogate pair) is never split over two parts, so a part may be left one unit short.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Final

import msgspec

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each. Capital Ç is in it, lower-case ç is not."""

EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Two septets each: an escape and a letter."""


class Alphabet(StrEnum):
    """How a text is written on the air."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """``units`` are septets (GSM-7) or 16-bit units (UCS-2); an empty text has no parts."""

    alphabet: Alphabet
    units: int
    parts: int


_SINGLE: Final = {Alphabet.GSM7: 160, Alphabet.UCS2: 70}
_PART: Final = {Alphabet.GSM7: 153, Alphabet.UCS2: 67}
_GSM7: Final = BASIC | EXTENDED


def measure(text: str) -> Encoding:
    """The alphabet that the text needs, and how much of it: exact at every boundary, linear in its length."""
    if _GSM7.issuperset(text):
        return _measured(Alphabet.GSM7, [2 if letter in EXTENDED else 1 for letter in text])
    return _measured(Alphabet.UCS2, [2 if letter > "\uffff" else 1 for letter in text])


def _measured(alphabet: Alphabet, widths: list[int]) -> Encoding:
    units = sum(widths)
    parts = _parts(widths, _PART[alphabet]) if units > _SINGLE[alphabet] else min(units, 1)
    return Encoding(alphabet=alphabet, units=units, parts=parts)


def _parts(widths: list[int], room: int) -> int:
    parts, used = 1, 0
    for width in widths:
        used += width
        if used > room:
            parts, used = parts + 1, width
    return parts


_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys(
            "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
            " ",
        ),
        **dict.fromkeys("\u2028\u2029\u0085", "\n"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        "…": "...",
    }
)
_WORD: Final = re.compile(r"""[^\s"<>“”„«»]+""")
_ADDRESS: Final = re.compile(r"://|\w\.[^\W\d_]{2}|@")


def smart(text: str) -> str:
    """The same words in GSM-7, if typographic quotes, dashes, spaces and invisible characters alone prevent it.

    Otherwise the text as it is: where an emoji or another script needs UCS-2 anyway, a joiner may carry meaning and
    nothing would be saved. Accents are never taken off, nothing inside an address is touched, and the answer never
    takes more parts. Runs before screening, so that what is screened is what is sent.
    """
    if _GSM7.issuperset(text):
        return text
    plain = unicodedata.normalize("NFC", text).translate(_PLAIN)
    if not _GSM7.issuperset(plain) or measure(plain).parts > measure(text).parts:
        return text
    return text if any(map(_touched_address, _WORD.findall(text))) else plain


def _touched_address(word: str) -> bool:
    return not _PLAIN.keys().isdisjoint(map(ord, word)) and _ADDRESS.search(word) is not None
