"""``sluicegate policy``: which rules there are, and what their words mean."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from policies.gate import Rule
from policies.rules import GATES, RULE_PACK
from policies.verdict import ReasonCode
from worker.errors import ConfigurationError
from worker.plain import plain

app = typer.Typer(help="List the rules, explain reason codes.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_WITHOUT_RULE: Final = {
    ReasonCode.POLICY_ERROR: "A rule failed on this message. Before record that reduces it to a shape; later it is"
    " withheld. The log has a line of kind fault."
}


class RuleWords(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is shown."""

    gate: str
    rule: str
    clauses: tuple[str, ...]
    reasons: tuple[str, ...]
    summary: str
    words: str


@app.command("list")
def list_(*, json: AsJson = False) -> None:
    """List every rule in the order in which a message meets it, with the clauses that it serves."""
    rules = list(_rules())
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
    word: Annotated[str, typer.Argument(help="A reason code or a rule's name.")], *, json: AsJson = False
) -> None:
    """Say which rules give a reason, or what a rule does and which clauses it serves."""
    found = [rule for rule in _rules() if word == rule.rule or word in rule.reasons]
    alone = {str(code): words for code, words in _WITHOUT_RULE.items()}.get(word)
    if not found and alone is None:
        raise ConfigurationError(_unknown(word))
    if json:
        typer.echo(msgspec.json.encode({"rules": found, "words": alone}))
        return
    console = Console(highlight=False, markup=False)
    if alone is not None:
        console.print(alone)
    for rule in found:
        console.print(_heading(rule))
        console.print(f"gate {rule.gate}; reason codes: {', '.join(rule.reasons)}\n")
        console.print(rule.words)


def _heading(rule: RuleWords) -> Text:
    return Text.assemble((rule.rule, "bold cyan"), "  ", (" ".join(rule.clauses), "dim"))


def _rules() -> Iterator[RuleWords]:
    for gate, table in GATES.items():
        for rule in table:
            words = _words(rule)
            yield RuleWords(
                gate=gate,
                rule=rule.name,
                clauses=rule.clauses,
                reasons=tuple(str(code) for code in rule.codes),
                summary=words.partition("\n")[0],
                words=words,
            )


def _words(rule: Rule) -> str:
    """The rule's module says in its first line what it does; paragraphs are unwrapped."""
    module = inspect.getmodule(rule.check)
    text = inspect.cleandoc((module and module.__doc__) or "").replace("``", "")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _unknown(word: str) -> str:
    known = {*(rule.rule for rule in _rules()), *map(str, ReasonCode)}
    alike = get_close_matches(word, sorted(known), n=1)
    hint = f"; is {alike[0]} meant?" if alike else "; `sluicegate policy list` shows them"
    return f"there is no rule or reason {plain(word)}{hint}"
