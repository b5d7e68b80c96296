"""What a tenant's register would need for a text to pass: drawn from texts that a person released."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from policies.message import Private
from policies.screening.context import Register, is_shared
from policies.screening.model import shipped_model
from policies.screening.numbers import digits_of, same_number
from policies.screening.ownership import owns_host
from policies.screening.reading import read


class Lesson(Private, frozen=True, kw_only=True):
    """Additions to ``[sms]`` of the tenant's file, each once, in the order in which the texts show them."""

    hosts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()


def lesson(texts: Iterable[str], register: Register) -> Lesson:
    """What these texts lead to that the register does not hold, and the texts themselves with slots for digits and links.

    A host that everybody may have a page on (a shortener, a chat application) is never proposed: who owns it owns nothing.
    """
    hosts: dict[str, None] = {}
    numbers: dict[str, None] = {}
    templates: dict[str, None] = {}
    for text in texts:
        reading = read(text, shipped_model().vocabulary)
        for link in reading.links:
            if not link.mail and not is_shared(link.host) and not owns_host(register, link):
                hosts[link.domain] = None
        for number in reading.numbers:
            if not number.masked and not any(same_number(number.digits, own) for own in register.numbers):
                numbers[digits_of(number.digits)] = None
        template = _template(text)
        if template is not None:
            templates[template] = None
    return Lesson(hosts=tuple(hosts), numbers=tuple(numbers), templates=tuple(templates))


def _template(text: str) -> str | None:
    """The text with slots; None where it has braces of its own or nothing in it ever changes."""
    if "{" in text or "}" in text:
        return None
    slotted = _DIGITS.sub("{digits}", _LINK.sub("{url}", " ".join(text.split())))
    return slotted if slotted != text else None


_LINK: Final = re.compile(r"https?://[!-~]{4,200}")
_DIGITS: Final = re.compile(r"(?<![\w{])[0-9]{2,12}(?![\w}])")
