"""Whole workers with a tenant that sends texts, and clients that hand some in and never forget what they were answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import func, select

from tests.databases import Databases
from tests.flows.senders import beside
from tests.worker.api_house import SENDER, UNCONNECTED, bearer, plain, tenant_file
from worker.acts import Operator
from worker.api.access import issue
from worker.api.keys import KeyScope
from worker.conformance.rig import SERVE, Rig
from worker.crypto import Aes256Gcm, CipherFactory
from worker.runtime import wall_clock
from worker.store import decisions, outbox
from worker.store.messages import messages
from worker.store.submissions import submissions

TENANT: Final = "acme"


def rig_that_sends(
    directory: Path,
    databases: Databases | None = None,
    command: Sequence[str] = SERVE,
    factory: CipherFactory = Aes256Gcm,
) -> Rig:
    """A worker that is not started, with one tenant that sends to the console."""
    urls = (databases.store_url, databases.keyring_url) if databases is not None else None
    rig = Rig(directory, command, factory, urls)
    (rig._secrets / TENANT).mkdir(mode=0o700)
    (rig._secrets / TENANT / "console").write_text("a-secret-of-a-test")
    (rig._tenants / f"{TENANT}.toml").write_text(tenant_file("Acme", SENDER, UNCONNECTED))
    return rig


def key_of(rig: Rig, *scopes: KeyScope) -> str:
    """A new key of the tenant, while the worker runs."""
    with rig.opened() as (store, keyring):
        operator = Operator(name="Ann", why="a test")
        return issue(
            store,
            keyring,
            TENANT,
            scopes=scopes or (KeyScope.SEND,),
            label="a test",
            operator=operator,
            now=wall_clock(),
        )


def client_of(rig: Rig, key: str) -> httpx.Client:
    """A client of the interface that shows this key."""
    return httpx.Client(base_url=rig.admin_url, headers=bearer(key), trust_env=False, timeout=30)


def hand_in(client: httpx.Client, body: Any) -> httpx.Response:
    """One call. Raises what httpx raises where nobody answers."""
    return client.post(f"/v1/tenants/{TENANT}/sms", json=body)


class Submitter:
    """Hands in texts under references of its own, again and again, and keeps every answer under its reference."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.answers: dict[str, set[bytes]] = {}

    def body(self, index: int) -> dict[str, Any]:
        """The same for the same index."""
        reference = f"{self.number}-{index}"
        return plain(
            text=f"Your code is {self.number:03d}{index:05d}",
            recipient=f"+1202555{1000 + 37 * self.number + index % 37:04d}",
            client_reference=reference,
        )

    def work(self, rig: Rig, key: str, stop: threading.Event) -> None:
        """Hand in new and earlier texts until told to stop, or until nobody answers."""
        with client_of(rig, key) as client:
            while not stop.is_set():
                index = len(self.answers)
                try:
                    for again in {index, index // 2}:
                        self.note(self.body(again), hand_in(client, self.body(again)))
                except httpx.TransportError:
                    # Nobody knows whether it was taken: it is handed in again, with all the others.
                    self.answers.setdefault(self.body(index)["client_reference"], set())
                    return

    def finish(self, rig: Rig, key: str) -> None:
        """Hand in everything once more."""
        with client_of(rig, key) as client:
            for index in range(len(self.answers)):
                self.note(self.body(index), hand_in(client, self.body(index)))

    def note(self, body: dict[str, Any], answer: httpx.Response) -> None:
        """Keep an answer; 503 is none."""
        assert answer.status_code in {202, 503}, answer.status_code
        self.answers.setdefault(body["client_reference"], set())
        if answer.status_code == 202:
            self.answers[body["client_reference"]].add(answer.content)


@contextmanager
def submitting(rig: Rig, key: str, submitters: Sequence[Submitter]) -> Iterator[None]:
    """While this lasts, they work."""
    stop = threading.Event()
    threads = [threading.Thread(target=one.work, args=(rig, key, stop)) for one in submitters]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def counts(rig: Rig, copy: Path) -> dict[str, int]:
    """How many rows there are on disk; the chain holds."""
    with beside(rig, copy) as (store, _keyring), store.reading() as tx:
        assert decisions.verify(tx, TENANT) is None
        outbound = messages.c.direction == "outbound"
        return {
            "submissions": tx.execute(select(func.count()).select_from(submissions)).scalar_one(),
            "outbox": tx.execute(select(func.count()).select_from(outbox.outbox)).scalar_one(),
            "messages": tx.execute(select(func.count()).select_from(messages).where(outbound)).scalar_one(),
        }
