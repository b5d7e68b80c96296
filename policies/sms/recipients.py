"""Whether a number is one to which a text may go at all."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType, shortnumberinfo

from policies.message import IdentifierKind, Message
from policies.sms.numbers import E164, canonical, parsed
from policies.verdict import ReasonCode

_DIALLED: Final = re.compile(r"\+?[0-9]{2,6}")
_COSTLY: Final = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})


def recipient_of(message: Message) -> str:
    """The number that an outbound text goes to; empty where it names none, which is no number."""
    numbers = (one.value for one in message.person if one.kind is IdentifierKind.PHONE)
    return next(numbers, "")


def objection(recipient: str) -> ReasonCode | None:
    """What stands against a recipient, told before anything else is asked of it: its form, its plan, its price."""
    if _DIALLED.fullmatch(recipient) and _is_emergency(recipient.lstrip("+")):
        return ReasonCode.RECIPIENT_EMERGENCY
    if not E164.fullmatch(recipient):
        return _with_country_code(recipient) or ReasonCode.RECIPIENT_MALFORMED
    if canonical(recipient) != recipient:
        # Networks deliver it all the same: to somebody who opted out under the right spelling, or had enough.
        return ReasonCode.RECIPIENT_MALFORMED
    number = parsed(recipient)
    kind = phonenumbers.number_type(number) if number is not None else PhoneNumberType.UNKNOWN
    if kind in _COSTLY:
        return ReasonCode.RECIPIENT_PREMIUM
    if kind == PhoneNumberType.UNKNOWN:
        return _with_country_code(recipient) or ReasonCode.RECIPIENT_INVALID
    return None


@lru_cache(maxsize=1024)
def _is_emergency(digits: str, regions: tuple[str, ...] = ()) -> bool:
    """Whether it reaches the police, the fire brigade or an ambulance there, or anywhere if no place is said."""
    everywhere = regions or tuple(phonenumbers.SUPPORTED_REGIONS)
    return any(shortnumberinfo.is_emergency_number(digits, region) for region in everywhere)


def _with_country_code(recipient: str) -> ReasonCode | None:
    """An emergency number behind a country's code: +1 911."""
    if not re.fullmatch(r"\+[0-9]{3,9}", recipient):
        return None
    for length in (1, 2, 3):
        code, rest = recipient[1 : 1 + length], recipient[1 + length :]
        regions = tuple(phonenumbers.region_codes_for_country_code(int(code)))
        if regions and _is_emergency(rest, regions):
            return ReasonCode.RECIPIENT_EMERGENCY
    return None
