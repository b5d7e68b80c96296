"""A whole worker with tenants that send texts, and clients that speak to its interface over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from tests.collected import Collected
from tests.databases import Databases
from worker.acts import Operator
from worker.api.access import issue
from worker.api.keys import KeyScope
from worker.runtime import Runtime, wall_clock
from worker.settings import Settings

SENDER: Final = "+12025550123"
UNCONNECTED: Final = "+12025550125"
RECIPIENT: Final = "+12025550143"
PLAIN: Final[dict[str, Any]] = {
    "sender": SENDER,
    "recipient": RECIPIENT,
    "text": "Your table for two is ready, see you soon.",
    "purpose": "transactional",
}

_FILE: Final = """
name = "{name}"
[connectors.sms-console]
accounts = ["{sender}"]
signing_secrets = ["file:console"]
[connectors.sms-console.sending]
[connectors.sms-twilio]
accounts = ["{unconnected}"]
signing_secrets = ["file:absent"]
[connectors.sms-twilio.sending]
account_sid = "AC00000000000000000000000000000000"
auth_token = ["file:absent"]
[[egress]]
host = "api.twilio.com"
purpose = "sms"
region = "US"
legal_basis = "standard contractual clauses"
[sms]
brands = ["Larkfield"]
hosts = ["larkfield.example"]
"""
_SENDER: Final = """
[[sms.senders]]
address = "{address}"
kind = "did"
owner = "Larkfield"
evidence = "owned"
reference = "contract 12"
country = "US"
registrations = [{{ registry = "10dlc", id = "C-1" }}]
"""


class House:
    """The files of a worker with the tenants acme and globex, and workers on them."""

    def __init__(self, directory: Path, databases: Databases) -> None:
        self.directory = directory
        key = directory / "master.key"
        key.write_bytes(base64.b64encode(bytes(range(32))))
        key.chmod(0o600)
        (directory / "tenants").mkdir()
        self.write_tenant("acme", SENDER, UNCONNECTED)
        self.write_tenant("globex", "+12025550133", "+12025550135")
        self.settings = Settings(
            data_dir=directory,
            database_url=SecretStr(databases.store_url),
            keyring_url=SecretStr(databases.keyring_url),
            webhook_listen_port=0,
            admin_listen_port=0,
            reload_seconds=0.05,
            drain_seconds=5,
        )
        self.log = Collected()
        self.shown: list[bytes] = []

    def write_tenant(self, tenant: str, sender: str, unconnected: str) -> None:
        """A tenant's file and its secret; its second sender's provider account is not in order."""
        secrets = self.directory / "secrets" / tenant
        secrets.mkdir(parents=True, exist_ok=True)
        (secrets / "console").write_bytes(b"a-secret-of-a-test\n")
        text = tenant_file(tenant.title(), sender, unconnected)
        (self.directory / "tenants" / f"{tenant}.toml").write_text(text)

    @contextmanager
    def running(self, **changed: Any) -> Iterator[Running]:
        """A worker that serves."""
        runtime = Runtime(self.settings.model_copy(update=changed), self.log, show=self.shown.append)
        runtime.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{runtime.admin_port}", trust_env=False) as client:
                yield Running(runtime, client)
        finally:
            assert runtime.stop()


class Running:
    """A running worker and a client of its admin listener."""

    def __init__(self, runtime: Runtime, client: httpx.Client) -> None:
        self.runtime = runtime
        self.client = client

    def key(self, tenant: str = "acme", *scopes: KeyScope, label: str = "a test") -> str:
        """A new key's text."""
        opened = self.runtime.opened
        operator = Operator(name="Ann", why="a test")
        return issue(
            opened.store,
            opened.keyring,
            tenant,
            scopes=scopes or (KeyScope.SEND,),
            label=label,
            operator=operator,
            now=wall_clock(),
        )

    def post(self, body: Any, key: str, tenant: str = "acme", **more: Any) -> httpx.Response:
        """Hand something in."""
        headers = bearer(key)
        return self.client.post(f"/v1/tenants/{tenant}/sms", json=body, headers=headers, **more)

    def raw(self, body: bytes, key: str, **headers: str) -> httpx.Response:
        """Hand in bytes."""
        sent = {
            "content-type": "application/json",
            **bearer(key),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.client.post("/v1/tenants/acme/sms", content=body, headers=sent)

    def look(self, id_: str, key: str, tenant: str = "acme") -> httpx.Response:
        """Ask where a text stands."""
        return self.client.get(f"/v1/tenants/{tenant}/sms/{id_}", headers=bearer(key))


def tenant_file(name: str, sender: str, unconnected: str) -> str:
    """A tenant with the console for its sender, and one whose provider account is not in order."""
    text = _FILE.format(name=name, sender=sender, unconnected=unconnected)
    return text + "".join(_SENDER.format(address=address) for address in (sender, unconnected))


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"authorization": f"Bearer {key}"}


def plain(**other: Any) -> dict[str, Any]:
    """A body against which nothing stands, with these fields otherwise; ... leaves one out."""
    return {name: value for name, value in {**PLAIN, **other}.items() if value is not ...}
