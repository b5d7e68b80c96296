"""Process settings: environment variables with the prefix ``SLUICEGATE_``. A variable nobody knows is an error."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.errors import ConfigurationError

PREFIX: Final = "SLUICEGATE_"
SECRET_PREFIX: Final = "SLUICEGATE_SECRET_"  # noqa: S105 - where secrets are, not one
"""Variables that tenant files may refer to as ``env:``."""

_foreign = re.compile(r"SLUICEGATE_(?:SERVICE_|PORT(?:_|\Z)|SECRET_)")
# Kubernetes also announces every service whose name merely begins like ours.
_announced = re.compile(
    r"SLUICEGATE_.+_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)\Z"
)
_announced_address = re.compile(r"(?:tcp|udp|sctp)://")


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("expected an address such as https://hooks.example.org")
    return value.rstrip("/")


def _networks(value: str) -> str:
    try:
        for item in value.replace(",", " ").split():
            ip_network(item)
    except ValueError:
        raise ValueError("expected networks such as 10.1.0.0/16, separated by commas") from None
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1024)]


class Settings(BaseSettings):
    """Everything a process can be told. Secrets of tenants never stand here: tenant files refer to them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, hide_input_in_errors=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(
        default=Path("data"), description="Directory of the embedded databases; made if absent."
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="sqlite:////path/file or postgresql+psycopg://user@host/name. Default: SQLite in DATA_DIR.",
    )
    keyring_url: SecretStr = Field(
        default=SecretStr(""),
        description="Database of the wrapped keys. Default: SQLite in DATA_DIR, or the schema `keyring` of"
        " DATABASE_URL on PostgreSQL.",
    )
    tenants_dir: Path = Field(
        default=Path(), description="One <tenant>.toml per tenant. Default: DATA_DIR/tenants."
    )
    secrets_dir: Path = Field(
        default=Path(), description="One directory of secret files per tenant. Default: DATA_DIR/secrets."
    )
    master_key_file: Path = Field(
        default=Path(),
        description="The key that opens the keyring, 32 bytes as base64. Default: DATA_DIR/master.key.",
    )
    signing_key_file: Path = Field(
        default=Path(),
        description="The Ed25519 key that signs checkpoints and receipts, PEM. Default: DATA_DIR/signing.key.",
    )
    journal_file: Path | None = Field(
        default=None,
        description="File of what was deleted, without content, on another disk than the databases: a restored backup is"
        " told it again. Default: none is kept.",
    )
    keyring_horizon_days: Annotated[int, Field(ge=1, le=365)] = Field(
        default=14,
        description="How old a backup of the keyring may become: what was erased is unreadable in all backups by then.",
    )
    public_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None,
        description="Where the webhook listener is reached from outside, e.g. https://hooks.example.org.",
    )

    webhook_host: str = Field(default="127.0.0.1", description="Address of the public listener (webhooks).")
    webhook_listen_port: Port = Field(default=8080, description="Its port; 0 takes any free one.")
    admin_host: str = Field(
        default="127.0.0.1", description="Address of the second listener (metrics, status)."
    )
    admin_listen_port: Port = Field(default=9090, description="Its port; 0 takes any free one.")

    migrate_on_start: bool = Field(
        default=False, description="Bring the databases to this version's schema before serving."
    )
    reload_seconds: Seconds = Field(default=5, description="How often tenant and secret files are looked at.")
    drain_seconds: Seconds = Field(default=20, description="How long a stop waits for what is in flight.")

    max_body_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = Field(
        default=4 << 20, description="Larger deliveries are refused (Meta sends up to 3 MB)."
    )
    max_bytes_in_flight: Annotated[int, Field(ge=1 << 20)] = Field(
        default=32 << 20,
        description="Bodies held at one time, all together; beyond it those larger than 64 KiB are told to come back.",
    )
    max_connections: Count = Field(
        default=800,
        description="Connections to the public listener at one time; idle ones make room for new ones.",
    )
    max_header_bytes: Bytes = Field(default=16 << 10, description="Request line and headers of one request.")
    header_seconds: Seconds = Field(default=10, description="How long a sender may take over its headers.")
    body_seconds: Seconds = Field(default=30, description="How long a sender may take over a whole request.")
    idle_seconds: Seconds = Field(default=75, description="How long an idle connection is kept.")
    answer_seconds: Seconds = Field(
        default=9,
        description="How long a delivery may wait for its commit before the sender is told to come back.",
    )
    retry_after_seconds: Count = Field(default=5, description="What Retry-After says with a 503.")
    queue_size: Count = Field(default=4096, description="Deliveries that may wait for the writer.")
    egress_allow: Annotated[str, AfterValidator(_networks)] = Field(
        default="",
        description="Private networks in which providers may be reached, also without TLS, e.g. 10.1.0.0/16."
        " Default: public addresses only.",
    )
    send_threads: Annotated[int, Field(ge=0, le=64)] = Field(
        default=8, description="Texts that may be on their way to providers at one time; 0 sends none."
    )
    send_seconds: Annotated[float, Field(gt=0, le=120)] = Field(
        default=15, description="How long a provider may take over one call."
    )
    unknown_seconds: Annotated[int, Field(ge=1, le=7 * 86_400)] = Field(
        default=3600,
        description="How long a text whose fate nobody knows holds back later ones of its pair, before a person decides.",
    )
    rights_months: Annotated[int, Field(ge=1, le=3)] = Field(
        default=1, description="Within how many calendar months a person's request is due (GDPR art. 12(3))."
    )
    rights_warning_days: Annotated[int, Field(ge=1, le=28)] = Field(
        default=7, description="So many days before a request is due it is told as a warning."
    )
    seal_seconds: Seconds = Field(
        default=300, description="How often decision chains that grew get a signed checkpoint."
    )
    self_audit_seconds: Annotated[float, Field(ge=0, le=7 * 86_400)] = Field(
        default=3600, description="How often each tenant's self-audit runs; 0: never by itself."
    )
    reconcile_seconds: Seconds = Field(
        default=900,
        description="How often platforms are asked what no webhook tells, for tenants that configured it.",
    )
    log_lines: Annotated[int, Field(ge=64)] = Field(
        default=65536, description="Log lines held while standard output is blocked; decisions last."
    )

    def model_post_init(self, _context: object, /) -> None:
        """Fill in what hangs on other settings."""
        self._default("database_url", SecretStr(_sqlite(self.data_dir / "sluicegate.db")))
        self._default("keyring_url", self._keyring())
        self._default("tenants_dir", self.data_dir / "tenants")
        self._default("secrets_dir", self.data_dir / "secrets")
        self._default("master_key_file", self.data_dir / "master.key")
        self._default("signing_key_file", self.data_dir / "signing.key")

    def _default(self, name: str, value: object) -> None:
        if name not in self.model_fields_set:
            object.__setattr__(self, name, value)

    def _keyring(self) -> SecretStr:
        if self.database_url.get_secret_value().startswith("postgresql"):
            return self.database_url
        return SecretStr(_sqlite(self.data_dir / "keyring.db"))

    @property
    def local_url(self) -> str:
        """Where a process on this machine reaches the webhook listener."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.webhook_host, self.webhook_host)  # noqa: S104 - nothing is bound here
        return f"http://{f'[{host}]' if ':' in host else host}:{self.webhook_listen_port}"

    @property
    def egress_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """EGRESS_ALLOW, read."""
        return tuple(map(ip_network, self.egress_allow.replace(",", " ").split()))

    @property
    def external_url(self) -> str:
        """PUBLIC_URL, or else what the listener is bound to."""
        host = f"[{self.webhook_host}]" if ":" in self.webhook_host else self.webhook_host
        return self.public_url or f"http://{host}:{self.webhook_listen_port}"


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises ConfigurationError that names every variable which is unknown or has a value that cannot be.
    """
    problems = list(_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = error.errors()
        problems += [
            f"{_variable(item['loc'])}: {item['msg'].removeprefix('Value error, ')}" for item in wrong
        ]
        raise ConfigurationError(*problems) from None
    if problems:
        raise ConfigurationError(*problems)
    return settings


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]).upper()
    return name if name.startswith(PREFIX) else PREFIX + name


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = [name.upper() for name in Settings.model_fields]
    for given, value in environment.items():
        name = given.upper()
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in known or _is_foreign(name, value):
            continue
        alike = get_close_matches(name.removeprefix(PREFIX), known, n=2, cutoff=0.7)
        meant = " or ".join(PREFIX + one for one in alike)
        yield f"{given}: no such setting" + (f"; is {meant} meant?" if meant else "")


def _is_foreign(name: str, value: str) -> bool:
    if _foreign.match(name) or _announced.match(name):
        return True
    return name.endswith("_PORT") and _announced_address.match(value) is not None


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path.absolute()}"
