"""Exceptions as logs may show them: types and places. Their texts may hold what came from outside."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from pathlib import PurePath
from types import TracebackType
from typing import Final

from worker.log.lines import FaultLine, Level, Place

_MOST_FRAMES: Final = 12
_MOST_CAUSES: Final = 4
_OURS: Final = frozenset({"worker", "connectors", "policies"})
_STANDARD_LIBRARY: Final = f"python3.{sys.version_info.minor}"


def fault(place: Place, error: BaseException, affected: int = 0) -> FaultLine:
    """The log line for something unexpected."""
    return FaultLine(
        level=Level.ERROR,
        place=place,
        exception=exception_types(error),
        frames=frames(error.__traceback__),
        affected=affected,
    )


def exception_types(error: BaseException | None) -> str:
    """The type's name and those of its causes, such as ``OperationalError < TimeoutError``."""
    return " < ".join(type(one).__name__ for one, _ in zip(_chain(error), range(_MOST_CAUSES), strict=False))


def frames(trace: TracebackType | None) -> list[str]:
    """The innermost places of a traceback, such as ``worker/ledger.py:120``, outermost first."""
    summary = traceback.walk_tb(trace)
    places = [f"{short_path(frame.f_code.co_filename)}:{line}" for frame, line in summary]
    return places[-_MOST_FRAMES:]


def short_path(path: str) -> str:
    """A source file below its package: no directory of this machine."""
    parts = PurePath(path).parts
    for root in ("site-packages", "dist-packages", _STANDARD_LIBRARY):
        if root in parts:
            return "/".join(parts[parts.index(root) + 1 :])
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] in _OURS:
            return "/".join(parts[at:])
    return "/".join(parts[-2:])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
