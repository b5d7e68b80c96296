"""Check digits and dates, as several kinds share them. Strings of digits in, a verdict out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: cards, Canadian SIN."""
    plain = sum(map(int, digits[-1::-2]))
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (plain + doubled) % 10 == 0


def weighted(digits: str, weights: Iterable[int]) -> int:
    """The sum of the digits, each times its weight; digits without a weight do not count."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def verhoeff(digits: str) -> bool:
    """Verhoeff 1969, over the dihedral group of ten elements: Aadhaar."""
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = _times(check, _PERMUTED[position % 8][int(digit)])
    return check == 0


def mod_11_10(digits: str) -> bool:
    """ISO/IEC 7064, hybrid system MOD 11,10: German tax id."""
    product = 10
    for digit in digits[:-1]:
        product = 2 * ((product + int(digit)) % 10 or 10) % 11
    return (product + int(digits[-1])) % 10 == 1


def is_day(month: int, day: int) -> bool:
    """Whether some year has this day."""
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def looks_like_a_date(digits: str) -> bool:
    """``20260131`` and ``31012026``, of this century or the last: where any eight digits would do, these do not."""
    return _DATE.fullmatch(digits) is not None


def all_same(digits: str) -> bool:
    """``111111111``: many check digits hold for these, and nobody has one."""
    return len(set(digits)) == 1


def _times(one: int, other: int) -> int:
    """The product of two elements of the dihedral group: 0 to 4 turn, 5 to 9 turn and flip."""
    turned = one + other if one < 5 else one - other
    return turned % 5 if (one < 5) == (other < 5) else turned % 5 + 5


def _permutations() -> tuple[tuple[int, ...], ...]:
    found = [tuple(range(10))]
    for _ in range(7):
        found.append(tuple(_FIRST[digit] for digit in found[-1]))
    return tuple(found)


_DATE: Final = re.compile(r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d|[0-3]\d[01]\d(?:19|20)\d\d")
_FIRST: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_PERMUTED: Final = _permutations()
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
