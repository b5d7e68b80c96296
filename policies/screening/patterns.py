"""Patterns that tenants write: RE2, whose time is linear in the text whatever the pattern is; and typed templates."""

from __future__ import annotations

import re
from typing import Final, Protocol

import re2


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str) -> object | None:
        """A match anywhere, or None."""

    def fullmatch(self, text: str) -> object | None:
        """A match of the whole text, or None."""


MEMORY: Final = 1 << 20
"""Bytes that one compiled pattern may take."""


def pattern(written: str) -> Pattern:
    """Compile a pattern. Raises ValueError, which does not quote it."""
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    options.case_sensitive = False
    try:
        compiled: Pattern = re2.compile(written, options)
    except re2.error:
        raise ValueError("this is no RE2 pattern, or too large a one") from None
    return compiled


def template(written: str) -> Pattern:
    """Compile a template such as ``Your code is {digits}``; a slot takes only what its type names.

    Slots: ``digits``, ``amount``, ``date``, ``time``, ``word``, ``name``, ``code``, ``url``. Raises ValueError for another.
    """
    pieces = _SLOT.split(written)
    if any(name not in _SLOTS for name in pieces[1::2]):
        raise ValueError(f"a template has the slots {', '.join(_SLOTS)}")
    parts = [re.escape(piece) if index % 2 == 0 else _SLOTS[piece] for index, piece in enumerate(pieces)]
    return pattern(r"(?s)\s*" + "".join(parts) + r"\s*")


_SLOT: Final = re.compile(r"\{(\w+)\}")
_SLOTS: Final = {
    "digits": r"[0-9]{1,12}",
    "amount": r"[$£€₹]?\s?[0-9][0-9.,\s]{0,12}\s?(?:[$£€₹]|[A-Za-z]{3})?",
    "date": r"[\p{L}0-9.,/\s-]{4,24}",
    "time": r"[0-9]{1,2}[:.h]?[0-9]{0,2}\s?(?:[aApP][mM]|Uhr|h)?",
    "word": r"[\p{L}0-9'-]{1,24}",
    "name": r"\p{L}[\p{L}.'-]{0,24}(?: \p{L}[\p{L}.'-]{0,24}){0,3}",
    "code": r"[A-Za-z0-9-]{2,24}",
    "url": r"https?://[!-~]{4,200}",
}
