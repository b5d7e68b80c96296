"""Replaying: bodies go out byte for byte, signed with the tenant's current secret."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from connectors.contract import Credentials, WebhookRequest
from connectors.registry import CONNECTORS
from worker.cli import app
from worker.commands import replay as command
from worker.commands.replay import post, replay, tenant_connector
from worker.errors import ConfigurationError, Unavailable
from worker.settings import Settings, load_settings
from worker.tenants.loading import TenantConnector
from worker.tour import samples
from worker.tour.samples import Scene

BODY = b'{"object": "instagram", "entry":  []}\n'


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A tenant on disk whose ring holds a current and a previous secret."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    for name, text in (("new", "current\n"), ("old", "previous\n"), ("verify", "token\n")):
        path = tmp_path / "secrets" / "acme" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.toml").write_text(
        'name = "Acme"\n[connectors.instagram]\naccounts = ["1"]\n'
        'signing_secrets = ["file:new", "file:old"]\nverify_tokens = ["file:verify"]\n'
    )
    return load_settings()


def client(*answers: int | Exception) -> tuple[httpx.Client, list[httpx.Request]]:
    """A client whose requests are answered one after the other."""
    waiting, posted = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append(request)
        next_one = waiting.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return httpx.Response(next_one)

    return httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(answer)), posted


URL = "https://hooks.example.org"


def test_the_current_secret_signs_the_exact_bytes(settings: Settings) -> None:
    """The delivery verifies with the first secret of the ring."""
    source = tenant_connector(settings, "acme", "instagram")
    http, posted = client(200)
    assert post(http, "acme", source, BODY, URL) == 200
    (request,) = posted
    assert request.url.path == "/webhooks/acme/instagram"
    assert request.content == BODY
    current = Credentials(signing_secrets=(b"current",))
    given = WebhookRequest(method="POST", headers=dict(request.headers), query={}, body=request.content)
    CONNECTORS["instagram"].verify(given, current)


def source(name: str = "x") -> TenantConnector:
    """Any connector with any secret."""
    credentials = Credentials(signing_secrets=(b"s",))
    return TenantConnector(connector=CONNECTORS[name], accounts=frozenset({"1"}), credentials=credentials)


def test_a_signature_over_the_address_is_over_the_public_one() -> None:
    """Which is the one that the worker checks, wherever it is posted to."""
    http, posted = client(200)
    body = b"MessageSid=SM1&MessageStatus=sent&From=1"
    assert post(http, "acme", source("sms-twilio"), body, URL) == 200
    (request,) = posted
    given = WebhookRequest(
        method="POST",
        headers=dict(request.headers),
        query={},
        body=request.content,
        url=f"{URL}/webhooks/acme/sms-twilio",
    )
    CONNECTORS["sms-twilio"].verify(given, Credentials(signing_secrets=(b"s",)))


def test_what_only_the_platform_can_sign_is_said() -> None:
    """With a public key nobody here signs anything."""
    http, posted = client(200)
    with pytest.raises(ConfigurationError, match="sms-telnyx: only the platform can sign"):
        post(http, "acme", source("sms-telnyx"), b"{}", URL)
    assert posted == []


def test_a_worker_that_is_about_to_listen_is_waited_for() -> None:
    """A refused connection is tried again; an answer is an answer, whatever it says."""
    http, posted = client(httpx.ConnectError("refused"), httpx.ReadError("cut"), 503)
    assert post(http, "acme", source(), BODY, URL) == 503
    assert len(posted) == 3


def test_a_worker_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few tries it is said in a sentence that holds no body."""
    monkeypatch.setattr(command, "_TRIES", 2)
    http, _ = client(httpx.ConnectError("refused"), httpx.ConnectError("refused"))
    with pytest.raises(Unavailable, match="does not answer") as raised:
        post(http, "acme", source(), BODY, URL)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("tenant", "connector", "said"),
    [("nobody", "instagram", "no such tenant"), ("acme", "x", "no such connector, but: instagram")],
)
@pytest.mark.usefixtures("settings")
def test_what_is_not_configured_is_named(tmp_path: Path, tenant: str, connector: str, said: str) -> None:
    """A tenant or connector that is not there is a sentence."""
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    with pytest.raises(ConfigurationError, match=said):
        replay([body], tenant, connector)


@pytest.mark.usefixtures("settings")
def test_what_is_wrong_with_the_tenant_is_named(tmp_path: Path) -> None:
    """A secret that is missing is named, not shown."""
    (tmp_path / "secrets" / "acme" / "new").unlink()
    with pytest.raises(ConfigurationError, match=r"signing_secrets\[0\]"):
        replay([tmp_path / "acme.json"], "acme", "instagram")


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://[", ""])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    """The expected form is named."""
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    with pytest.raises(ConfigurationError, match="expected an address"):
        replay([body], "acme", "instagram", url)


@pytest.mark.parametrize(("account", "told"), [("1", "200"), ("2", "200 (nothing kept: ")])
def test_a_body_of_another_account_leaves_nothing_and_that_is_said(
    account: str, told: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker answers 200 all the same; the default address is that of the settings."""
    asked: list[str] = []
    http, _ = client(200)

    def connected(base_url: str, **_: object) -> httpx.Client:
        asked.append(base_url)
        return http

    monkeypatch.setattr(httpx, "Client", connected)
    (settings.data_dir / "body.json").write_bytes(samples.text("instagram", Scene.fresh(account), "words"))
    result = CliRunner().invoke(
        app, ["replay", str(settings.data_dir / "body.json"), "-tacme", "-cinstagram"]
    )
    assert (result.exit_code, asked) == (0, ["http://127.0.0.1:8080"])
    assert f"body.json: {told}" in result.stdout


@pytest.mark.usefixtures("settings")
def test_a_body_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named before anything is posted."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        replay([tmp_path / "none.json"], "acme", "instagram")
