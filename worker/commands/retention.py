"""``sluicegate retention``: what is kept until when, and taking away what is due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from policies.retention import Retention
from worker.acts import Operator, record_act
from worker.errors import ConfigurationError
from worker.opening import Opened, open_all
from worker.plain import plain
from worker.retention import offboard, persons, purge
from worker.retention.means import Means
from worker.retention.overview import Kept, Overview, overview
from worker.retention.purge import Judge
from worker.retention.run import Tended, policy_of, tend
from worker.retention.space import give_back
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.store import decisions, retention
from worker.store.retention import Offboarding
from worker.tenants.loading import Tenant, load_all
from worker.transcripts import iso

app = typer.Typer(help="Show what is kept until when; take away what is due.", no_args_is_help=True)

OneTenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="One tenant's id; default: every tenant.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Everybody = dict[str, tuple[Tenant | None, Offboarding | None]]


@app.command()
def show(tenant: OneTenant = None, *, json: AsJson = False) -> None:
    """Show what is kept until when, by channel and class of content, with counts."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        means = means_of(opened)
        found = [_overview(means, id_, *one) for id_, one in _everybody(opened, tenant).items()]
    if json:
        print(msgspec.json.encode([_told(one) for one in found]).decode())  # noqa: T201 - the command's output
        return
    console = Console(highlight=False)
    for one in found:
        for line in _lines(one):
            console.print(Text(plain(line)), soft_wrap=True)


@app.command()
def run(
    tenant: OneTenant = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go; change nothing.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who does it: it stands on the record.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why: it stands on the record.")] = "",
) -> None:
    """Take away what is due now (the worker does so on a schedule)."""
    operator = None if dry_run else operator_of(by, why)
    with closing(open_all(load_settings(), migrate=False)) as opened:
        means = means_of(opened)
        for id_, (one, offboarding) in _everybody(opened, tenant).items():
            if operator is None:
                typer.echo(_due(means, id_, one, offboarding))
                continue
            _record(means, id_, operator)
            typer.echo(_done(tend(means, id_, one, offboarding)))
        if operator is not None and not give_back(means):
            typer.echo(
                "somebody reads the log of the database all the time: its space is returned by a later run"
            )


def means_of(opened: Opened) -> Means:
    """What retention works with, by this machine's clock."""
    return Means(store=opened.store, keyring=opened.keyring, signing=opened.signing, clock=wall_clock)


def operator_of(by: str, why: str) -> Operator:
    """Who does something, and why. Raises ConfigurationError where either is missing."""
    if not by.strip() or not why.strip():
        raise ConfigurationError("--by and --why: say who does it, and why; or --dry-run")
    return Operator(name=by, why=why)


def _everybody(opened: Opened, only: str | None) -> Everybody:
    serving = {one.id: one for one in load_all(tenant_source(load_settings())).serving}
    with opened.store.reading() as tx:
        offboardings = retention.all_offboardings(tx)
        known = sorted({*serving, *offboardings, *decisions.tenants(tx)})
    chosen = [id_ for id_ in known if only in (None, id_)]
    if only is not None and not chosen:
        raise ConfigurationError(f"there is no tenant {plain(only)}, neither in service nor in the store")
    return {id_: (serving.get(id_), offboardings.get(id_)) for id_ in chosen}


def _record(means: Means, tenant: str, operator: Operator) -> None:
    act = partial(record_act, action="retention_run", about=tenant.encode(), operator=operator)
    means.transact(lambda tx: act(tx, means.keyring, tenant, now=means.clock()))


def _overview(means: Means, id_: str, tenant: Tenant | None, offboarding: Offboarding | None) -> Overview:
    policy: Retention | None = policy_of(means, id_, tenant, offboarding)
    if tenant is None and offboarding is None:
        policy = None
    with means.store.reading() as tx:
        return overview(tx, id_, policy, offboarding)


def _due(means: Means, id_: str, tenant: Tenant | None, offboarding: Offboarding | None) -> str:
    policy = policy_of(means, id_, tenant, offboarding)
    now = means.clock()
    ended = offboarding is not None and now >= offboarding.ends_at
    people = persons.by_end if ended else persons.by_age
    with means.store.reading() as tx:
        found = purge.count(tx, id_, Judge(policy=policy, is_over=ended), now)
        forgotten = persons.count(tx, id_, partial(people, policy), now)
    whole = offboarding is not None and offboard.is_over(offboarding, now) and tenant is None
    return (
        f"{id_}: {found.contents} contents would go, {found.restricted} would be restricted by a legal hold,"
        f" {found.held} stay because of one, {forgotten} persons of whom nothing is left would be forgotten"
        + ("; then everything else: its agreement ended over a year ago" if whole else "")
    )


def _done(one: Tended) -> str:
    return (
        f"{one.tenant}: {one.contents} contents gone, {one.restricted} restricted by a legal hold, {one.held} stay because"
        f" of one, {one.persons} persons forgotten, {one.keys} keys destroyed, {one.records} records and {one.leftovers}"
        " rows of texts gone" + (f"; offboarding: {one.step}" if one.step else "")
    )


def _told(one: Overview) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(one)
    told |= {name: iso(told[name]) for name in ("ended_at", "kept_until")}
    for kept in told["contents"]:
        kept |= {name: iso(kept[name]) for name in ("oldest_at", "oldest_goes_at")}
    return told


def _lines(one: Overview) -> Iterator[str]:
    end = f"agreement ends {iso(one.ended_at)}, records until {iso(one.kept_until)}"
    yield f"{one.tenant}: {end if one.ended_at is not None else 'no end of its agreement is known'}" + (
        f"; offboarding: {one.step}" if one.step else ""
    )
    if not one.attended:
        yield "  no file of this tenant is in service, and nobody offboarded it: nothing goes"
    yield from (f"  {line}" for line in map(_line, one.contents))
    yield "  " + ", ".join(f"{count} {name}" for name, count in one.records.items())
    if one.restricted or one.has_holds:
        yield f"  a legal hold {'is' if one.has_holds else 'was'} in force: {one.restricted} contents restricted"


def _line(kept: Kept) -> str:
    goes = (
        f"the oldest goes {iso(kept.oldest_goes_at)}" if kept.oldest_goes_at is not None else "kept for ever"
    )
    floor = f"at least {kept.floor}, " if kept.floor else ""
    ceiling = f"at most {kept.ceiling}, " if kept.ceiling else ""
    return f"{kept.channel or '?'} {kept.content}: {kept.count}, {floor}{ceiling}since {iso(kept.oldest_at)}, {goes}"
