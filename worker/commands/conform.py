"""``sluicegate conform``: a worker of its own is given a labelled corpus, and what it kept is judged."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from worker.conformance.exceptions import read_exceptions
from worker.conformance.labels import read_corpus
from worker.conformance.rig import Rig
from worker.conformance.run import Verdict, examine
from worker.plain import plain

SHIPPED = resources.files("worker") / "conformance" / "corpus"


def conform(
    directory: Annotated[
        Path | None, typer.Argument(help="A labelled corpus. Default: the one that ships with the product.")
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option(help="TOML file of labels that were shown to be wrong, with reasons.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the worker's files for you to look at.")
    ] = False,
) -> None:
    """Give a worker every labelled body of a corpus and judge what it kept, logged and answered.

    The worker is started for this alone, with fresh directories and keys; nothing of yours is touched.
    """
    signal.signal(signal.SIGTERM, _leave)
    corpus = read_corpus(directory or Path(str(SHIPPED)))
    excused = read_exceptions(exceptions) if exceptions else ()
    console = Console(stderr=True, highlight=False)
    with _directory(keep=keep) as place:
        verdict = examine(corpus, excused, Rig(place), lambda words: console.print(words, markup=False))
    if keep:
        console.print(f"the worker's files are in {place}", markup=False)
    print(msgspec.json.encode(verdict).decode() if json else told(verdict))  # noqa: T201 - the command's output
    raise typer.Exit(1 if verdict.failed else 0)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave as at Ctrl-C: the worker is ended and its files are removed on the way out."""
    raise SystemExit(128 + number)


def told(verdict: Verdict) -> str:
    """Each miss on a line, what was excused, and the counts on the last line."""
    lines = [f"{miss.label}: {miss.judgement}: {miss.detail}" for miss in verdict.misses]
    if verdict.excused:
        lines.append(f"{len(verdict.excused)} misses are excused by the exceptions")
    lines.append(f"{verdict.passed} passed, {verdict.failed} failed")
    return "\n".join(plain(line) for line in lines)


@contextmanager
def _directory(*, keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="sluicegate-conform-"))
        return
    with tempfile.TemporaryDirectory(prefix="sluicegate-conform-") as place:
        yield Path(place)
