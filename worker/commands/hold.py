"""``sluicegate hold``: legal holds, for a compliance officer. What operators wrote on one is hostile text on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Final, TypeVar

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from policies.message import Instant
from worker.acts import Operator
from worker.errors import ConfigurationError
from worker.holds.lifting import Completed, lifting
from worker.holds.period import since as beginning
from worker.holds.period import until as end
from worker.holds.placing import HoldDesk, HoldRefused, HoldTold, Terms
from worker.opening import Opened, open_all
from worker.plain import plain
from worker.rights.errors import RightsRefused
from worker.runtime import tenant_source, wall_clock
from worker.settings import Settings, load_settings
from worker.store import decisions
from worker.store.persons import Place
from worker.tenants.loading import load_all
from worker.transcripts import iso

app = typer.Typer(help="Place, list and lift legal holds.", no_args_is_help=True, add_completion=False)

TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
WhichPerson = Annotated[
    str | None,
    typer.Option("--person", help="A number (+12025550123), x:HANDLE, instagram:…, facebook:…, or an id."),
]
WhichConversation = Annotated[str | None, typer.Option("--conversation", "-c", help="A conversation's id.")]
Everybody = Annotated[bool, typer.Option("--all", help="Everybody who talks with the tenant.")]
Since = Annotated[str | None, typer.Option("--since", help="From this day or instant on, UTC.")]
Until = Annotated[
    str | None, typer.Option("--until", help="Up to and with this day, or before this instant.")
]
By = Annotated[str, typer.Option("--by", help="Who does this: it stands on the record.")]
Why = Annotated[str, typer.Option("--why", help="Why: it stands on the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_SHORT: Final = 16
T = TypeVar("T")


@app.command()
def add(  # noqa: PLR0913 - an option each
    tenant: TenantId,
    matter: Annotated[str, typer.Option("--matter", help="The matter: a case, a file number.")],
    authority: Annotated[str, typer.Option("--authority", help="Who demands it: a court, counsel.")],
    by: By,
    why: Why,
    person: WhichPerson = None,
    conversation: WhichConversation = None,
    *,
    everybody: Everybody = False,
    since: Since = None,
    until: Until = None,
) -> None:
    """Suspend purge and erasure of what the hold covers, from now on until it is lifted."""
    scope = whom(person, conversation, everybody=everybody)
    terms = Terms(
        matter=said("--matter", matter),
        authority=said("--authority", authority),
        operator=operator(by, why),
        person=scope[0],
        conversation=scope[1],
        since=moment("--since", since, beginning),
        until=moment("--until", until, end),
    )
    with _desk(tenant) as (_, desk):
        typer.echo(or_refused(lambda: desk.place(terms)))


@app.command("list")
def list_(tenant: TenantId, *, json: AsJson = False) -> None:
    """List a tenant's holds, those that were lifted too."""
    with _desk(tenant) as (_, desk):
        found = desk.holds()
    if json:
        print(msgspec.json.encode([_shown(one) for one in found]).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo("this tenant never had a hold")
        return
    table = Table("hold", "covers", "matter", "authority", "placed", "lifted", box=box.SIMPLE)
    for one in found:
        cells = (
            _short(one.id),
            _covers(one),
            one.matter,
            one.authority,
            iso(one.placed_at),
            iso(one.lifted_at),
        )
        table.add_row(*(Text(plain(cell or "-")) for cell in cells))
    Console(highlight=False).print(table)


@app.command()
def lift(
    hold: Annotated[str, typer.Argument(help="The hold's id, or its first digits.", metavar="ID")],
    tenant: TenantId,
    by: By,
    why: Why,
) -> None:
    """End a hold and complete what it kept back, as far as no other hold covers it."""
    who = operator(by, why)
    with _desk(tenant) as (opened, desk):
        or_refused(lambda: desk.lift(desk.find(hold), who))
        done = lifting(opened, wall_clock).complete(tenant)
    typer.echo(_completed(done))


def whom(person: str | None, conversation: str | None, *, everybody: bool) -> tuple[str | None, bytes | None]:
    """A person or a conversation, neither for everybody. Raises ConfigurationError unless just one was named."""
    if sum((person is not None, conversation is not None, everybody)) != 1:
        raise ConfigurationError("say whom it is about: --person, --conversation or --all, one of them")
    try:
        return person, None if conversation is None else bytes.fromhex(conversation)
    except ValueError:
        raise ConfigurationError(
            "--conversation: expected an id as `sluicegate transcript list` shows it"
        ) from None


def moment(name: str, text: str | None, read: Callable[[str], Instant]) -> Instant | None:
    """An option's moment. Raises ConfigurationError."""
    try:
        return None if text is None else read(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{name}: expected a day (2026-03-31) or an instant (2026-03-31T12:00Z)"
        ) from None


def operator(by: str, why: str) -> Operator:
    """Who acts, and why. Raises ConfigurationError where one is empty."""
    return Operator(name=said("--by", by), why=said("--why", why))


def said(name: str, text: str) -> str:
    """Words that have to be given."""
    if not text.strip():
        raise ConfigurationError(f"{name}: it stands on the record and cannot be empty")
    return text


def or_refused(act: Callable[[], T]) -> T:
    """What the act gives; a refusal is something that has to be changed."""
    try:
        return act()
    except HoldRefused as refused:
        raise ConfigurationError(f"{refused}") from None
    except RightsRefused as refused:
        raise ConfigurationError(f"--person: {refused.sentence}") from None


def accounts_of(settings: Settings, opened: Opened, tenant: str) -> set[Place]:
    """A tenant's accounts as they are configured. Raises ConfigurationError for a tenant that nobody knows."""
    version = load_all(tenant_source(settings)).versions.get(tenant)
    if version is not None:
        connectors = version.tenant.connectors.items()
        return {(name, account) for name, connector in connectors for account in connector.accounts}
    with opened.store.reading() as tx:
        if not decisions.end_of(tx, tenant)[0]:
            raise ConfigurationError("there is no such tenant: see `sluicegate tenants check`")
    return set()


@contextmanager
def _desk(tenant: str) -> Iterator[tuple[Opened, HoldDesk]]:
    settings = load_settings()
    with closing(open_all(settings, migrate=False)) as opened:
        places = accounts_of(settings, opened, tenant)
        yield opened, HoldDesk(opened.store, opened.keyring, tenant, places, wall_clock)


def _completed(done: Completed) -> str:
    if not done.destroyed and not done.erased:
        return "lifted; nothing had been kept back for it alone"
    return f"lifted; destroyed {done.destroyed} restricted contents, erased {done.erased} conversations"


def _covers(one: HoldTold) -> str:
    bounds = [f"from {iso(one.since)}" if one.since is not None else ""]
    bounds.append(f"before {iso(one.until)}" if one.until is not None else "")
    return " ".join(filter(None, (one.scope, *bounds)))


def _shown(one: HoldTold) -> dict[str, object]:
    instants = ("since", "until", "placed_at", "lifted_at")
    return msgspec.structs.asdict(one) | {name: iso(getattr(one, name)) for name in instants}


def _short(id_: str) -> str:
    return id_[:_SHORT]
