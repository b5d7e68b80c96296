"""Keep, restrict or purge: what becomes of something recorded, by the order of precedence of the terms.

Never-record (nothing exists to hold) ▸ legal hold ▸ platform deletion and erasure ▸ retention floor ▸ retention ceiling.
What a hold keeps back, though it should go, is restricted: nobody sees it, nothing carries it, and it goes when the hold
is lifted. The floor (VT-5) is met by records without content; it never keeps content that an erasure or a platform
deletion removes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec


class Duty(StrEnum):
    """What asks for something to stay or to go. Stable words: logs, receipts and decision records use them."""

    NEVER_RECORD = "never_record"
    LEGAL_HOLD = "legal_hold"
    PLATFORM_DELETION = "platform_deletion"
    ERASURE = "erasure"
    RETENTION_FLOOR = "retention_floor"
    RETENTION_CEILING = "retention_ceiling"


CLAUSES: Final[dict[Duty, tuple[str, ...]]] = {
    Duty.NEVER_RECORD: ("SM-6", "PP-3"),
    Duty.LEGAL_HOLD: ("VT-3",),
    Duty.PLATFORM_DELETION: ("SM-9", "SM-10"),
    Duty.ERASURE: ("PP-6", "PP-8"),
    Duty.RETENTION_FLOOR: ("VT-5",),
    Duty.RETENTION_CEILING: ("VT-5", "PP-7"),
}
"""The clauses of the terms that each duty serves."""

_GOES: Final = frozenset({Duty.NEVER_RECORD, Duty.PLATFORM_DELETION, Duty.ERASURE, Duty.RETENTION_CEILING})
_PRECEDENCE: Final = tuple(Duty)
_EQUAL: Final = frozenset({Duty.PLATFORM_DELETION, Duty.ERASURE})


class Fate(StrEnum):
    """What is done."""

    KEEP = "keep"
    RESTRICT = "restrict"
    PURGE = "purge"


class Disposal(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: what is done, the duty that decided, and those that it overruled, for the log.

    ``because`` is None where nothing asked for anything.
    """

    fate: Fate
    because: Duty | None = None
    overruled: tuple[Duty, ...] = ()


def disposal(duties: frozenset[Duty], *, content: bool = True) -> Disposal:
    """What becomes of something that all of these duties concern.

    ``content``: whether it is what somebody said; what is not (tombstones, decision records, counters) is no platform's to
    delete and no person's to have erased, and is what meets the floor.
    """
    concerned = duties if content else duties - {Duty.PLATFORM_DELETION, Duty.ERASURE, Duty.NEVER_RECORD}
    ranked = [duty for duty in _PRECEDENCE if duty in concerned]
    if not ranked:
        return Disposal(fate=Fate.KEEP)
    first = ranked[0]
    overruled = tuple(_overruled(first, ranked[1:]))
    if first in _GOES:
        return Disposal(fate=Fate.PURGE, because=first, overruled=overruled)
    # A hold keeps what would stay anyway as it is; only what would go is hidden.
    hidden = first is Duty.LEGAL_HOLD and content and any(duty in _EQUAL for duty in ranked)
    return Disposal(fate=Fate.RESTRICT if hidden else Fate.KEEP, because=first, overruled=overruled)


def _overruled(first: Duty, others: list[Duty]) -> Iterator[Duty]:
    """Those that asked for the opposite."""
    return (duty for duty in others if (duty in _GOES) is not (first in _GOES))
