"""``sluicegate quarantine``: texts that wait for a person. Everything in them is hostile text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
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
from worker.opening import open_all
from worker.plain import plain
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.sms.review import Decided, NothingWaits, Reviewing, Waiting
from worker.tenants.loading import load_all

app = typer.Typer(help="Look at texts that wait for a person; release or reject them.", no_args_is_help=True)

TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
Which = Annotated[str, typer.Argument(help="A text's or a cluster's id, or its first digits.", metavar="ID")]
By = Annotated[str, typer.Option("--by", help="Who decides: it stands on the record.")]
Why = Annotated[str, typer.Option("--why", help="Why: it stands on the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_SHORT: Final = 12
T = TypeVar("T")


@app.command("list")
def list_(tenant: TenantId, *, json: AsJson = False) -> None:
    """List what waits, near-duplicates together, the longest waiting first."""
    with _reviewing(tenant) as reviewing:
        found = reviewing.clusters()
    if json:
        rows = [{**msgspec.structs.asdict(one), "cluster": one.cluster.hex()} for one in found]
        print(msgspec.json.encode(rows).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo(f"nothing waits for a person at {tenant}")
        return
    table = _table("cluster", "texts", "since", "score", "why")
    for one in found:
        cells = (one.cluster.hex()[:_SHORT], str(one.count), _when(one.oldest), _score(one.score))
        table.add_row(*cells, " ".join(one.codes))
    Console(highlight=False).print(table)


@app.command()
def show(which: Which, tenant: TenantId, *, json: AsJson = False) -> None:
    """Show the texts of a cluster, with the evidence and what would change the judgement."""
    with _reviewing(tenant) as reviewing:
        found = _or_nothing(lambda: reviewing.waiting(which))
    if json:
        print(msgspec.json.encode([_told(one) for one in found]).decode())  # noqa: T201 - the command's output
        return
    console = Console(highlight=False)
    for one in found:
        for line in _lines(one):
            console.print(Text(plain(line)), soft_wrap=True)


@app.command()
def release(which: Which, tenant: TenantId, by: By, why: Why) -> None:
    """Send what waits: opt-out, hours and sender are judged once more, what it says is not."""
    with _reviewing(tenant) as reviewing:
        _tell(_or_nothing(lambda: reviewing.release(which, _operator(by, why))))


@app.command()
def teach(which: Which, tenant: TenantId) -> None:
    """Print what the tenant's file would need for texts like these to pass; call it before they are released."""
    with _reviewing(tenant) as reviewing:
        learnt = _or_nothing(lambda: reviewing.lesson(which))
    lines = [f"{name} = {_toml(values)}" for name, values in msgspec.structs.asdict(learnt).items() if values]
    if not lines:
        typer.echo(
            "these texts lead to nothing that the tenant does not own, and have no slots: nothing to add"
        )
        return
    typer.echo(f"# what to add to [sms] in {tenant}.toml, as far as it is the tenant's own:")
    for line in lines:
        typer.echo(plain(line))


@app.command()
def reject(which: Which, tenant: TenantId, by: By, why: Why) -> None:
    """Never send it. What may be an opt-out is one from now on."""
    with _reviewing(tenant) as reviewing:
        _tell(_or_nothing(lambda: reviewing.reject(which, _operator(by, why))))


@contextmanager
def _reviewing(tenant: str) -> Iterator[Reviewing]:
    settings = load_settings()
    version = load_all(tenant_source(settings)).versions.get(tenant)
    if version is None:
        raise ConfigurationError(f"there is no tenant {tenant} in service: see `sluicegate tenants check`")
    opened = open_all(settings, migrate=False)
    try:
        yield Reviewing(opened.store, opened.keyring, version.tenant, wall_clock)
    finally:
        opened.close()


def _or_nothing(act: Callable[[], T]) -> T:
    try:
        return act()
    except NothingWaits:
        raise ConfigurationError("nothing waits under this id: see `sluicegate quarantine list`") from None
    except ValueError:
        raise ConfigurationError("an id is hexadecimal, as `sluicegate quarantine list` shows it") from None


def _operator(by: str, why: str) -> Operator:
    if not by.strip() or not why.strip():
        raise ConfigurationError("--by and --why: say who decides, and why")
    return Operator(name=by, why=why)


def _tell(decided: Sequence[Decided]) -> None:
    for one in decided:
        codes = " ".join(reason.code for reason in one.reasons)
        typer.echo(f"{one.id[:_SHORT]}  {one.fate}" + (f"  {codes}" if codes else ""))


def _told(one: Waiting) -> dict[str, object]:
    review, payload = one.review, one.payload
    shown: dict[str, object] = {
        "id": review.id.hex(),
        "cluster": review.cluster.hex(),
        "since": _when(review.entered_at),
        "codes": review.codes.split(),
        "score": review.score / 1000,
    }
    if payload is not None:
        names = ("sender", "recipient", "text", "purpose", "campaign", "template", "submitter")
        shown |= {name: getattr(payload, name) for name in names}
        shown |= {
            "evidence": payload.evidence,
            "remedies": payload.remedies,
            "came_in": payload.inbound_at is not None,
        }
    return shown


def _lines(one: Waiting) -> Iterator[str]:
    review, payload = one.review, one.payload
    yield f"{review.id.hex()}  since {_when(review.entered_at)}  {review.codes}  score {_score(review.score)}"
    if payload is None:
        yield "  its person was erased: nothing is left to send"
        return
    way = (
        f"{payload.recipient} wrote to {payload.sender}"
        if payload.inbound_at
        else f"{payload.sender} to {payload.recipient}"
    )
    yield f"  {way} ({payload.purpose})" + (
        f", submitted by {payload.submitter}" if payload.submitter else ""
    )
    yield f"  {payload.text}"
    for feature, weight, start, end in payload.evidence:
        yield f"    {weight:+.2f}  {feature} (characters {start} to {end})"
    yield from (f"    {remedy}" for remedy in payload.remedies)


def _toml(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()  # of strings, JSON is TOML


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _when(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _score(thousandths: int) -> str:
    return f"{thousandths / 1000:.2f}"
