"""Whose are the links and numbers of a text? What is not in the sender's register is somebody else's.

Needs no model, and no model could say it: a bank's alert and its forgery differ in nothing but where they lead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from policies.screening.action import Action
from policies.screening.context import Register
from policies.screening.lexicon import HOSTS
from policies.screening.links import Link
from policies.screening.numbers import Number, digits_of, same_number
from policies.verdict import ReasonCode

Found = tuple[ReasonCode, Action, int, int]
"""Code, action, start and end in the folded text."""


def foreign(
    text: str,
    links: Sequence[Link],
    numbers: Sequence[Number],
    register: Register,
    sender: str,
    *,
    lured: bool,
) -> Iterator[Found]:
    """What the folded text leads to and the register does not hold. ``lured``: the text promises something."""
    for link in links:
        if not owns_host(register, link):
            for code in _codes(text, link, register, lured=lured):
                yield code, Action.QUARANTINE, link.start, link.end
    own = {*register.numbers, digits_of(sender)} - {""}
    for number in numbers:
        if number.masked or not any(same_number(number.digits, mine) for mine in own):
            yield ReasonCode.NUMBER_FOREIGN, Action.QUARANTINE, number.start, number.end
            if number.chat:
                yield ReasonCode.CHAT_INVITE, Action.QUARANTINE, number.start, number.end


def owns_host(register: Register, link: Link) -> bool:
    """Whether the host, or the part of a shared host, is in the register."""
    if link.domain in register.domains or link.host in register.domains:
        return True
    prefixes = register.paths.get(link.host) or register.paths.get(link.host.removeprefix("www."))
    return prefixes is not None and any(_below(link.path, prefix) for prefix in prefixes)


def _below(path: str, prefix: str) -> bool:
    prefix = prefix.rstrip("/").lower()
    path = path.lower()
    return path == prefix or path.startswith((f"{prefix}/", f"{prefix}?"))


def _codes(text: str, link: Link, register: Register, *, lured: bool) -> Iterator[ReasonCode]:
    if link.mail:
        asked_to_write = _WRITE_TO.search(text, max(0, link.start - 110), link.start)
        if asked_to_write or (lured and link.domain in HOSTS["freemail"]):
            yield ReasonCode.EMAIL_FOREIGN
        return
    if link.host in HOSTS["chats"] or link.domain in HOSTS["chats"]:
        yield ReasonCode.CHAT_INVITE
    elif link.host in HOSTS["shorteners"] or link.domain in HOSTS["shorteners"]:
        yield ReasonCode.SHORTENER
    yield ReasonCode.URL_FOREIGN
    if link.ip:
        yield ReasonCode.URL_IP
    if link.punycode:
        yield ReasonCode.URL_PUNYCODE
    if link.hidden:
        yield ReasonCode.URL_HIDDEN
    if looks_like(link, register):
        yield ReasonCode.URL_LOOKALIKE


def looks_like(link: Link, register: Register) -> bool:
    """Whether the host wears the name of one of the tenant's own: as a part of it, or all but one letter."""
    parts = link.host.replace("-", ".").split(".")
    return any(
        len(label) > 4 and (any(label in part for part in parts) or any(_near(label, part) for part in parts))
        for label in register.labels
    )


def _near(one: str, two: str) -> bool:
    """Whether one letter was changed, added or left out, or two were swapped."""
    if abs(len(one) - len(two)) > 1 or one == two:
        return False
    first = next(
        (index for index, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two))
    )
    a, b = one[first:], two[first:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


# An address counts where the text asks to write to it; a customer's own, in a receipt, does not. (The pattern ends
# before the "@": the link begins behind it.)
_WRITE_TO: Final = re.compile(
    r"(?<![^\W_])(?:contact\w*|e-?mail|mail|write|reply|send|details?|info|via|reach|ecri\w+|envoy\w+|escrib\w+|envi\w+|"
    r"schreib\w*|send\w*|kontakt\w*)[\s:,.\-]{1,3}(?:[\w']+[\s:,]{1,2}){0,6}[\w.+\-]{1,64}(?:@|\s?[\[(]\s?at\s?[\])]\s?)$"
)
