"""A worker that sends is killed, at any moment: no text is accepted twice, and of each it is known where it stands."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import update

from connectors.registry import CONNECTORS
from policies.sms.purpose import Purpose
from tests.databases import ENGINES, Databases, Provisioner
from worker.conformance.rig import Rig
from worker.errors import Unavailable
from worker.runtime import wall_clock
from worker.settings import PREFIX
from worker.sms.outbound import Outbound
from worker.sms.submission import Answer, Ruling, Submission
from worker.standins.catalogue import STANDINS
from worker.standins.provider import Account, Conduct, Received, Reply, Taken
from worker.standins.server import StandIn
from worker.store import outbox
from worker.store.outbox import OutboxState, Outgoing
from worker.tenants.loading import Tenant, TenantSource, load_all
from worker.tenants.secrets import Secrets

SENDER = "+12025550123"
SECRET = "made-up-secret"
PER_ROUND = 12
FILE = """
name = "Acme"
[connectors.sms-telnyx]
accounts = ["+12025550123"]
signing_secrets = ["file:public_key"]
[connectors.sms-telnyx.sending]
base_url = "{url}"
api_key = ["file:api_key"]
[sms]
brands = ["Acme"]
templates = ["Your number is {{digits}}"]
sender_rate = {{ messages = 1000, seconds = 1 }}
[[sms.senders]]
address = "+12025550123"
kind = "did"
owner = "Acme"
evidence = "owned"
reference = "contract 12"
country = "US"
registrations = [{{ registry = "10dlc", id = "C-1" }}]
[[egress]]
host = "127.0.0.1"
purpose = "sms"
region = "US"
legal_basis = "contract"
"""


class SendingRig(Rig):
    """A worker that may call loopback, with one tenant that sends."""

    def furnish(self, url: str) -> None:
        """Write the tenant's file and secrets."""
        folder = self._secrets / "acme"
        folder.mkdir(mode=0o700)
        (folder / "api_key").write_text(SECRET)
        (folder / "public_key").write_text("A" * 43 + "=")
        (self._tenants / "acme.toml").write_text(FILE.format(url=url))

    def tenant(self) -> Tenant:
        """The tenant, as the worker loads it."""
        secrets = Secrets(directory=self._secrets, environment={})
        tenants = load_all(TenantSource(directory=self._tenants, secrets=secrets, connectors=CONNECTORS))
        assert tenants.problems == ()
        return tenants.versions["acme"].tenant

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            f"{PREFIX}EGRESS_ALLOW": "127.0.0.0/8",
            f"{PREFIX}SEND_SECONDS": "2",
            f"{PREFIX}SEND_THREADS": "4",
            f"{PREFIX}PUBLIC_URL": "http://127.0.0.1:9",
        }


class Murderous(StandIn):
    """Kills the worker at a chosen moment of a chosen text, once."""

    def __init__(self, kill: Callable[[], None]) -> None:
        account = Account(secret=SECRET, signing=b"s" * 32, senders=frozenset({SENDER}))
        super().__init__(STANDINS["sms-telnyx"], account)
        self._kill = kill
        self.moment = ""
        self.countdown = 0
        self._counting = threading.Lock()

    def plan(self, moment: str, after: int) -> None:
        self.moment, self.countdown = moment, after

    def conduct_now(self) -> Conduct:
        self._perhaps("arriving")
        return super().conduct_now()

    def accept(self, received: Received) -> Taken | Reply:
        self._perhaps("accepting")
        taken = super().accept(received)
        self._perhaps("accepted")
        return taken

    def _perhaps(self, moment: str) -> None:
        if moment == self.moment:
            with self._counting:
                self.countdown -= 1
                due = self.countdown == 0
            if due:
                self._kill()


MOMENTS = ("arriving", "accepting", "accepted", "any")


def killed_again_and_again(rig: SendingRig, moments: Sequence[str]) -> None:
    random = Random()

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.kill(rig.pid, signal.SIGKILL)

    with Murderous(kill) as standin:
        rig.furnish(standin.url)
        with rig.opened() as (store, keyring):
            store.migrate()
            keyring.migrate()
        for number, moment in enumerate(moments):
            hand_in(rig, number * PER_ROUND)
            standin.plan(moment, random.randint(1, PER_ROUND // 2))
            with suppress(Unavailable):  # it may be killed before it says that it is ready
                rig.start()
            if moment == "any":
                time.sleep(random.uniform(0, 0.3))
                kill()
            assert rig._running().wait(30) == -signal.SIGKILL, rig.errors.read_text()
            pass_time(rig)
        with rig.running():
            wait_until(
                lambda: not {OutboxState.QUEUED, OutboxState.CALLING} & {one.state for one in rows(rig)}
            )
            status = dict(rig.pages())["/status"]
            assert rig.stop() == 0
        held = rows(rig)
        told = rig.log.read_text()
        accepted = standin.texts()
    assert len(held) == PER_ROUND * len(moments)
    assert max(accepted.values()) == 1, "a text was accepted twice"
    for row in held:
        if row.id.hex() in accepted:
            assert row.state in {OutboxState.SENT, OutboxState.UNKNOWN}
        else:
            assert row.state is OutboxState.UNKNOWN
        assert row.state is OutboxState.SENT or f'"ref":"{row.key.hex()}"' in told
    unknown = sum(row.state is OutboxState.UNKNOWN for row in held)
    assert unknown <= 4 * len(moments), "more than was under way"
    if unknown:
        assert b'"unknown"' in status


def hand_in(rig: SendingRig, first: int) -> None:
    """Texts to different people, while the worker is away."""
    tenant = rig.tenant()
    with rig.opened() as (store, keyring):
        texts = [
            Submission(
                sender=SENDER,
                recipient=f"+1202555{first + index:04d}",
                text=f"Your number is {first + index}",
                purpose=Purpose.TRANSACTIONAL,
                submitter="Jane Roe",
            )
            for index in range(PER_ROUND)
        ]
        results = Outbound(store, keyring, wall_clock, lambda _committed: None).submit(tenant, texts)
    assert {one.verdict for one in results if isinstance(one, Answer)} == {Ruling.ACCEPTED}


def pass_time(rig: SendingRig) -> None:
    """The leases of whoever was killed have ended."""
    with rig.opened() as (store, _), store.transaction() as tx:
        tx.execute(update(outbox.outbox).values(lease_until=1))


def rows(rig: SendingRig) -> list[Outgoing]:
    with rig.opened() as (store, _), store.reading() as tx:
        keys = [row.key for row in tx.execute(outbox.outbox.select())]
        return list(outbox.find(tx, "acme", keys).values())


def wait_until(happens: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)


def rig_on(databases: Databases, directory: Path) -> SendingRig:
    return SendingRig(directory / "worker", databases=(databases.store_url, databases.keyring_url))


@pytest.mark.parametrize(
    ("engine", "moments"),
    [("sqlite", ("arriving", "accepted")), ("postgresql", ("accepting", "any"))],
    ids=ENGINES,
)
def test_no_text_is_accepted_twice_and_none_is_lost(
    engine: str, moments: tuple[str, ...], tmp_path: Path, provisioner: Provisioner
) -> None:
    """Killed while a request arrives, is accepted, is answered, and at some moment."""
    killed_again_and_again(rig_on(provisioner.empty(engine), tmp_path), moments)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_text_is_accepted_twice_in_many_rounds(
    engine: str, tmp_path: Path, provisioner: Provisioner
) -> None:
    """The same, many times."""
    killed_again_and_again(rig_on(provisioner.empty(engine), tmp_path), MOMENTS * 12)
