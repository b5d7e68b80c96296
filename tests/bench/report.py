"""The table that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.measure import Measurement

HEADINGS = (
    "what",
    "server",
    "durable/s",
    "ratio",
    "p50 ms",
    "p99 ms",
    "CPU-s/1000",
    "peak MB",
    "refused",
    "lost",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the circumstances, who, what was measured, and its rate in terms of the baseline."""

    circumstances: str
    name: str
    measured: Measurement
    ratio: float

    @property
    def keeps_rows(self) -> bool:
        """Whether this server stores anything."""
        return self.name != "acknowledge only"

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        one = self.measured
        return (
            self.circumstances,
            self.name,
            f"{one.rate:,.0f}",
            f"{self.ratio:.2f}",
            f"{one.p50:.1f}",
            f"{one.p99:.1f}",
            f"{one.cpu_per_1000:.3f}",
            f"{one.peak_megabytes:.0f}",
            str(one.refused),
            str(one.lost) if self.keeps_rows else "-",
        )


def print_table(rows: Sequence[Row]) -> None:
    """Print a Markdown table, aligned for the terminal."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
