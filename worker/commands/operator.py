"""Who runs a command, for the record."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from worker.acts import Operator
from worker.errors import ConfigurationError

By = Annotated[
    str | None, typer.Option("--by", help="Who does it: it stands on the record. Default: the user.")
]
Why = Annotated[str, typer.Option("--why", help="Why: it stands on the record.")]


def operator(by: str | None, why: str) -> Operator:
    """Who does something, and why. Default: the user that this process runs as. Raises ConfigurationError."""
    return Operator(name=by or _user(), why=why)


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        raise ConfigurationError("--by: say who does it") from None
