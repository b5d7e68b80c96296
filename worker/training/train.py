"""``sluicegate-train``: the model file, to the byte, from the written texts and the public collections."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from policies.screening.features import SIZE
from policies.screening.model import Head, Header
from worker.training.collections import ABUSE, FRAUD, chosen_rows, own_abuse, own_fraud, public
from worker.training.examples import Labelled, abuse_example, fraud_examples, vocabulary
from worker.training.solver import solve

FRAUD_COST: Final = 0.02
ABUSE_COST: Final = 0.05
FRAUD_ROUNDS: Final = 8
ABUSE_ROUNDS: Final = 4
FRAUD_LEAST: Final = 3
ABUSE_LEAST: Final = 6

SHIFT: Final = {"fraud": 0.12, "abuse": -0.15}
"""Where a score is one half: chosen on business texts that did not train (docs/screening.md)."""

Progress = Callable[[str], None]


def main() -> None:
    """Run the command line."""
    typer.run(train)


def train(
    data: Annotated[Path, typer.Argument(help="Directory of the public collections.")],
    out: Annotated[Path, typer.Option(help="Where the model goes.")] = Path("model.bin"),
) -> None:
    """Train the screening model and write it with its digest (``.sha256``) beside it."""
    fraud = [*own_fraud(), *public(data, FRAUD, chosen_rows("rows.txt"))]
    harmless = [text for text in fraud if text.side < 0 and text.source != "own"]
    abuse = [*own_abuse(), *harmless, *public(data, ABUSE, chosen_rows("abuse_rows.txt"))]
    model = made(fraud, abuse, lambda words: typer.echo(words, err=True))
    out.write_bytes(model)
    out.with_suffix(".sha256").write_text(hashlib.sha256(model).hexdigest() + "\n", encoding="ascii")
    typer.echo(f"{out}: {len(model)} bytes")


def made(
    fraud: Sequence[Labelled], abuse: Sequence[Labelled], told: Progress, shift: dict[str, float] = SHIFT
) -> bytes:
    """The bytes of a model file."""
    words = vocabulary((labelled.text for labelled in fraud), FRAUD_LEAST)
    words = tuple(sorted({*words, *vocabulary((labelled.text for labelled in abuse), ABUSE_LEAST)}))
    known = frozenset(words)
    told(f"{len(words)} words, {len(fraud)} texts of fraud and business, {len(abuse)} of abuse")
    sorted_out = [
        example
        for labelled in fraud
        for example in fraud_examples(_costed(labelled, FRAUD_COST), known, SIZE)
    ]
    fraud_weights = solve(sorted_out, SIZE + 1, FRAUD_ROUNDS)
    told("fraud is told from business")
    abused = [abuse_example(_costed(labelled, ABUSE_COST), known, SIZE) for labelled in abuse]
    abuse_weights = solve(abused, SIZE + 1, ABUSE_ROUNDS)
    return packed(words, fraud_weights, abuse_weights, shift)


def _costed(labelled: Labelled, factor: float) -> Labelled:
    return Labelled(labelled.text, labelled.side, labelled.source, labelled.cost * factor)


def packed(
    words: Sequence[str], fraud: Sequence[float], abuse: Sequence[float], shift: dict[str, float]
) -> bytes:
    """Header, vocabulary and one signed byte for each weight."""
    spelled = " ".join(words).encode()
    heads: dict[str, Head] = {}
    tables = b""
    for name, weights in (("fraud", fraud), ("abuse", abuse)):
        largest = sorted(map(abs, weights[:-1]))[-max(1, len(weights) // 4096)] or 1.0
        table = array("b", (max(-127, min(127, round(weight / largest * 127))) for weight in weights[:-1]))
        heads[name] = Head(scale=largest / 127, bias=weights[-1] - shift[name], slope=1.0)
        tables += table.tobytes()
    header = Header(format=1, vocabulary=len(spelled), heads=heads, size=SIZE)
    return msgspec.json.encode(header) + b"\n" + spelled + tables
