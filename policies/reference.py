"""The rules as rows, for people: what ``docs/policy-reference.md`` and ``sluicegate policy list`` show."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from policies.gate import Rule
from policies.reasons import CLAUSES, WORDS
from policies.rules import GATES, RULE_PACK
from policies.verdict import ReasonCode

NOT_OF_A_RULE: Final = (ReasonCode.POLICY_ERROR, ReasonCode.LEGAL_HOLD, ReasonCode.OPT_OUT_UNCLEAR)
"""Reason codes that the tables do not name: a gate's own, a hold's, and what an inbound text's reading gives."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One rule at its place: ``order`` counts from 1 within its gate; ``test`` is the file that proves it."""

    gate: str
    order: int
    rule: str
    summary: str
    clauses: tuple[str, ...]
    reasons: tuple[str, ...]
    channels: tuple[str, ...]
    directions: tuple[str, ...]
    test: str


def rows() -> Iterator[Row]:
    """Every rule of every gate, in the order in which they are asked."""
    for gate, table in GATES.items():
        for order, rule in enumerate(table, start=1):
            yield _row(gate, order, rule)


def page() -> str:
    """The reference as Markdown."""
    every = tuple(rows())
    return "\n".join(
        (
            "# Policy reference",
            "",
            "Generated from the tables in `policies/rules/__init__.py` by",
            "`python -m tests.architecture.policy_reference`; a test fails when this page is stale. Do not edit it.",
            "",
            f"Rule pack `{RULE_PACK}`. The clauses are those of the terms that this product serves: SM social and",
            "third-party messaging, VT voice service third-party terms, PP privacy policy.",
            "",
            "## Clause → rule → reason → test",
            "",
            *_table(("clause", "rule", "reason", "test"), _by_clause(every)),
            "",
            "## The gates, in the order in which a message meets them",
            *_gates(every),
            "",
            "## The reasons of outbound texts",
            "",
            "Where a rule has several reasons, each serves clauses of its own.",
            "",
            *_table(("reason", "clauses", "meaning"), _meanings()),
            "",
            "## Reasons that no rule gives",
            "",
            *_table(("reason", "meaning"), ((f"`{code.value}`", WORDS[code]) for code in NOT_OF_A_RULE)),
            "",
        )
    )


def clause_order(clause: str) -> tuple[str, tuple[int, ...]]:
    """Sorts SM-9 before SM-10."""
    family, _, number = clause.partition("-")
    return family, tuple(map(int, re.findall(r"\d+", number)))


def _row(gate: str, order: int, rule: Rule) -> Row:
    text = sys.modules[rule.check.__module__].__doc__ or ""
    return Row(
        gate=gate,
        order=order,
        rule=rule.name,
        summary=text.partition("\n")[0],
        clauses=rule.clauses,
        reasons=tuple(code.value for code in rule.codes),
        channels=tuple(sorted(channel.value for channel in rule.channels)),
        directions=tuple(sorted(direction.value for direction in rule.directions)),
        test=f"tests/policies/test_{rule.name}.py",
    )


def _by_clause(every: tuple[Row, ...]) -> Iterator[Iterable[str]]:
    clauses = {clause for row in every for clause in row.clauses}
    for clause in sorted(clauses, key=clause_order):
        for row in every:
            if clause in row.clauses:
                yield clause, f"`{row.rule}`", _code(row.reasons), f"[{row.test}](../{row.test})"


def _gates(every: tuple[Row, ...]) -> Iterator[str]:
    for gate in GATES:
        yield from ("", f"### {gate}", "")
        within = [row for row in every if row.gate == gate]
        if within:
            yield from _table(("order", "rule", "what it does", "reason"), map(_numbered, within))
        else:
            yield "No rules yet."


def _meanings() -> Iterator[tuple[str, str, str]]:
    for code, clauses in CLAUSES.items():
        yield f"`{code.value}`", ", ".join(clauses), WORDS[code]


def _numbered(row: Row) -> tuple[str, str, str, str]:
    return str(row.order), f"`{row.rule}`", row.summary, _code(row.reasons)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], body: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for cells in body:
        yield f"| {' | '.join(cells)} |"
