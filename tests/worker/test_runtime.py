"""The whole worker in this process, on both engines: started, asked, reloaded, drained, started again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors import sample
from connectors.registry import CONNECTORS
from tests.collected import Collected
from tests.databases import Databases, Provisioner
from worker import opening
from worker.errors import ConfigurationError, SluicegateError, Unavailable
from worker.log.lines import ConfigurationLine, DeliveryLine, LifecycleLine, Phase
from worker.opening import SingleProcess, open_all
from worker.runtime import Runtime
from worker.settings import PREFIX, Settings
from worker.store.engine import StoreError
from worker.tour.samples import Scene, text

SECRET = b"app-secret-of-a-test"
ACCOUNT = "17841400000000077"
TENANT = f"""
name = "Acme"
[connectors.instagram]
accounts = ["{ACCOUNT}"]
signing_secrets = ["file:app"]
verify_tokens = ["file:token"]
[connectors.x]
accounts = ["{ACCOUNT}"]
signing_secrets = ["file:absent"]
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


class House:
    """The files of a worker, and workers on them."""

    def __init__(self, directory: Path, databases: Databases) -> None:
        self.directory = directory
        key = base64.b64encode(bytes(range(32)))
        (directory / "master.key").write_bytes(key)
        (directory / "master.key").chmod(0o600)
        (directory / "tenants").mkdir()
        self.secrets = directory / "secrets" / "acme"
        self.secrets.mkdir(parents=True)
        self.write_tenant(TENANT)
        (self.secrets / "app").write_bytes(SECRET + b"\n")
        (self.secrets / "token").write_bytes(b"verify-me\n")
        self.settings = Settings(
            data_dir=directory,
            database_url=SecretStr(databases.store_url),
            keyring_url=SecretStr(databases.keyring_url),
            webhook_listen_port=0,
            admin_listen_port=0,
            public_url="https://hooks.example.org",
            reload_seconds=0.05,
            drain_seconds=5,
        )
        self.log = Collected()

    def write_tenant(self, content: str) -> None:
        (self.directory / "tenants" / "acme.toml").write_text(content)

    @contextmanager
    def running(self, **changed: Any) -> Iterator[tuple[Runtime, httpx.Client, httpx.Client]]:
        runtime = Runtime(self.settings.model_copy(update=changed), self.log)
        runtime.start()
        try:
            with (
                httpx.Client(
                    base_url=f"http://127.0.0.1:{runtime.webhook_port}", trust_env=False
                ) as webhooks,
                httpx.Client(base_url=f"http://127.0.0.1:{runtime.admin_port}", trust_env=False) as admin,
            ):
                yield runtime, webhooks, admin
        finally:
            assert runtime.stop()
            assert not runtime.alive
            assert not runtime.ledger.alive


@pytest.fixture
def house(tmp_path: Path, databases: Databases) -> House:
    """On SQLite and on PostgreSQL."""
    return House(tmp_path, databases)


@pytest.fixture
def small(tmp_path: Path, sqlite: Databases) -> House:
    """On SQLite alone: what does not depend on the engine."""
    return House(tmp_path, sqlite)


def post(client: httpx.Client, words: str = "hello", secret: bytes = SECRET) -> int:
    body = text("instagram", Scene.fresh(ACCOUNT), words)
    headers = sample.signed(CONNECTORS["instagram"], body, secret)
    return client.post("/webhooks/acme/instagram", content=body, headers=headers).status_code


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_delivery_goes_all_the_way(house: House) -> None:
    """Answered 200, stored, logged and counted; the status page shows the end of the decision chain."""
    with house.running() as (_runtime, webhooks, admin):
        assert post(webhooks) == 200
        _until(lambda: bool(house.log.of(DeliveryLine)))
        (line,) = house.log.of(DeliveryLine)
        assert line.dispositions == {"stored": 1}
        status = admin.get("/status").json()
        assert status["tenants"]["acme"]["decisions"] == {"sequence": line.sequence, "head": line.head}
        assert status["store"]["answers"] is True
        assert status["queue"]["deliveries"] == 0
        assert (
            'sluicegate_deliveries_total{connector="instagram",tenant="acme"} 1.0'
            in admin.get("/metrics").text
        )


def test_a_restart_goes_on_with_the_chain(house: House) -> None:
    """What was committed is there, and the next commit follows it."""
    for words in ("one", "two"):
        with house.running() as (_runtime, webhooks, _admin):
            assert post(webhooks, words) == 200
    _until(lambda: len(house.log.of(DeliveryLine)) == 2)
    assert [line.sequence for line in house.log.of(DeliveryLine)] == [1, 2]


def test_the_admin_listener_shows_health_and_no_content(small: House) -> None:
    """Alive, ready, and what is out of service with the reason; nothing that a message held."""
    with small.running() as (runtime, webhooks, admin):
        assert post(webhooks, "canary-words") == 200
        webhooks.get(
            "/webhooks/acme/instagram",
            params={"hub.mode": "subscribe", "hub.verify_token": "verify-me", "hub.challenge": "7"},
        )
        assert admin.get("/livez").status_code == 200
        ready = admin.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        status = admin.get("/status").json()
        assert status["tenants"]["acme"]["connectors"]["x"] == {"in_service": False}
        assert status["tenants"]["acme"]["connectors"]["instagram"]["last_handshake"].startswith("20")
        assert len(status["problems"]) == 1
        pages = [admin.get(page).text for page in ("/status", "/metrics", "/readyz")]
        assert "canary-words" not in "".join(pages)
        assert "verify-me" not in "".join(pages)
        assert admin.get("/webhooks/acme/instagram").status_code == 404
        assert admin.post("/status").status_code == 405
        assert webhooks.get("/metrics").status_code == 404
        assert runtime.drain()
        assert admin.get("/readyz").status_code == 503
        assert admin.get("/livez").status_code == 200


def test_readiness_does_not_hang_on_the_store(house: House) -> None:
    """One database that is down must not take every replica out of the balancer; status says what is down."""
    with house.running() as (runtime, webhooks, admin):

        def down() -> None:
            raise StoreError("down")

        runtime.opened.store.ping = down  # type: ignore[method-assign]
        assert admin.get("/readyz").status_code == 200
        assert admin.get("/status").json()["store"] == {"answers": False, "milliseconds": None}
        assert webhooks.get("/webhooks/acme/instagram").status_code == 400


def test_a_rotated_secret_is_in_force_without_a_restart(small: House) -> None:
    """Files are looked at every few seconds; during the rotation both secrets sign."""
    with small.running() as (_runtime, webhooks, _admin):
        (small.secrets / "next").write_bytes(b"next-secret")
        small.write_tenant(TENANT.replace('["file:app"]', '["file:next", "file:app"]'))
        _until(lambda: post(webhooks, secret=b"next-secret") == 200)
        assert post(webhooks, secret=SECRET) == 200


def test_a_bad_file_on_reload_is_told_and_changes_nothing(small: House) -> None:
    """The previous version stays in force."""
    with small.running() as (_runtime, webhooks, _admin):
        small.write_tenant("nom = 1")
        _until(lambda: any(line.key == "nom" for line in small.log.of(ConfigurationLine)))
        assert post(webhooks) == 200


def test_a_bad_file_at_the_start_is_503_and_mending_it_is_enough(small: House) -> None:
    """The platform is told to come back, and comes back to a tenant that serves."""
    small.write_tenant("nom = 1")
    with small.running() as (_runtime, webhooks, _admin):
        assert post(webhooks) == 503
        small.write_tenant(TENANT)
        _until(lambda: post(webhooks) == 200)


def test_a_callback_is_recorded_once(house: House) -> None:
    """The same request gets the same code; its page is found, and another tenant's is not."""
    claims = {"algorithm": "HMAC-SHA256", "issued_at": int(time.time()), "user_id": "app-scoped-5"}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    digest = base64.urlsafe_b64encode(hmac.digest(SECRET, payload, hashlib.sha256)).rstrip(b"=")
    body = b"signed_request=" + digest + b"." + payload
    with house.running() as (_runtime, webhooks, _admin):
        first, again = (
            webhooks.post("/webhooks/acme/instagram/data-deletion", content=body).json() for _ in range(2)
        )
        assert first == again
        assert first["url"].startswith("https://hooks.example.org/data-deletion/acme/")
        page = webhooks.get(first["url"].removeprefix("https://hooks.example.org"))
        assert page.status_code == 200
        assert first["confirmation_code"] in page.text
        assert "app-scoped-5" not in page.text
        assert webhooks.get(f"/data-deletion/other/{first['confirmation_code']}").status_code == 404


def test_draining_finishes_what_is_in_flight(house: House) -> None:
    """Every request that was taken before the stop is answered, and what was answered 200 is stored."""
    answers: list[int] = []
    with house.running() as (_runtime, webhooks, _admin):
        threads = [threading.Thread(target=lambda: answers.append(post(webhooks))) for _ in range(20)]
        for thread in threads:
            thread.start()
        _until(lambda: len(answers) >= 1)
        for thread in threads:
            thread.join()
    assert answers == [200] * 20
    phases = [line.phase for line in house.log.of(LifecycleLine)]
    assert phases == [Phase.TENANTS_LOADED, Phase.READY, Phase.DRAINING, Phase.STOPPED]


# -- refusing to start -----------------------------------------------------------------------------------------------


def refused(house: House, **changed: Any) -> SluicegateError:
    with pytest.raises(SluicegateError) as error:
        Runtime(house.settings.model_copy(update=changed), house.log).close()
    return error.value


def test_an_old_schema_is_refused_with_what_to_do(tmp_path: Path, provisioner: Provisioner) -> None:
    """Nobody's data is migrated unasked."""
    house = House(tmp_path, provisioner.empty("sqlite"))
    error = refused(house)
    assert error.exit_code == 2
    assert "run `sluicegate migrate`" in str(error)
    with house.running(migrate_on_start=True):
        pass


def test_a_missing_master_key_is_refused_and_never_made_anew(house: House) -> None:
    """Also when told to migrate: a new key would open nothing."""
    with house.running() as (_runtime, webhooks, _admin):
        assert post(webhooks) == 200
    (house.directory / "master.key").unlink()
    for migrate in (False, True):
        assert "give the key file of this store" in str(refused(house, migrate_on_start=migrate))
    assert not (house.directory / "master.key").exists()


def test_a_missing_keyring_is_refused_and_never_made_anew(tmp_path: Path, provisioner: Provisioner) -> None:
    """Also when told to migrate: its new keys would open nothing that is stored."""
    house = House(tmp_path, provisioner.empty("sqlite"))
    with house.running(migrate_on_start=True) as (_runtime, webhooks, _admin):
        assert post(webhooks) == 200
    keyring = Path(house.settings.keyring_url.get_secret_value().removeprefix("sqlite:///"))
    keyring.unlink()
    for migrate in (False, True):
        assert "restore the keyring" in str(refused(house, migrate_on_start=migrate))
    assert not keyring.exists()


def test_another_master_key_is_refused(house: House) -> None:
    """It is noticed before anything is written."""
    (house.directory / "master.key").write_bytes(base64.b64encode(bytes(32)))
    assert "not the one of this keyring" in str(refused(house))


@pytest.mark.parametrize("content", [b"", b"short", base64.b64encode(bytes(31)), b"\xff" * 44])
def test_what_is_no_key_is_refused_without_showing_it(content: bytes, small: House) -> None:
    """The file is named, its content is not."""
    (small.directory / "master.key").write_bytes(content)
    error = refused(small)
    assert error.exit_code == 2
    assert "short" not in str(error)


def test_a_new_store_gets_a_key_when_told_to_migrate(tmp_path: Path, provisioner: Provisioner) -> None:
    """Only then, and readable by its owner alone."""
    house = House(tmp_path, provisioner.empty("sqlite"))
    key = house.directory / "master.key"
    key.unlink()
    assert "`sluicegate migrate` makes one" in str(refused(house))
    open_all(house.settings, migrate=True).close()
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_second_worker_on_one_embedded_store_is_refused(small: House) -> None:
    """SQLite serves one process; when the first is gone the next may begin."""
    with small.running():
        error = refused(small)
        assert "another worker is using this store" in str(error)
    with small.running():
        pass


def test_workers_share_postgresql(tmp_path: Path, postgresql: Databases) -> None:
    """Any number of them."""
    house = House(tmp_path, postgresql)
    with house.running() as (_one, first, _), house.running() as (_two, second, _):
        assert [post(first), post(second)] == [200, 200]


def test_a_data_directory_that_cannot_be_made_is_refused(small: House) -> None:
    """The setting is named."""
    (small.directory / "file").write_text("")
    error = refused(small, data_dir=small.directory / "file" / "data")
    assert "SLUICEGATE_DATA_DIR" in str(error)


def test_a_port_that_is_taken_is_refused_and_everything_let_go(small: House) -> None:
    """Exit code 1: the same start may work later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = refused(small, webhook_listen_port=taken.getsockname()[1])
    assert isinstance(error, Unavailable)
    assert "address already in use" in str(error)
    with small.running():
        pass


@pytest.mark.parametrize("url", ["mysql://root:hush@127.0.0.1/x", "::hush::"])
def test_an_impossible_database_is_refused_without_its_address(url: str, small: House) -> None:
    """It may hold a password."""
    error = refused(small, database_url=SecretStr(url))
    assert isinstance(error, ConfigurationError)
    assert "hush" not in str(error)


def test_a_database_that_is_down_is_said_plainly(small: House) -> None:
    """Exit code 1, no address, no password."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = SecretStr(f"postgresql+psycopg://u:hush@127.0.0.1:{port}/x")
    error = refused(small, database_url=url)
    assert (error.exit_code, str(error)) == (1, "the store database does not answer")


def test_the_lock_is_gone_with_its_process(small: House) -> None:
    """No stale lock file keeps a worker from starting after a crash."""
    opened = opening.open_all(small.settings, migrate=False)
    SingleProcess(opened.store).release()
    SingleProcess(opened.store).release()
    opened.close()
