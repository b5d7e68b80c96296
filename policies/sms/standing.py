"""A sender's standing with its platform: which of what was told about it keeps it from sending."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.event import AccountAspect, AccountState

STOPPING: Final = (
    AccountState.REVOKED,
    AccountState.SUSPENDED,
    AccountState.RESTRICTED,
    AccountState.UNREVIEWED,
)
"""Standings in which nothing is sent, the worst first."""

ABOUT_SENDING: Final = (AccountAspect.ACCOUNT, AccountAspect.PHONE_NUMBER, AccountAspect.AUTHORISATION)
"""Aspects that stop everything; a template that is refused stops nothing else."""

MOVING: Final = frozenset({AccountState.ACTIVE, *STOPPING})
"""States that are a standing. A notice, and a word that no table knows, leave it as it was."""


def worst(states: Iterable[AccountState]) -> AccountState:
    """The standing that comes of several aspects: one that stops is enough."""
    found = set(states)
    return next((state for state in STOPPING if state in found), AccountState.ACTIVE)
