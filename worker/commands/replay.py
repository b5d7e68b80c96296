"""``sluicegate replay``: sample bodies, signed as the platform would, posted to a worker that runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
import typer
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from connectors import sample
from connectors.decode import MalformedPayload
from connectors.registry import CONNECTORS
from worker.errors import ConfigurationError, Unavailable
from worker.plain import plain
from worker.runtime import tenant_source
from worker.settings import Settings, load_settings
from worker.tenants.loading import TenantConnector, load_all

_TRIES: Final = 5
_TAKEN: Final = 200
_TIMEOUT: Final = httpx.Timeout(30.0)


def replay(
    files: Annotated[list[Path], typer.Argument(help="Bodies, posted byte for byte in this order.")],
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Whose secret signs them.")],
    connector: Annotated[str, typer.Option("--connector", "-c", help=f"One of: {', '.join(CONNECTORS)}.")],
    url: Annotated[
        str | None, typer.Option(help="The worker's webhook listener; default: where the settings put it.")
    ] = None,
) -> None:
    """Sign sample bodies with a tenant's current secret and post them to a running worker.

    The tenant's file and secrets are read where this process's settings say. Exit code 1 where an answer is not 200.
    What became of a delivery stands in the worker's log, and in `sluicegate transcript show`.
    """
    settings = load_settings()
    source = tenant_connector(settings, tenant, connector)
    bodies = [_read(file) for file in files]
    with httpx.Client(
        base_url=_origin(settings.local_url if url is None else url), timeout=_TIMEOUT, trust_env=False
    ) as client:
        statuses = [post(client, tenant, source, body, settings.external_url) for body in bodies]
    for file, body, status in zip(files, bodies, statuses, strict=True):
        typer.echo(f"{plain(str(file))}: {status}{_hint(source, body) if status == _TAKEN else ''}")
    raise typer.Exit(0 if set(statuses) <= {_TAKEN} else 1)


def _hint(source: TenantConnector, body: bytes) -> str:
    """A 200 that leaves nothing behind is not to be wondered at."""
    try:
        events = list(source.connector.parse(source.connector.decode(body)[0], time.time_ns() // 1000))
    except MalformedPayload:
        return ""
    own = any(not event.account or event.account in source.accounts for event in events)
    return "" if own else " (nothing kept: no event in it names one of this tenant's accounts)"


def tenant_connector(settings: Settings, tenant: str, connector: str) -> TenantConnector:
    """A tenant's connector with its secrets. Raises ConfigurationError that says what is wrong with its file."""
    tenants = load_all(tenant_source(settings))
    version = tenants.versions.get(tenant)
    if version is None or connector in version.out_of_service:
        wrong = [str(problem) for problem in tenants.problems if problem.file.startswith(f"{tenant}.")]
        missing = f"there is no such tenant in {settings.tenants_dir}"
        raise ConfigurationError(*(wrong or [missing]))
    if connector not in version.tenant.connectors:
        names = ", ".join(sorted(version.tenant.connectors))
        raise ConfigurationError(f"this tenant has no such connector, but: {names}")
    return version.tenant.connectors[connector]


def post(client: httpx.Client, tenant: str, source: TenantConnector, body: bytes, public_url: str) -> int:
    """Post one signed body; the answer's status. A worker that is about to listen is waited for.

    ``public_url`` is what the worker takes its own address for, where signatures cover it. Raises Unavailable, and
    ConfigurationError where nobody here can sign. Trying again is harmless: a delivery that came twice is counted once.
    """
    path = f"/webhooks/{tenant}/{source.connector.name}"
    headers = _signed(source, public_url + path, body)
    retrying = Retrying(
        retry=retry_if_exception_type(httpx.TransportError),
        stop=stop_after_attempt(_TRIES),
        wait=wait_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    try:
        answer = retrying(client.post, path, content=body, headers=headers)
    except httpx.TransportError as error:
        raise Unavailable(
            f"the worker does not answer at {client.base_url} ({type(error).__name__})"
        ) from None
    return answer.status_code


def _signed(source: TenantConnector, url: str, body: bytes) -> dict[str, str]:
    secret, now = source.credentials.signing_secrets[0], time.time_ns() // 1000
    try:
        return sample.signed(source.connector, body, secret, url=url, now=now)
    except sample.OnlyThePlatformSigns:
        raise ConfigurationError(f"{source.connector.name}: only the platform can sign deliveries") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise ConfigurationError(f"{file}: the body cannot be read") from None


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("--url: expected an address such as http://127.0.0.1:8080")
    return url.rstrip("/")
