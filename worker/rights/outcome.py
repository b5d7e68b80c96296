"""The execution log: what was found and done for each identifier of a request. It names fields, never values."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What became of one identifier. ``HINT``: a name leads to nobody by itself."""

    FOUND = "found"
    EXPORTED = "exported"
    ERASED = "erased"
    RECTIFIED = "rectified"
    RESTRICTED = "restricted_by_hold"
    NOT_FOUND = "not_found"
    HINT = "hint"


class Status(StrEnum):
    """How far a request is: the seven words of the Genesys Cloud GDPR API."""

    INITIATED = "INITIATED"
    SEARCHING = "SEARCHING"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    FINALIZING = "FINALIZING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier: the field that gave it, in how many conversations it was found, what was done."""

    field: str
    outcome: Outcome
    conversations: int = 0


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is of a person, or how much was dealt with."""

    conversations: int = 0
    messages: int = 0
    restricted: int = 0
    identifiers: int = 0
    consents: int = 0
    opt_outs: int = 0
    files: int = 0
    files_left: int = 0
