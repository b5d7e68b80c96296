"""One spelling for what looks the same: for phrases that people write, and for names that senders bear."""

from __future__ import annotations

import unicodedata
from typing import Final

from policies.screening.confusables import LOOKALIKES

DIGITS: Final = str.maketrans("01345789$@", "oieastbgsa")
"""What digits and signs stand for inside a word."""

LOOK_ALIKES: Final = str.maketrans(dict(LOOKALIKES))
"""The table as ``str.translate`` takes it."""


def folded(text: str) -> str:
    """Without case, accents, invisible characters and the alphabets of others; compatibility forms opened. Linear."""
    if text.isascii():
        return text.lower()
    opened = unicodedata.normalize("NFKD", text).casefold()
    return "".join(filter(_seen, unicodedata.normalize("NFKD", opened))).translate(LOOK_ALIKES)


def _seen(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Mn", "Me", "Cf", "Cc"} or letter in "\t\r\n"
