"""The master key in parts that several people keep: any ``needed`` of them give it back, fewer tell nothing about it.

Shamir's scheme (How to share a secret, 1979), each byte on its own over GF(256) with the polynomial of AES (FIPS 197, 4.2).
A part is one line of text with a checksum, so that a slip of the pen is told before parts are put together.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Final

from policies.message import Private
from worker.crypto import KEY_BYTES, fingerprint
from worker.errors import ConfigurationError

MOST_PARTS: Final = 255
_POLYNOMIAL: Final = 0x11B
_CHECKSUM: Final = 8
_LINE: Final = re.compile(
    r"sluicegate-part-1 set=(?P<set>[0-9a-f]{16}) key=(?P<key>[0-9a-f]{8}) needed=(?P<needed>\d{1,3})"
    r" number=(?P<number>\d{1,3}) of=(?P<of>\d{1,3}) part=(?P<part>[A-Za-z0-9+/=]{44}) check=(?P<check>[0-9a-f]{8})"
)


class Part(Private, frozen=True, kw_only=True):
    """One of the parts (``number`` from 1). ``set``: those that belong together; ``key``: the key's fingerprint."""

    set: str
    key: str
    needed: int
    number: int
    of: int
    part: bytes

    @property
    def line(self) -> str:
        """As it is kept: on paper, or in somebody's safe."""
        part = base64.b64encode(self.part).decode()
        text = (
            f"sluicegate-part-1 set={self.set} key={self.key} needed={self.needed} number={self.number} of={self.of}"
            f" part={part}"
        )
        return f"{text} check={_checksum(text)}"


def split(key: bytes, needed: int, of: int) -> list[Part]:
    """``of`` parts of a key, of which any ``needed`` give it back. Raises ConfigurationError."""
    if not 2 <= needed <= of <= MOST_PARTS:
        raise ConfigurationError(
            f"parts: at least two are needed, and no more than there are, at most {MOST_PARTS}"
        )
    name = os.urandom(8).hex()
    columns = [(byte, *os.urandom(needed - 1)) for byte in key]
    return [
        Part(
            set=name,
            key=fingerprint(key),
            needed=needed,
            number=number,
            of=of,
            part=bytes(_at(number, column) for column in columns),
        )
        for number in range(1, of + 1)
    ]


def read_part(text: str) -> Part:
    """A part from its line; spaces and line breaks may have come into it. Raises ConfigurationError."""
    line = " ".join(text.split())
    match = _LINE.fullmatch(line)
    if match is None:
        raise ConfigurationError("this is no part of a master key, or it was copied wrongly")
    if match["check"] != _checksum(line.rpartition(" check=")[0]):
        raise ConfigurationError("a part of the master key was copied wrongly: its checksum does not fit")
    numbers = {name: int(match[name]) for name in ("needed", "number", "of")}
    return Part(set=match["set"], key=match["key"], part=base64.b64decode(match["part"]), **numbers)


def combine(parts: Sequence[Part]) -> bytes:
    """The key that was split. Raises ConfigurationError where these are not enough, or do not belong together."""
    different = {part.number: part for part in parts}
    one = parts[0]
    if len({(part.set, part.key, part.needed) for part in parts}) != 1:
        raise ConfigurationError("these parts are not of one set")
    if len(different) < one.needed:
        raise ConfigurationError(f"{one.needed} different parts are needed, and here are {len(different)}")
    chosen = [different[number] for number in sorted(different)][: one.needed]
    key = bytes(_at_zero([(part.number, part.part[place]) for part in chosen]) for place in range(KEY_BYTES))
    if fingerprint(key) != one.key:
        raise ConfigurationError("these parts do not give the key of which they say to be parts")
    return key


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_CHECKSUM]


def _at(x: int, coefficients: Sequence[int]) -> int:
    """The polynomial's value; the first coefficient is the secret."""
    value = 0
    for coefficient in reversed(coefficients):
        value = _times(value, x) ^ coefficient
    return value


def _at_zero(points: Sequence[tuple[int, int]]) -> int:
    """Lagrange's interpolation."""
    value = 0
    for x, y in points:
        term = y
        for other, _ in points:
            if other != x:
                term = _times(term, _times(other, _inverse(other ^ x)))
        value ^= term
    return value


def _times(one: int, other: int) -> int:
    product = 0
    while other:
        if other & 1:
            product ^= one
        one <<= 1
        if one & 0x100:
            one ^= _POLYNOMIAL
        other >>= 1
    return product


def _inverse(value: int) -> int:
    """Its 254th power: the product of its 2nd, 4th … 128th."""
    result = 1
    for _ in range(7):
        value = _times(value, value)
        result = _times(result, value)
    return result
