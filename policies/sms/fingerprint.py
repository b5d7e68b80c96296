"""Near-duplicate fingerprints: which texts are one campaign, whatever slots were filled and however letters are disguised.

A text becomes its letters (normalised as the screening does, without links, amounts, numbers and spaces; signs that pass
for one letter are one), its letters become overlapping pieces, and of the pieces the smallest hashes are kept (MinHash
with one permutation: Li, Owen and Zhang, 2012). Rows of them make bands (locality-sensitive hashing).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final
from zlib import crc32

from policies.screening.normalise import fold

BANDS: Final = 12
"""So many bands has a text that is long enough; a shorter one has one, or none where it says nothing."""

_ROWS: Final = 3
_PIECE: Final = 5
_SHORT: Final = 16


def bands(text: str) -> tuple[bytes, ...]:
    """Eight bytes each: two texts that share one are near-duplicates. Total, linear, the same on every machine.

    A band of a short text gives the text away to who guesses it: store it under a key.
    """
    folded = fold(text).text
    letters = _letters(" ".join(word for word in folded.split() if not _LINK.search(word)))
    if len(letters) < _SHORT:
        letters = _letters(folded)
    if len(letters) < _SHORT:
        whole = _DIGITS.sub("#", "".join(folded.split()))
        return (_digest(whole),) if whole else ()
    least = _least(letters)
    return tuple(_digest(f"{at} {least[at : at + _ROWS]}") for at in range(0, len(least), _ROWS))


def _letters(folded: str) -> str:
    """The text's letters in a row, no two alike beside each other. Amounts, numbers and codes fall out."""
    found = (match.group().rstrip("!|+€") for match in _TOKEN.finditer(folded) if not match.lastgroup)
    return _REPEATED.sub(r"\1", "".join(word for word in found if not _code(word)).translate(_SHAPES))


def _code(word: str) -> bool:
    """Whether the word is more likely a reference than leetspeak, which has no use for 2, 6 and 9."""
    return len(word) > 2 and not word.isalpha() and not _CODE_DIGITS.isdisjoint(word)


def _least(letters: str) -> list[int]:
    """The smallest hash of each class of pieces; a class without any borrows from the others, each in its own order."""
    wide = letters.encode("utf-32-le")
    hashes = {crc32(wide[at : at + 4 * _PIECE]) for at in range(0, len(wide) - 4 * _PIECE + 1, 4)}
    count = BANDS * _ROWS
    least = {value % count: value for value in sorted(hashes, reverse=True)}
    filled = tuple(least.values())
    for empty in set(range(count)).difference(least):
        least[empty] = min(map(crc32(b"%d" % empty).__xor__, filled))
    return [least[row] for row in range(count)]


def _digest(band: str) -> bytes:
    return blake2b(band.encode(), digest_size=8).digest()


_LINK: Final = re.compile(r"\w\W?\.\W?[^\W\d]|//|@\w+\.")
_TOKEN: Final = re.compile(
    r"(?P<number>[£$€]?\d+(?:[.,:/\-]\d+)+[£$€]?|[£$€]\d{2,}(?![^\W\d])|\d{3,}(?![^\W\d]))"
    r"|[^\W_][\w@$!|€+]*|[@$!|€+]\w[\w@$!|€+]*"
)
_CODE_DIGITS: Final = frozenset("269")
_DIGITS: Final = re.compile(r"\d+")
_REPEATED: Final = re.compile(r"(.)\1+")
# What passes for one letter, as one.
_SHAPES: Final = str.maketrans("4@3€1!|l0$57+8629", "aaeeiiiiossttbgzg")
