"""Labels that were shown to be wrong: each is named with the promise it breaks and the reason, and must be needed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import msgspec

from worker.conformance.judge import Miss
from worker.errors import ConfigurationError


class WrongLabels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each of these judgements of each of these labels is excused, for this reason."""

    labels: tuple[str, ...]
    judgements: tuple[str, ...]
    reason: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    exception: tuple[WrongLabels, ...] = ()


def read_exceptions(path: Path) -> tuple[WrongLabels, ...]:
    """The ``[[exception]]`` tables of ``path``. Raises ConfigurationError where they are malformed."""
    try:
        listed = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).exception
    except OSError:
        raise ConfigurationError(f"{path}: the exceptions cannot be read") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if any(not row.reason.strip() for row in listed):
        raise ConfigurationError(f"{path}: every exception needs a reason")
    return listed


def excuse(misses: Iterable[Miss], exceptions: Sequence[WrongLabels]) -> tuple[list[Miss], list[Miss]]:
    """The misses that stand, and those that are excused; an exception that excuses nothing is a miss itself."""
    named = {(label, word) for row in exceptions for label, word in product(row.labels, row.judgements)}
    standing: list[Miss] = []
    excused: list[Miss] = []
    for miss in misses:
        (excused if (miss.label, miss.judgement) in named else standing).append(miss)
    needed = {(miss.label, miss.judgement) for miss in excused}
    for label, judgement in sorted(named - needed):
        detail = f"the exception for {judgement} is not needed: take it out"
        standing.append(Miss(label=label, judgement="exception", detail=detail))
    return standing, excused
