"""``sluicegate rights``: what persons ask for, from a request file to its end, for a compliance officer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.acts import Operator
from worker.errors import ConfigurationError, Failed
from worker.opening import open_all
from worker.plain import plain
from worker.rights.deadlines import Source
from worker.rights.desk import Arrival, Desk
from worker.rights.errors import RightsRefused
from worker.rights.files import ExportFile, planned
from worker.rights.multicloud import BUILT_IN, read_fields, read_multicloud
from worker.rights.opening import tools_of
from worker.rights.outcome import Status
from worker.rights.request import Right, RightsRequest, read_document, read_request
from worker.rights.ticket import Answer
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.store import decisions
from worker.tenants.file import TENANT_ID

app = typer.Typer(
    help="Export, correct and erase what is kept of a person.", no_args_is_help=True, add_completion=False
)


class Format(StrEnum):
    """The shape of a request file."""

    AUTO = "auto"
    CLOUD = "genesys-cloud"
    MULTICLOUD = "genesys-multicloud"


File = Annotated[str, typer.Argument(help="The request file, - for standard input.", metavar="FILE")]
TenantId = Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")]
By = Annotated[str, typer.Option("--by", help="Who does this: it stands on the record.")]
Why = Annotated[str, typer.Option("--why", help="Why: it stands on the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what there is; change nothing.")]
Shape = Annotated[Format, typer.Option("--format", help="The shape of the file.")]
Mapping = Annotated[
    Path | None, typer.Option("--mapping", help="TOML: what the fields of a Multicloud file are called.")
]
Region = Annotated[
    str | None, typer.Option("--region", help="Country of numbers without a country's code, such as US.")
]
From = Annotated[Source, typer.Option("--source", help="How the request came; x is due within 24 hours.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_MOST_BYTES: Final = 4 << 20
_LONGEST: Final = 512
_ID_DIGITS: Final = 32


@app.command()
def export(  # noqa: PLR0913 - an option each
    file: File,
    *,
    tenant: TenantId,
    by: By = "",
    why: Why = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here (mode 0600); default: standard output.")
    ] = None,
    shape: Shape = Format.AUTO,
    mapping: Mapping = None,
    region: Region = None,
    source: From = Source.PERSON,
    dry_run: DryRun = False,
) -> None:
    """Write down all that is kept of a person, as JSON."""
    with _desk(tenant) as desk:
        [request] = _requests(file, tenant, shape, mapping, Right.EXPORT, most=1)
        if dry_run:
            _show([desk.count(tenant, request, _arrival("-", "-", source, region))])
            return
        written = planned(output) if output is not None else None
        answer = desk.take(tenant, request, _arrival(by, why, source, region, written))
        if written is not None:
            _show([answer])
            return
        for piece in desk.export(tenant, bytes.fromhex(answer.id)):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        _show([answer], err=True)


@app.command()
def erase(  # noqa: PLR0913 - an option each
    file: File,
    *,
    tenant: TenantId,
    by: By = "",
    why: Why = "",
    shape: Shape = Format.AUTO,
    mapping: Mapping = None,
    region: Region = None,
    source: From = Source.PERSON,
    dry_run: DryRun = False,
) -> None:
    """Take away all that is kept of a person, and destroy the keys. What a legal hold covers waits for its end."""
    _all(file, tenant, shape, mapping, Right.DELETE, _arriving(by, why, source, region, dry_run=dry_run))


@app.command()
def rectify(
    file: File,
    tenant: TenantId,
    by: By = "",
    why: Why = "",
    region: Region = None,
    source: From = Source.PERSON,
    *,
    dry_run: DryRun = False,
) -> None:
    """Correct how a person is called and by which number they are known."""
    arriving = _arriving(by, why, source, region, dry_run=dry_run)
    _all(file, tenant, Format.CLOUD, None, Right.UPDATE, arriving)


@app.command()
def status(
    tenant: TenantId,
    request: Annotated[str | None, typer.Argument(help="A request's id; default: all.", metavar="ID")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show requests, how far each is, and when it is due."""
    with _desk(tenant) as desk:
        if request is not None:
            _show([desk.status(tenant, _id(request))])
            return
        answers = desk.all(tenant)
    if json:
        _print(answers)
    elif answers:
        _console().print(_table(answers))
    else:
        typer.echo("there are no requests", err=True)


@app.command()
def resume(tenant: TenantId, *, json: AsJson = False) -> None:
    """Go on with every request that is not done: after a crash, or when a legal hold was lifted."""
    with _desk(tenant) as desk:
        ended = desk.resume(tenant)
    answers = [one.answer for one in ended if one.answer is not None]
    if json:
        _print(answers)
    elif answers:
        _console().print(_table(answers))
    else:
        typer.echo("there is nothing to go on with", err=True)
    failed = [one.id.hex() for one in ended if one.error is not None]
    if failed:
        raise Failed(f"could not be finished, and will be tried again: {', '.join(failed)}")


# -- reading -------------------------------------------------------------------------------------------------


@contextmanager
def _desk(tenant: str) -> Iterator[Desk]:
    """A desk for a tenant that there is, or was. What it refuses becomes a sentence and exit code 2."""
    settings = load_settings()
    with closing(open_all(settings, migrate=False)) as opened:
        with opened.store.reading() as tx:
            stored = tenant in decisions.tenants(tx)
        if TENANT_ID.fullmatch(tenant) is None or not (
            stored or f"{tenant}.toml" in tenant_source(settings).files()
        ):
            raise ConfigurationError(f"there is no tenant {plain(tenant)}, and nothing is kept of one")
        try:
            yield Desk(tools_of(opened, settings, wall_clock))
        except RightsRefused as refused:
            raise ConfigurationError(refused.sentence) from None


def _requests(
    file: str, tenant: str, shape: Format, mapping: Path | None, right: Right, *, most: int
) -> list[RightsRequest]:
    document = read_document(_content(file))
    is_cloud = isinstance(document, dict) and "requestType" in document
    if shape is Format.CLOUD or (shape is Format.AUTO and is_cloud):
        requests = [read_request(document)]
    else:
        fields = read_fields(_text(mapping)) if mapping is not None else BUILT_IN
        requests = read_multicloud(document, tenant, fields)
    if any(one.request_type is not right for one in requests):
        raise RightsRefused("other_action")
    if len(requests) > most:
        raise RightsRefused("several_requests")
    return requests


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(_MOST_BYTES + 1)
    except OSError:
        raise ConfigurationError("the request file cannot be read") from None
    if len(content) > _MOST_BYTES:
        raise ConfigurationError(f"the request file has more than {_MOST_BYTES} bytes")
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ConfigurationError("--mapping: the file cannot be read") from None


def _id(given: str) -> bytes:
    try:
        id_ = bytes.fromhex(given)
    except ValueError:
        raise RightsRefused("unknown_request") from None
    if len(given) != _ID_DIGITS:
        raise RightsRefused("unknown_request")
    return id_


# -- doing ---------------------------------------------------------------------------------------------------


def _arrival(
    by: str, why: str, source: Source, region: str | None, file: ExportFile | None = None
) -> Arrival:
    for name, value in (("--by", by), ("--why", why)):
        if not value.strip() or not value.isprintable() or len(value) > _LONGEST:
            raise ConfigurationError(f"{name}: say it on one line: it stands on the record")
    if region is not None and (len(region) != 2 or not region.isalpha() or not region.isascii()):
        raise ConfigurationError("--region: expected two letters such as US")
    return Arrival(
        operator=Operator(name=by, why=why),
        source=source,
        region=region.upper() if region else None,
        file=file,
    )


Doing = Callable[[Desk, str, RightsRequest], Answer]


def _arriving(by: str, why: str, source: Source, region: str | None, *, dry_run: bool) -> Doing:
    if dry_run:
        counted = _arrival("-", "-", source, region)
        return lambda desk, tenant, request: desk.count(tenant, request, counted)
    arrival = _arrival(by, why, source, region)
    return lambda desk, tenant, request: desk.take(tenant, request, arrival)


def _all(file: str, tenant: str, shape: Format, mapping: Path | None, right: Right, doing: Doing) -> None:
    """Every request of a file. All are read before the first is taken."""
    with _desk(tenant) as desk:
        requests = _requests(file, tenant, shape, mapping, right, most=1_000)
        if len(requests) == 1:
            _show([doing(desk, tenant, requests[0])])
            return
        answers, refused = [], []
        for number, request in enumerate(requests):
            try:
                answers.append(doing(desk, tenant, request))
            except RightsRefused as error:
                refused.append(f"request {number}: {error.sentence}")
    _show(answers)
    if refused:
        raise ConfigurationError(*refused)


# -- showing -------------------------------------------------------------------------------------------------


def _show(answers: list[Answer], *, err: bool = False) -> None:
    """One request as itself, several as a list."""
    _print(answers[0] if len(answers) == 1 else answers, err=err)


def _print(told: Any, *, err: bool = False) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode(), err=err)


def _table(answers: list[Answer]) -> Table:
    table = Table("id", "right", "status", "received", "due", "log", box=box.SIMPLE, pad_edge=False)
    for one in answers:
        late = {"overdue": "OVERDUE ", "due_soon": "soon: "}.get(one.urgency or "", "")
        state = one.status + (" (legal hold)" if one.waits_for_hold else "")
        log = ", ".join(f"{entry.field}: {entry.outcome}" for entry in one.execution_log)
        due = "" if one.status == Status.COMPLETED else late + (one.due_date or "")[:19]
        cells = (one.id, one.request_type.lower(), state, (one.created_date or "")[:19], due, log)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _console() -> Console:
    width = None if sys.stdout.isatty() else 200
    return Console(highlight=False, markup=False, emoji=False, width=width)
