"""What screening asks for."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What is done with a text, from the mildest to the strictest."""

    PASS = "pass"  # noqa: S105 - no password
    QUARANTINE = "quarantine"
    BLOCK = "block"
