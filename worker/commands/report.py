"""``sluicegate report``: what a compliance officer hands in."""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from worker.errors import ConfigurationError
from worker.opening import open_all
from worker.plain import plain
from worker.report.figures import Figures, Month, figures
from worker.report.page import page
from worker.runtime import tenant_source, wall_clock
from worker.settings import load_settings
from worker.tenants.loading import load_all

app = typer.Typer(help="Write compliance reports.", no_args_is_help=True)

_MONTH: Final = re.compile(r"(?P<year>20[0-9]{2})-(?P<number>0[1-9]|1[0-2])")


@app.callback()
def _group() -> None:
    """Write compliance reports."""


@app.command()
def compliance(
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")],
    month: Annotated[str, typer.Option("--month", help="The month in UTC: 2026-11.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the page and the JSON go; default: this directory.")
    ] = None,
) -> None:
    """Write a month's report of a tenant as one HTML page and as JSON. Neither holds personal data."""
    match = _MONTH.fullmatch(month)
    if match is None:
        raise ConfigurationError("--month: expected a month such as 2026-11")
    told = _figures(tenant, Month(year=int(match["year"]), number=int(match["number"])))
    directory = out or Path()
    name = f"compliance-{tenant}-{month}"
    for path, text in (
        (directory / f"{name}.html", page(told)),
        (
            directory / f"{name}.json",
            msgspec.json.format(msgspec.json.encode(told).decode(), indent=2) + "\n",
        ),
    ):
        _write(path, text)
        typer.echo(plain(f"wrote {path}"))


def _figures(tenant: str, month: Month) -> Figures:
    settings = load_settings()
    version = load_all(tenant_source(settings)).versions.get(tenant)
    if version is None:
        raise ConfigurationError(
            f"there is no tenant {plain(tenant)} in service: see `sluicegate tenants check`"
        )
    with closing(open_all(settings, migrate=False)) as opened, opened.store.reading() as tx:
        return figures(tx, version.tenant, month, wall_clock())


def _write(path: Path, text: str) -> None:
    """Replaces a report of the same month: it is made anew from the same store."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        raise ConfigurationError(f"--out: {plain(str(path))} cannot be written") from None
