"""Asking a platform for what it knows: options that are numbers, and why an answer is no answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from connectors.contract import HttpAnswer

_number = re.compile(r"[0-9]{1,7}\Z")


class Trouble(StrEnum):
    """Why a platform did not answer what it was asked."""

    THROTTLED = "throttled"
    UNAUTHORISED = "unauthorised"
    UNAVAILABLE = "unavailable"
    UNEXPECTED = "unexpected"


def number(options: Mapping[str, str], name: str, least: int, most: int) -> int:
    """An option that is a whole number. Raises ValueError, without values."""
    given = options[name]
    if _number.match(given) is None or not least <= int(given) <= most:
        raise ValueError(f"{name} as a whole number from {least} to {most}")
    return int(given)


def trouble(answer: HttpAnswer) -> Trouble | None:
    """What the status says; None for a success."""
    if answer.status == 429:
        return Trouble.THROTTLED
    if answer.status in {401, 403}:
        return Trouble.UNAUTHORISED
    if answer.status >= 500 or answer.status == 408:
        return Trouble.UNAVAILABLE
    return None if 200 <= answer.status < 300 else Trouble.UNEXPECTED
