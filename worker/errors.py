"""What can go wrong before and around the work. Texts are plain sentences without values from outside.

SluicegateError
├── ConfigurationError   exit 2: somebody has to change settings, files or keys
├── Unavailable          exit 1: something this process needs does not answer
└── Failed               exit 1: what was checked is not right
"""

from __future__ import annotations

from collections.abc import Sequence


class SluicegateError(Exception):
    """One or more sentences for the operator, and the exit code that they mean."""

    exit_code = 1

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences: Sequence[str] = sentences


class ConfigurationError(SluicegateError):
    """The configuration cannot work as it stands; every error that was found is named at once."""

    exit_code = 2


class Failed(SluicegateError):
    """What was checked is not right: a receipt, a chain, a backup."""


class Unavailable(SluicegateError):
    """The store or a port that is needed cannot be had now; the same start may work later."""
