"""A log for tests that keeps its lines in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from worker.log.lines import Line
from worker.log.writer import Log

NOW = 1_795_253_400_000_000
"""2026-11-21T09:30:00Z in microseconds."""

Kind = TypeVar("Kind", bound=Line)


class Collected(Log):
    """Nothing is written anywhere; ``lines`` are what was said so far."""

    def __init__(self) -> None:
        super().__init__(-1, lambda: NOW)
        self.lines: list[Line] = []

    def emit(self, line: Line) -> None:
        self.lines.append(line)

    def emit_all(self, lines: Sequence[Line]) -> None:
        self.lines += lines

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The lines of one kind."""
        return [line for line in self.lines if isinstance(line, kind)]
