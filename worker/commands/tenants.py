"""``sluicegate tenants``: check, show and begin tenant files; end what a tenant has here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from connectors.registry import CONNECTORS
from policies.tenant import TenantPolicy
from worker.commands.retention import means_of, operator_of
from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.plain import plain
from worker.retention.ending import TenantsEnd
from worker.runtime import tenant_source
from worker.settings import Settings, load_settings
from worker.tenants.begin import NewTenant, begin_tenant
from worker.tenants.file import RINGS, read_tenant
from worker.tenants.loading import Tenants, TenantSource, load_all

app = typer.Typer(
    help="Check, show and begin tenant files; offboard a tenant.", no_args_is_help=True, add_completion=False
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


@app.command()
def check(*, json: AsJson = False) -> None:
    """Load every tenant file and every secret, and name all errors at once. Exit code 2 when there are any."""
    tenants = load_all(tenant_source(load_settings()))
    if json:
        typer.echo(msgspec.json.encode(tenants.problems))
    else:
        for problem in tenants.problems:
            typer.echo(plain(str(problem)))
        connectors = sum(len(one.connectors) for one in tenants.serving)
        typer.echo(
            f"tenants: {len(tenants.versions)}; connectors that can serve: {connectors}; errors: {len(tenants.problems)}"
        )
    raise typer.Exit(2 if tenants.problems else 0)


@app.command()
def show(
    tenant: Annotated[str | None, typer.Argument(help="One tenant's id; default: all of them.")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show tenants as they would be in force: effective policy, accounts, where their secrets come from."""
    settings = load_settings()
    source = tenant_source(settings)
    tenants = load_all(source)
    chosen = {
        id_: _described(id_, source, tenants, settings) for id_ in _known(tenants) if tenant in (None, id_)
    }
    if tenant is not None and not chosen:
        raise ConfigurationError(f"there is no tenant {plain(tenant)} in {source.directory}")
    if json:
        typer.echo(msgspec.json.encode(chosen))
        return
    console = Console(highlight=False)
    for id_, described in chosen.items():
        for line in _lines(id_, described):
            console.print(Text(plain(line)), soft_wrap=True)


@app.command()
def new(
    tenant: Annotated[str, typer.Argument(help="The tenant's id: a to z, 0 to 9 and -.")],
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    account: Annotated[
        list[str],
        typer.Option(
            "--account", help="CONNECTOR=ID, once for each: whatsapp=106540352242922", metavar="CONNECTOR=ID"
        ),
    ],
) -> None:
    """Write a tenant file and random verify tokens, mode 0600. Nothing that exists is overwritten."""
    settings = load_settings()
    accounts = _accounts(account)
    made = begin_tenant(settings.tenants_dir, settings.secrets_dir, tenant, name, accounts, CONNECTORS)
    for line in _next_steps(tenant, list(accounts), made, settings):
        typer.echo(plain(line))


@app.command("offboard")
def offboard_(
    tenant: Annotated[str, typer.Argument(help="The tenant's id; its file may be gone.")],
    agreement_ends: Annotated[
        str, typer.Option("--agreement-ends", help="The last day of the agreement.", metavar="DATE")
    ],
    zone: Annotated[
        str | None,
        typer.Option("--zone", help="The time zone of that day; default: that of the tenant's file, or UTC."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Where to write the signed report; default: TENANT-offboarding.json."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who does it: it stands on the record.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why: it stands on the record.")] = "",
) -> None:
    """End a tenant: purge what came from platforms, destroy keys, keep records for a calendar year, write a signed report."""
    operator = None if dry_run else operator_of(by, why)
    settings = load_settings()
    version = load_all(tenant_source(settings)).versions.get(tenant)
    with closing(open_all(settings, migrate=False)) as opened:
        offboarding = TenantsEnd(means_of(opened), tenant, version.tenant if version else None)
        policy = offboarding.policy(agreement_ends, zone)
        lines = (
            offboarding.foreseen(policy)
            if operator is None
            else offboarding.carried_out(policy, operator, report or Path(f"{tenant}-offboarding.json"))
        )
        for line in lines:
            typer.echo(plain(line))


def _next_steps(tenant: str, connectors: list[str], made: NewTenant, settings: Settings) -> list[str]:
    lines = [f"wrote {path}" for path in (made.file, *made.written)]
    lines += [f"kept {path}" for path in made.kept]
    lines += [
        f"{connector}: its webhook is {settings.external_url}/webhooks/{tenant}/{connector}"
        for connector in connectors
    ]
    lines += [
        f"{connector}: put the secret that signs into {path} (mode 600)"
        for connector, path in made.missing.items()
    ]
    return lines


def _accounts(words: list[str]) -> dict[str, list[str]]:
    accounts: dict[str, list[str]] = {}
    for word in words:
        connector, _, id_ = word.partition("=")
        if connector not in CONNECTORS or not id_:
            known = ", ".join(CONNECTORS)
            raise ConfigurationError(f"--account: expected CONNECTOR=ID with one of {known}")
        accounts.setdefault(connector, []).append(id_)
    return accounts


def _known(tenants: Tenants) -> list[str]:
    return sorted({*tenants.versions, *tenants.refused})


def _described(id_: str, source: TenantSource, tenants: Tenants, settings: Settings) -> dict[str, Any]:
    file = f"{id_}.toml"
    entry, problems = read_tenant(file, source.files().get(file) or b"", source.connectors)
    version = tenants.versions.get(id_)
    wrong = [str(problem) for problem in tenants.problems if problem.file == file]
    if entry is None or version is None:
        return {
            "in_service": False,
            "problems": wrong or [str(problem) for problem in problems],
            "connectors": {},
        }
    connectors = {
        name: {
            "in_service": name in version.tenant.connectors,
            "webhook": f"{settings.external_url}/webhooks/{id_}/{name}",
            "accounts": sorted(connector.accounts),
            **connector.rings,
        }
        for name, connector in entry.connectors.items()
    }
    return {
        "in_service": True,
        "name": entry.name,
        "policy": entry.policy,
        "policy_digest": version.tenant.policy_digest,
        "connectors": connectors,
        "problems": wrong,
    }


def _lines(id_: str, described: dict[str, Any]) -> Iterator[str]:
    if not described["connectors"]:
        yield f"{id_}: not in service: see `sluicegate tenants check`"
        return
    yield f"{id_}: {described['name']}"
    yield f"  policy {described['policy_digest']}: {_stricter(described['policy'])}"
    for name, connector in described["connectors"].items():
        yield f"  {name}: {'in service' if connector['in_service'] else 'out of service: see `sluicegate tenants check`'}"
        yield f"    webhook          {connector['webhook']}"
        yield f"    accounts         {' '.join(connector['accounts'])}"
        yield from (f"    {ring:16} {' '.join(connector[ring])}" for ring in RINGS if connector[ring])


def _stricter(policy: TenantPolicy) -> str:
    """What the tenant sets otherwise than the defaults do."""
    usual = msgspec.structs.asdict(TenantPolicy())
    own = {
        name: value
        for name, value in msgspec.to_builtins(policy).items()
        if value != msgspec.to_builtins(usual[name])
    }
    return (
        ", ".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in own.items())
        or "the defaults"
    )
