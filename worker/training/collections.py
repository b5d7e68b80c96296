"""The public collections that may train the shipped model, read where the user keeps them; rows are chosen by digest.

Their texts are not in this repository: ``rows.txt`` holds a digest of each text that trains.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from worker.errors import ConfigurationError
from worker.training.examples import Labelled
from worker.training.slots import filled

VARIANTS: Final = 3
"""So many times each written text is filled."""

LANGUAGES: Final = ("en", "fr", "es", "de")

Row = Mapping[str, str]


class Collection(msgspec.Struct, frozen=True):
    """A file of a public collection, and which of its rows may ship in what is trained from them."""

    file: str
    side: Callable[[Row], int]
    ships: Callable[[Row], bool]
    ham_cost: float
    spam_cost: float


def _label(row: Row) -> int:
    return 1 if row["label"] == "spam" else -1


FRAUD: Final = (
    Collection("uci_dev.csv", _label, lambda _: True, 2.0, 5.0),
    Collection(
        "legit_business_dev.csv",
        _label,
        lambda row: row["source"] in {"authored", "parse-otp-message"},
        2.0,
        0.0,
    ),
)
ABUSE: Final = (
    Collection(
        "abuse_davidson_dev.csv", lambda row: -1 if row["label"] == "neither" else 1, lambda _: True, 2.0, 1.0
    ),
)


class Written(msgspec.Struct, frozen=True):
    """A text of ``texts/``, with its slots."""

    label: str
    kind: str
    text: str
    lang: str = ""


def written() -> Iterator[Written]:
    """The texts that were written for the screening."""
    folder = resources.files("worker.training") / "texts"
    for lang in LANGUAGES:
        for line in folder.joinpath(f"{lang}.jsonl").read_text("utf-8").splitlines():
            yield msgspec.structs.replace(msgspec.json.decode(line, type=Written), lang=lang)


def own_fraud() -> Iterator[Labelled]:
    """The written texts, filled, as examples of fraud and spam against business."""
    for text in written():
        side = {"ham": -1, "spam": 1, "hoax": 1}.get(text.label)
        if side is not None:
            for variant in range(VARIANTS):
                yield Labelled(filled(text.text, text.lang, variant).text, side, "own", 2.0)


def own_abuse() -> Iterator[Labelled]:
    """The written texts as examples of abuse against all others."""
    for text in written():
        side = 1 if text.label == "abuse" else -1
        yield Labelled(filled(text.text, text.lang, 0).text, side, "own", 4.0 if side > 0 else 2.0)


def digest(text: str) -> str:
    """What stands in ``rows.txt`` for a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def public(
    directory: Path, collections: tuple[Collection, ...], chosen: frozenset[str] | None
) -> list[Labelled]:
    """The rows of public collections that ship. Raises ConfigurationError where chosen rows are missing.

    ``chosen``: the digests of the rows that train; None takes every row that may ship, to choose from.
    """
    found: list[Labelled] = []
    for collection in collections:
        for row in _rows(directory / collection.file):
            if collection.ships(row) and (chosen is None or digest(row["text"]) in chosen):
                side = collection.side(row)
                cost = collection.spam_cost if side > 0 else collection.ham_cost
                found.append(Labelled(row["text"], side, collection.file, cost))
    if chosen is not None:
        missing = len(chosen - {digest(labelled.text) for labelled in found})
        if missing:
            raise ConfigurationError(f"{missing} of {len(chosen)} rows are missing in {directory}")
    return found


def chosen_rows(name: str) -> frozenset[str]:
    """The digests of a list of rows that ships."""
    return frozenset((resources.files("worker.training") / name).read_text("ascii").split())


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError:
        raise ConfigurationError(f"{path}: the collection cannot be read") from None
