"""Phone numbers in any spelling, and the forms under which channels know them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from worker.rights.errors import RightsRefused

_PREFIX: Final = re.compile(r"\s*(?:tel:|sms:|whatsapp:)?\s*(?=[+(\d\uff0b])", re.IGNORECASE)
# WhatsApp goes on calling some people by the number that they had before their country changed its plan.
_OTHER_PLANS: Final = (
    (re.compile(r"521(\d{10})"), r"52\1"),
    (re.compile(r"52(\d{10})"), r"521\1"),
    (re.compile(r"549(\d{10})"), r"54\1"),
    (re.compile(r"54(?!9)(\d{10})"), r"549\1"),
    (re.compile(r"55(\d\d)9([6-9]\d{7})"), r"55\1\2"),
    (re.compile(r"55(\d\d)([6-9]\d{7})"), r"55\g<1>9\2"),
)


def international(given: str, region: str | None = None, where: str = "") -> str:
    """The number in E.164. ``region`` (``US``) is that of numbers without a country's code. Raises RightsRefused.

    Without one, nobody guesses: the digits of a number at home are those of somebody else's number abroad.
    """
    text = _PREFIX.sub("", given, count=1).strip()
    if text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise RightsRefused("bad_phone", where) from None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def forms(e164: str) -> list[str]:
    """How channels write it: with the plus (texts) and without (WhatsApp), in the country's older plans too."""
    return [form for digits in _plans(e164.removeprefix("+")) for form in (f"+{digits}", digits)]


def _plans(digits: str) -> Iterator[str]:
    yield digits
    for known, other in _OTHER_PLANS:
        if known.fullmatch(digits):
            yield known.sub(other, digits)
