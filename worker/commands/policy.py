"""``sluicegate policy``: which rules there are, and what their words mean."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from policies.reasons import CLAUSES, WORDS
from policies.reference import Row, rows
from policies.rules import GATES, RULE_PACK
from policies.verdict import ReasonCode
from worker.errors import ConfigurationError
from worker.plain import plain

app = typer.Typer(help="List the rules, explain reason codes.", no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_(*, json: AsJson = False) -> None:
    """List every rule in the order in which a message meets it, with the clauses that it serves."""
    rules = list(rows())
    if json:
        typer.echo(msgspec.json.encode({"pack": RULE_PACK, "rules": rules}))
        return
    console = Console(highlight=False, markup=False)
    console.print(f"rule pack {RULE_PACK}")
    for gate in GATES:
        console.print(Text(f"\n{gate}", "bold"))
        for rule in rules:
            if rule.gate == gate:
                console.print(Padding(_heading(rule), (0, 0, 0, 2)))
                console.print(Padding(rule.summary, (0, 0, 0, 6)))


@app.command()
def explain(
    word: Annotated[str, typer.Argument(help="A reason code, a rule's name, or a clause.")],
    *,
    json: AsJson = False,
) -> None:
    """Say which rules give a reason or serve a clause, or what a rule does and which clauses it serves."""
    found = [row for row in rows() if word == row.rule or word in row.reasons or word.upper() in row.clauses]
    meaning = _meaning(ReasonCode(word)) if word in set(ReasonCode) else None
    if not found and meaning is None:
        raise ConfigurationError(_unknown(word))
    if json:
        typer.echo(msgspec.json.encode({"rules": found, "words": meaning}))
        return
    console = Console(highlight=False, markup=False)
    if meaning is not None:
        console.print(meaning)
    for row in found:
        console.print(_heading(row))
        console.print(f"gate {row.gate}; reason codes: {', '.join(row.reasons)}\n")
        console.print(_words(row))


def _meaning(code: ReasonCode) -> str:
    """The reason's sentence, with its clauses where it has its own."""
    clauses = CLAUSES.get(code, ())
    return WORDS[code] + (f" ({', '.join(clauses)})" if clauses else "")


def _heading(row: Row) -> Text:
    return Text.assemble((row.rule, "bold cyan"), "  ", (" ".join(row.clauses), "dim"))


def _words(row: Row) -> str:
    """All that the rule's module says of it, paragraphs unwrapped."""
    checks = [rule.check for rule in GATES[row.gate] if rule.name == row.rule]
    module = inspect.getmodule(checks[0])
    text = inspect.cleandoc((module and module.__doc__) or "").replace("``", "")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _unknown(word: str) -> str:
    known = {*(row.rule for row in rows()), *map(str, ReasonCode)}
    alike = get_close_matches(word, sorted(known), n=1)
    hint = f"; is {alike[0]} meant?" if alike else "; `sluicegate policy list` shows them"
    return f"there is no rule or reason {plain(word)}{hint}"
