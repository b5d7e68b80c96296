# ruff: noqa: RUF001 - letters that pass for others are what this is about
"""One spelling for what looks the same: for phrases that people write, and for names that senders bear."""

from __future__ import annotations

import unicodedata
from typing import Final

_PAIRS: Final = (
    # Cyrillic, then Greek, as capitals or small letters look; after case folding.
    "аa вb сc ԁd еe һh нh іi јj кk ӏl мm оo рp ԛq ѕs тt ѵv ԝw хx уy зz "
    "αa βb ϲc εe ηh ιi κk μm νv οo ρp τt υu χx ζz ωw "
    "ıi ɑa ɡg łl øo đd ħh ŧt ʟl ɴn ʀr ꜱs"
)
LOOK_ALIKES: Final = str.maketrans({pair[0]: pair[1] for pair in _PAIRS.split()})
"""Letters of other alphabets that pass for a Latin one (Unicode UTS 39 has the whole list)."""

DIGITS: Final = str.maketrans("01345789$@", "oieastbgsa")
"""What digits and signs stand for inside a word."""

# Squared and circled capitals, white and black, of which NFKC opens the white ones only.
_ENCLOSED: Final = str.maketrans(
    {base + at: chr(ord("a") + at) for base in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6) for at in range(26)}
)


def folded(text: str) -> str:
    """Without case, accents, invisible characters and the alphabets of others; compatibility forms opened. Linear."""
    if text.isascii():
        return text.lower()
    opened = unicodedata.normalize("NFKD", text.translate(_ENCLOSED)).casefold()
    return "".join(filter(_seen, unicodedata.normalize("NFKD", opened))).translate(LOOK_ALIKES)


def _seen(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Mn", "Me", "Cf", "Cc"} or letter in "\t\r\n"
