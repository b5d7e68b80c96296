"""Two tenants with their own secrets for each connector, and a worker between them."""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from connectors import sample
from connectors.registry import CONNECTORS, SOCIAL
from tests.flows.canary import live
from worker.conformance.rig import Rig
from worker.conformance.search import Search
from worker.transcripts import export

META: Final = tuple(name for name, connector in SOCIAL.items() if connector.signed_request is not None)
OWNED: Final = {"acme": "5001", "evil": "6001"}
"""By tenant, its account on every connector."""


class House:
    """A worker with two tenants whose secrets are known here; ``client`` is for its webhook listener."""

    client: httpx.Client

    def __init__(self, directory: Path) -> None:
        self.rig = Rig(directory)
        self.secrets = {
            (tenant, name): secrets.token_urlsafe(24).encode() for tenant in OWNED for name in SOCIAL
        }
        self._files = directory
        for tenant in OWNED:
            self.configure(tenant)

    def configure(self, tenant: str, **policy: int) -> None:
        """Write the tenant's file and secrets."""
        folder = self._files / "secrets" / tenant
        folder.mkdir(mode=0o700, exist_ok=True)
        lines = [f'name = "{tenant}"', "[policy]", *(f"{key} = {value}" for key, value in policy.items())]
        for name, connector in SOCIAL.items():
            (folder / name).write_bytes(self.secrets[tenant, name])
            lines += [f"[connectors.{name}]", f'accounts = ["{OWNED[tenant]}"]']
            lines += [f'{ring} = ["file:{name}"]' for ring in connector.needs]
        # As a careful operator does: never half a file.
        written = self._files / f"{tenant}.new"
        written.write_text("\n".join(lines))
        written.replace(self._files / "tenants" / f"{tenant}.toml")

    @contextmanager
    def running(self) -> Iterator[House]:
        """Start and end the worker."""
        with self.rig.running() as self.client:
            yield self

    def reload(self) -> None:
        """Have the files read again."""
        before = self.rig.log.read_bytes().count(b'"tenants_loaded"')
        os.kill(self.rig.pid, signal.SIGHUP)
        until(lambda: self.rig.log.read_bytes().count(b'"tenants_loaded"') > before)

    def post(self, path: str, body: bytes, connector: str, secret: bytes, **more: str) -> httpx.Response:
        """Post a body with this connector's signature under a secret."""
        headers = {**sample.signed(CONNECTORS[connector], body, secret), **more}
        return self.client.post(path, content=body, headers=headers)

    def deliver(self, tenant: str, connector: str, body: bytes) -> int:
        """Deliver as the platform does."""
        path = f"/webhooks/{tenant}/{connector}"
        return self.post(path, body, connector, self.secrets[tenant, connector]).status_code

    def entries(self, tenant: str) -> list[dict[str, Any]]:
        """Everything that the tenant's transcripts hold."""
        with self.rig.opened() as (store, keyring):
            whole = export(store, keyring, tenant)
        threads: list[list[dict[str, Any]]] = [one["entries"] for one in whole["conversations"]]
        return [entry for thread in [*threads, whole["unattributed"]] for entry in thread]

    def entry(self, tenant: str, id_: str) -> dict[str, Any] | None:
        return next((entry for entry in self.entries(tenant) if entry["id"] == id_), None)

    def keeps(self, words: str) -> bool:
        """Whether a transcript or any value that a query can reach shows these words."""
        rows = b"\n".join(live(url) for url in self.rig.databases)
        told = repr([self.entries(tenant) for tenant in OWNED])
        return words in told or any(Search([words]).look(rows))

    def shows(self, *words: str) -> list[str]:
        """Where the log, what was printed or the pages show one of these words, or tell of a failure."""
        log, errors = self.rig.log.read_bytes(), self.rig.errors.read_bytes()
        readable = {**dict(self.rig.pages()), "log": log, "errors": errors}
        shown = [name for name, data in readable.items() if any(Search(words).look(data))]
        failures = re.findall(rb'"line":"(?:fault|library)".*', log) + errors.splitlines()
        return shown + [line.decode() for line in failures]

    def counter(self, name: str) -> int:
        """A counter of the metrics, by its labels as they stand there."""
        page = self.client.get(f"{self.rig.admin_url}/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        return int(float(found[1])) if found else 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
