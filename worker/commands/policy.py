"""``sluicegate policy``: which rules there are, and what their words mean."""

from __future__ import annotations

import inspect
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from connectors.registry import CONNECTORS
from policies.digest import policy_digest
from policies.reasons import CLAUSES, WORDS
from policies.reference import Row, rows
from policies.rules import GATES, RULE_PACK
from policies.sms.policy import Prepared
from policies.verdict import ReasonCode
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.plain import plain
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.simulation import Judgement, differences, simulate
from worker.tenants.file import read_tenant
from worker.tenants.loading import Tenant, load_all

app = typer.Typer(
    help="List the rules, explain reason codes, try another policy.",
    no_args_is_help=True,
    add_completion=False,
)

TenantId = Annotated[str, typer.Argument(help="The tenant's id.")]
Candidate = Annotated[Path, typer.Option("--with", help="A tenant file with the policy to try.")]
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


@app.command()
def diff(tenant: TenantId, candidate: Candidate, *, json: AsJson = False) -> None:
    """Show which settings of a tenant another file would change, and both policy digests."""
    before, after = _versions(tenant, candidate)
    found = differences(before, after)
    if json:
        told = [{"setting": name, "before": one, "after": other} for name, one, other in found]
        typer.echo(
            msgspec.json.encode({"digests": [before.policy_digest, after.policy_digest], "changes": told})
        )
        return
    typer.echo(f"policy {before.policy_digest} -> {after.policy_digest}")
    for name, one, other in found:
        typer.echo(plain(f"  {name}: {_value(one)} -> {_value(other)}"))
    if not found:
        typer.echo("  the same settings")


@app.command("simulate")
def simulate_(tenant: TenantId, candidate: Candidate, *, json: AsJson = False) -> None:
    """Judge everything that is stored under another file's policy; say what would change. Nothing is changed.

    Messages are decrypted in memory; what is printed are counts and words, never content.
    """
    before, after = _versions(tenant, candidate)
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        found = simulate(tx, opened.keyring, before, after, wall_clock())
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    typer.echo(f"{found.messages} messages judged, {found.changed} would be judged otherwise")
    if found.withheld:
        typer.echo(f"{found.withheld} were left out: they are sensitive, and nobody consented to such a use")
    for change, count in found.changes:
        place = f"{change.channel} {change.direction} {change.kind}"
        typer.echo(plain(f"  {count:>7}  {place}: {_judgement(change.before)} -> {_judgement(change.after)}"))


def _judgement(one: Judgement) -> str:
    return one.outcome + (f" ({', '.join(one.reasons)})" if one.reasons else "")


def _value(value: Any) -> str:
    return "absent" if value is None else msgspec.json.encode(value).decode()


def _versions(tenant: str, candidate: Path) -> tuple[Tenant, Tenant]:
    """The tenant in force, and as it would be with the candidate's policy."""
    version = load_all(tenant_source(load_settings())).versions.get(tenant)
    if version is None:
        raise ConfigurationError(
            f"there is no tenant {plain(tenant)} in service: see `sluicegate tenants check`"
        )
    try:
        text = candidate.read_bytes()
    except OSError:
        raise ConfigurationError(f"{plain(str(candidate))} cannot be read") from None
    entry, problems = read_tenant(candidate.name, text, CONNECTORS)
    if entry is None:
        raise ConfigurationError(*map(str, problems))
    before = version.tenant
    others = before.sms.register.others if before.sms is not None else frozenset[str]()
    after = msgspec.structs.replace(
        before,
        policy=entry.policy,
        policy_digest=policy_digest(entry.policy, entry.sms),
        sms=Prepared.of(entry.sms, others) if entry.sms is not None else None,
    )
    return before, after


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
