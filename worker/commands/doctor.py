"""``sluicegate doctor``: what is misconfigured."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.doctor import Finding, Health, examine
from worker.plain import plain
from worker.runtime import tenant_source
from worker.settings import PREFIX, Settings, load_settings

_COLOURS: Final = {Health.FINE: "green", Health.WARNING: "yellow", Health.WRONG: "bold red"}


def doctor(
    *,
    settings: Annotated[
        bool, typer.Option("--settings", help="List the settings with their values.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look at settings, files, keys, databases, clock, disk and tenants, and say what is wrong.

    Nothing is changed, but that a data directory which is absent is made. Exit code 1 when something is wrong; warnings alone are 0.
    """
    loaded = load_settings()
    if settings:
        _show_settings(loaded, json=json)
        return
    findings = examine(loaded, tenant_source(loaded))
    if json:
        typer.echo(msgspec.json.encode(findings))
    else:
        Console(highlight=False).print(_table(findings))
    raise typer.Exit(int(any(finding.health is Health.WRONG for finding in findings)))


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "", "found", box=None, pad_edge=False)
    for finding in findings:
        health = Text(finding.health, _COLOURS[finding.health])
        table.add_row(finding.check, health, Text(plain(finding.told)))
    return table


def _show_settings(settings: Settings, *, json: bool) -> None:
    # SecretStr shows as stars: a database address may hold a password.
    values = {PREFIX + name.upper(): getattr(settings, name) for name in Settings.model_fields}
    if json:
        typer.echo(msgspec.json.encode({name: str(value) for name, value in values.items()}))
        return
    table = Table("setting", "value", "meaning", box=None, pad_edge=False)
    for (name, value), field in zip(values.items(), Settings.model_fields.values(), strict=True):
        table.add_row(name, Text(plain(str(value))), Text(field.description or "", "dim"))
    Console(highlight=False).print(table)
