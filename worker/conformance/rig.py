"""A whole worker of its own for an examination: fresh directories, tenants and keys, free ports, captured output."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import httpx
import msgspec

from connectors import sample
from connectors.registry import CONNECTORS
from worker.crypto import Aes256Gcm, CipherFactory, MasterKey
from worker.errors import Unavailable
from worker.keyring import Keyring, open_keyring
from worker.settings import PREFIX
from worker.store.engine import Store, open_store
from worker.transcripts import export

SERVE: Final = (sys.executable, "-c", "from worker.cli import main; main()", "serve")
"""``sluicegate serve`` by the interpreter that runs this, wherever its scripts were installed."""

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_TIMEOUT = httpx.Timeout(30.0)


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant: by connector the accounts it owns, and the secret that signs (one for all its connectors).

    ``oldest_days``: old samples are as welcome as new ones where it is not their age that is examined.
    """

    id: str
    accounts: Mapping[str, Sequence[str]]
    secret: str
    verify_token: str
    oldest_days: int = 36500

    @classmethod
    def fresh(
        cls, id_: str, accounts: Mapping[str, Sequence[str]], secret: str = "", verify_token: str = ""
    ) -> Guest:
        """A tenant with random secrets, but for those given."""
        return cls(
            id=id_,
            accounts=accounts,
            secret=secret or secrets.token_urlsafe(24),
            verify_token=verify_token or secrets.token_urlsafe(24),
        )


class Rig:
    """Directories, tenants and one worker process below ``directory`` (which must be empty).

    ``databases`` are the URLs of store and keyring; by default two files in the data directory.
    """

    def __init__(
        self,
        directory: Path,
        command: Sequence[str] = SERVE,
        factory: CipherFactory = Aes256Gcm,
        databases: tuple[str, str] | None = None,
    ) -> None:
        self.data = directory / "data"
        self.log = directory / "worker.log.writer"
        self.errors = directory / "worker.err"
        self._tenants = directory / "tenants"
        self._secrets = directory / "secrets"
        self._key = directory / "master.key"
        self._command = command
        self._factory = factory
        self.databases = databases or (
            f"sqlite:///{self.data / 'sluicegate.db'}",
            f"sqlite:///{self.data / 'keyring.db'}",
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = (0, 0)
        for made in (self.data, self._tenants, self._secrets):
            made.mkdir(mode=0o700, parents=True)
        MasterKey.generate(self._key)

    @property
    def url(self) -> str:
        """The webhook listener."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def admin_url(self) -> str:
        """The listener of metrics and status."""
        return f"http://127.0.0.1:{self._ports[1]}"

    @property
    def pid(self) -> int:
        """The worker's process."""
        return self._running().pid

    def admit(self, guest: Guest) -> None:
        """Write the tenant's file and secrets, for the next start or reload."""
        folder = self._secrets / guest.id
        folder.mkdir(mode=0o700)
        _write(folder / "signing", guest.secret)
        _write(folder / "verify", guest.verify_token)
        _write(self._tenants / f"{guest.id}.toml", _tenant_file(guest))

    def dismiss(self, guest: Guest) -> None:
        """Take the tenant's file away again, at the next reload: its accounts are free for others then."""
        (self._tenants / f"{guest.id}.toml").unlink()

    def reload(self, guests: Sequence[Guest]) -> None:
        """Have the worker read the tenant files again, until it serves all of ``guests``. Raises Unavailable."""
        self._running().send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(base_url=self.url, timeout=_TIMEOUT, trust_env=False) as client:
            for guest in guests:
                for connector in guest.accounts:
                    while not _is_served(client, guest, connector):
                        if time.monotonic() > deadline:
                            raise Unavailable("the worker does not serve the tenants that it was given")
                        time.sleep(0.01)

    def start(self) -> None:
        """Start the worker and wait until it is ready. Raises Unavailable with what it said."""
        self._ports = _free_ports()
        with self.log.open("ab") as log, self.errors.open("ab") as errors:
            self._process = self._spawn(log, errors)
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                said = self.errors.read_text(errors="replace").strip()[-2000:]
                raise Unavailable("the worker did not start", said)
            time.sleep(0.05)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End the worker; its exit code (negative: the signal that ended it)."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(with_signal)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """Start, hand out a client for the webhook listener, and end whatever happened (SIGKILL if needed)."""
        self.start()
        try:
            with httpx.Client(base_url=self.url, timeout=_TIMEOUT, trust_env=False) as client:
                yield client
        finally:
            if self._running().poll() is None:
                self.stop(signal.SIGKILL)

    @contextmanager
    def opened(self) -> Iterator[tuple[Store, Keyring]]:
        """The worker's store and keyring, opened beside it for reading."""
        store = open_store(self.databases[0])
        keyring = open_keyring(self.databases[1], MasterKey.load(self._key), self._factory)
        try:
            yield store, keyring
        finally:
            keyring.close()
            store.close()

    def pages(self) -> Iterator[tuple[str, bytes]]:
        """What the admin listener shows now."""
        with httpx.Client(base_url=self.admin_url, timeout=_TIMEOUT, trust_env=False) as client:
            for page in ("/metrics", "/status", "/livez", "/readyz"):
                yield page, client.get(page).content

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of every file of the data directory, and of everything the worker printed."""
        for path in sorted((*self.data.rglob("*"), self.log, self.errors)):
            if path.is_file():
                yield path.name, path.read_bytes()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the worker was not started")
        return self._process

    def _spawn(self, log: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
            self._command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=errors
        )

    def _environment(self) -> dict[str, str]:
        """Ours without the settings of another worker, which may be in it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        settings = {
            "DATA_DIR": self.data,
            "DATABASE_URL": self.databases[0],
            "KEYRING_URL": self.databases[1],
            "TENANTS_DIR": self._tenants,
            "SECRETS_DIR": self._secrets,
            "MASTER_KEY_FILE": self._key,
            "WEBHOOK_LISTEN_PORT": self._ports[0],
            "ADMIN_LISTEN_PORT": self._ports[1],
            "MIGRATE_ON_START": "true",
        }
        checkout = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (checkout, inherited.get("PYTHONPATH"))))
        return (
            inherited
            | {f"{PREFIX}{key}": str(value) for key, value in settings.items()}
            | {"PYTHONPATH": path}
        )

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.admin_url}/readyz", timeout=2.0, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def signed_post(client: httpx.Client, guest: Guest, connector: str, body: bytes) -> httpx.Response:
    """Post a delivery as the platform would, signed with the tenant's secret over its exact bytes."""
    path = f"/webhooks/{guest.id}/{connector}"
    url, now = str(client.base_url).rstrip("/") + path, time.time_ns() // 1000
    headers = sample.signed(CONNECTORS[connector], body, guest.secret.encode(), url=url, now=now)
    headers["content-type"] = "application/json"
    return client.post(path, content=body, headers=headers)


def _is_served(client: httpx.Client, guest: Guest, connector: str) -> bool:
    """No platform sends HEAD: it is refused (405) on a path that is known, and not found on any other."""
    return client.head(f"/webhooks/{guest.id}/{connector}").status_code == 405


def transcripts(store: Store, keyring: Keyring, guest: Guest) -> dict[str, Any]:
    """The tenant's export, as the product makes it."""
    return export(store, keyring, guest.id)


def _tenant_file(guest: Guest) -> str:
    lines = [f"name = {_quoted(guest.id)}", "[policy]", f"oldest_days = {guest.oldest_days}"]
    for connector, accounts in sorted(guest.accounts.items()):
        listed = ", ".join(_quoted(account) for account in sorted(accounts))
        lines += [f"[connectors.{connector}]", f"accounts = [{listed}]", 'signing_secrets = ["file:signing"]']
        if "verify_tokens" in CONNECTORS[connector].needs:
            lines.append('verify_tokens = ["file:verify"]')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes, but for surrogate pairs and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
