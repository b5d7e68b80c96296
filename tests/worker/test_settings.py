from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.errors import ConfigurationError
from worker.settings import PREFIX, Settings, load_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_everything_hangs_on_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One variable is enough: databases, keys, tenants and secrets follow it."""
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    settings = load_settings()
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/sluicegate.db"
    assert settings.keyring_url.get_secret_value() == f"sqlite:///{tmp_path}/keyring.db"
    assert settings.tenants_dir == tmp_path / "tenants"
    assert settings.secrets_dir == tmp_path / "secrets"
    assert settings.master_key_file == tmp_path / "master.key"


def test_on_postgresql_the_keyring_defaults_to_the_same_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two databases need two addresses only where they are on two servers."""
    monkeypatch.setenv("SLUICEGATE_DATABASE_URL", "postgresql+psycopg://worker@127.0.0.1/messages")
    assert load_settings().keyring_url == load_settings().database_url
    monkeypatch.setenv("SLUICEGATE_KEYRING_URL", "postgresql+psycopg://keys@127.0.0.1/keys")
    assert load_settings().keyring_url != load_settings().database_url


def test_the_default_listeners_are_on_loopback() -> None:
    """Nothing is opened to the network unless somebody says so."""
    settings = load_settings()
    assert (settings.webhook_host, settings.admin_host) == ("127.0.0.1", "127.0.0.1")
    assert settings.external_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "name", ["SLUICEGATE_TENANT_DIR", "SLUICEGATE_WEBHOOK_PORT", "SLUICEGATE_DEBUG", "sluicegate_debug"]
)
def test_an_unknown_variable_is_an_error_that_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting never passes silently, and its value is not shown."""
    monkeypatch.setenv(name, "hush-hush")
    with pytest.raises(ConfigurationError, match=name) as raised:
        load_settings()
    assert "hush-hush" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_misspelt_variable_is_told_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which setting was probably meant."""
    monkeypatch.setenv("SLUICEGATE_TENANT_DIR", "/x")
    with pytest.raises(ConfigurationError, match="is SLUICEGATE_TENANTS_DIR meant"):
        load_settings()
    monkeypatch.setenv("SLUICEGATE_WEBHOOK_PORT", "8081")
    with pytest.raises(ConfigurationError, match="or SLUICEGATE_WEBHOOK_LISTEN_PORT meant"):
        load_settings()


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8081"), ("::", "http://[::1]:8081"), ("10.0.0.1", "http://10.0.0.1:8081")],
)
def test_this_machine_reaches_its_own_listener(host: str, url: str) -> None:
    """What listens everywhere listens on loopback too."""
    assert Settings(webhook_host=host, webhook_listen_port=8081).local_url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICEGATE_SERVICE_HOST", "10.0.0.1"),
        ("SLUICEGATE_SERVICE_PORT_HTTP", "80"),
        ("SLUICEGATE_PORT", "tcp://10.0.0.1:80"),
        ("SLUICEGATE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("SLUICEGATE_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ("SLUICEGATE_ADMIN_SERVICE_PORT", "9090"),
        ("SLUICEGATE_ADMIN_PORT", "tcp://10.0.0.2:9090"),
        ("SLUICEGATE_ADMIN_PORT_9090_TCP", "tcp://10.0.0.2:9090"),
        ("SLUICEGATE_ADMIN_PORT_9090_TCP_PROTO", "tcp"),
        ("SLUICEGATE_SECRET_ACME", "s3cret"),
    ],
)
def test_what_kubernetes_injects_and_tenants_refer_to_is_let_be(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service named sluicegate, or sluicegate-admin, does not stop the worker."""
    monkeypatch.setenv(name, value)
    load_settings()


def test_every_wrong_variable_is_named_at_once_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run tells all that has to be changed, without repeating what stood there."""
    wrong = {
        "SLUICEGATE_WEBHOOK_LISTEN_PORT": "70000-canary",
        "SLUICEGATE_DRAIN_SECONDS": "soon-canary",
        "SLUICEGATE_PUBLIC_URL": "ftp://canary",
        "SLUICEGATE_MAX_BODY_BYTES": "1",
        "SLUICEGATE_NO_SUCH": "canary",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert all(any(name in sentence for sentence in raised.value.sentences) for name in wrong)
    assert len(raised.value.sentences) == len(wrong)
    assert "canary" not in str(raised.value)


def test_settings_made_in_code_hide_their_values_too() -> None:
    """The library's own error would quote what it was given."""
    with pytest.raises(ValidationError) as raised:
        Settings(webhook_listen_port="canary")  # type: ignore[arg-type]
    assert "canary" not in str(raised.value)


def test_a_database_password_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings may be printed by accident; the password may not."""
    monkeypatch.setenv("SLUICEGATE_DATABASE_URL", "postgresql+psycopg://worker:hush@127.0.0.1/messages")
    assert "hush" not in repr(load_settings())


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files hand over empty strings for what was not set."""
    monkeypatch.setenv("SLUICEGATE_PUBLIC_URL", "")
    assert load_settings().public_url is None


def test_the_public_address_has_no_trailing_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are appended to it."""
    monkeypatch.setenv("SLUICEGATE_PUBLIC_URL", "https://hooks.example.org/")
    assert load_settings().external_url == "https://hooks.example.org"


def test_every_setting_has_help_text() -> None:
    """The documentation of a setting is the setting."""
    assert not [name for name, field in Settings.model_fields.items() if not field.description]
