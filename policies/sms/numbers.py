"""Telephone numbers: E.164 as submitted, read with the numbering plans that are shipped (``phonenumbers``)."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def parsed(number: str) -> phonenumbers.PhoneNumber | None:
    """The number, or None for what is not written in E.164 or has no country's code. Some 15 µs."""
    if not E164.fullmatch(number):
        return None
    try:
        return phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None


def canonical(number: str) -> str:
    """The number in its one spelling: +44 07… and +44 7… are one telephone. What is no number stays as it is."""
    found = parsed(number)
    return number if found is None else phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def country(number: str) -> str | None:
    """The country of a number, if its numbering plan knows it; None for what is no number."""
    found = parsed(number)
    return None if found is None else phonenumbers.region_code_for_number(found)
