"""Tenants: what one TOML file per tenant says, loaded whole or refused whole."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from connectors.contract import Connector, Credentials, Outbound, Reconciliation, Sending
from policies.digest import policy_digest
from policies.message import Private
from policies.retention import Retention
from policies.sms.countries import SenderKind
from policies.sms.policy import Prepared
from policies.tenant import TenantPolicy
from worker.tenants.file import (
    MAX_FILE_BYTES,
    TENANT_ID,
    ConnectorEntry,
    Problem,
    SendingEntry,
    read_tenant,
)
from worker.tenants.secrets import SecretRefused, Secrets
from worker.tenants.texts import Egress


class TenantConnector(Private, frozen=True, kw_only=True):
    """One connector of one tenant: whose accounts it takes (PP-1) and the secrets that sign its deliveries.

    ``sending`` is what it sends with, None where it only listens (or where what it would send with is not right);
    ``reconcile`` what it asks its platform with, None where it does not (or where that is not right).
    """

    connector: Connector
    accounts: frozenset[str]
    credentials: Credentials
    sending: Sending | None = None
    reconcile: Sending | None = None


class Tenant(Private, frozen=True, kw_only=True):
    """One tenant as in force. ``id`` is the file's name; ``policy_digest`` stands on every decision.

    ``sms`` is how its texts are judged, None where it sends none; ``egress`` is where it may send to (PP-5);
    ``retention`` is what is kept until when.
    """

    id: str
    name: str
    policy: TenantPolicy
    policy_digest: str
    connectors: Mapping[str, TenantConnector]
    sms: Prepared | None = None
    egress: tuple[Egress, ...] = ()
    retention: Retention = Retention()


class Version(Private, frozen=True, kw_only=True):
    """A tenant as its file was loaded.

    Connectors whose secrets are missing are ``out_of_service``; those that take deliveries and cannot send, because a
    secret or a destination is missing, are ``not_sending``.
    """

    tenant: Tenant
    out_of_service: frozenset[str] = frozenset()
    not_sending: frozenset[str] = frozenset()


class Tenants(Private, frozen=True, kw_only=True):
    """All tenants after a load: the version in force of each, those that have none, and what is wrong."""

    versions: Mapping[str, Version] = {}
    refused: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    @property
    def serving(self) -> Iterator[Tenant]:
        """Every tenant that has a version in force."""
        return (version.tenant for version in self.versions.values())


NOBODY: Final = Tenants()


class TenantSource(Private, frozen=True, kw_only=True):
    """Where tenants come from, and the connectors that their files may name.

    ``public_url`` is what platforms put before a webhook's path, "" where nobody configured it: providers are then given
    no address for their reports.
    """

    directory: Path
    secrets: Secrets
    connectors: Mapping[str, Connector]
    public_url: str = ""

    def files(self) -> dict[str, bytes | None]:
        """The tenant files by name, cut off one byte above the size limit; None where one cannot be read.

        Raises OSError when the directory cannot be read.
        """
        found = sorted(path for path in self.directory.iterdir() if path.suffix == ".toml")
        # A link that leads nowhere, or a pipe, is a file that cannot be read, not one that is gone.
        return {path.name: _read(path) for path in found}

    def digest(self) -> bytes:
        """Changes when a tenant file or a file beside a tenant's secrets does. Raises OSError."""
        digest = hashlib.sha256()
        for name, text in self.files().items():
            secrets = sorted(self.secrets.states(name.removesuffix(".toml")))
            digest.update(msgspec.msgpack.encode((name, text, secrets)))
        return digest.digest()


def load_all(source: TenantSource, previous: Tenants = NOBODY) -> Tenants:
    """Load every tenant. What cannot be loaded keeps its previous version, or is refused when it has none."""
    try:
        files = source.files()
    except OSError:
        problem = Problem(
            file=str(source.directory), key="", expected="expected a directory that can be read"
        )
        return msgspec.structs.replace(previous, problems=(problem,))
    problems: list[Problem] = []
    loaded: dict[str, Version | None] = {}
    for name, text in files.items():
        id_ = name.removesuffix(".toml")
        if TENANT_ID.fullmatch(id_) is None:
            problems.append(Problem(file=_shown(name), key="", expected="expected a name such as acme.toml"))
            continue
        version, wrong = _load(source, id_, name, text, previous.versions.get(id_))
        loaded[id_] = version
        problems += wrong
    loaded, contested = _without_contested_accounts(loaded, previous.versions)
    in_force = {id_: version or previous.versions.get(id_) for id_, version in loaded.items()}
    return Tenants(
        versions=_acquainted({id_: version for id_, version in in_force.items() if version is not None}),
        refused=frozenset(id_ for id_, version in in_force.items() if version is None),
        problems=(*problems, *contested),
    )


def _load(
    source: TenantSource, id_: str, file: str, text: bytes | None, previous: Version | None
) -> tuple[Version | None, list[Problem]]:
    if text is None:
        return None, [Problem(file=file, key="", expected="expected a file that can be read")]
    if len(text) > MAX_FILE_BYTES:
        return None, [Problem(file=file, key="", expected=f"expected at most {MAX_FILE_BYTES} bytes")]
    entry, problems = read_tenant(file, text, source.connectors)
    if entry is None:
        return None, problems
    loading = _Loading(source, id_, file, problems)
    started: dict[str, TenantConnector] = {}
    for name, connector in entry.connectors.items():
        loaded = loading.connector(source.connectors[name], connector, entry.egress)
        if loaded is not None:
            started[name] = loaded
    failing = entry.connectors.keys() - started.keys()
    silent = {name for name, one in started.items() if entry.connectors[name].sending and not one.sending}
    # A secret that vanished must not stop a connector that runs: the whole previous version stays.
    if previous is not None and _stops(previous, failing, silent):
        return None, problems
    tenant = Tenant(
        id=id_,
        name=entry.name,
        policy=entry.policy,
        policy_digest=policy_digest(entry.policy, entry.sms),
        connectors=started,
        sms=Prepared.of(entry.sms) if entry.sms is not None else None,
        egress=entry.egress,
        retention=entry.retention,
    )
    version = Version(tenant=tenant, out_of_service=frozenset(failing), not_sending=frozenset(silent))
    return version, problems


def _stops(previous: Version, failing: AbstractSet[str], silent: AbstractSet[str]) -> bool:
    runs = previous.tenant.connectors
    return bool(failing & runs.keys()) or any(name in runs and runs[name].sending for name in silent)


class _Loading:
    """Resolves the references of one tenant's file, and tells what is missing."""

    def __init__(self, source: TenantSource, tenant: str, file: str, problems: list[Problem]) -> None:
        self._secrets = source.secrets
        self._public_url = source.public_url
        self._tenant = tenant
        self._file = file
        self._problems = problems

    def connector(
        self, connector: Connector, entry: ConnectorEntry, egress: tuple[Egress, ...]
    ) -> TenantConnector | None:
        rings = self._resolved(entry.rings, f"connectors.{connector.name}.")
        if rings is None:
            return None
        return TenantConnector(
            connector=connector,
            accounts=entry.accounts,
            credentials=Credentials(**rings),
            sending=self._sending(connector, "sending", connector.outbound, entry.sending, egress),
            reconcile=self._sending(
                connector, "reconcile", connector.reconciliation, entry.reconcile, egress
            ),
        )

    def _sending(
        self,
        connector: Connector,
        which: str,
        known: Outbound | Reconciliation | None,
        entry: SendingEntry | None,
        egress: tuple[Egress, ...],
    ) -> Sending | None:
        if entry is None or known is None:
            return None
        path = f"connectors.{connector.name}.{which}."
        rings = self._resolved(entry.rings, path)
        if rings is None:
            return None
        webhook = f"{self._public_url}/webhooks/{self._tenant}/{connector.name}" if self._public_url else ""
        sending = Sending(options=entry.options, secrets=rings, callback_url=webhook)
        try:
            hosts = {urlsplit(address).hostname for address in known.addresses(sending)}
        except ValueError as error:  # the connector's own sentence, without values
            self._wrong(path.removesuffix("."), str(error))
            return None
        declared = {one.host for one in egress}
        if not hosts <= declared:
            self._wrong(
                path.removesuffix("."), "every host that it sends to in an [[egress]] table of this file"
            )
            return None
        return sending

    def _resolved(
        self, references: Mapping[str, tuple[str, ...]], path: str
    ) -> dict[str, tuple[bytes, ...]] | None:
        before = len(self._problems)
        rings = {
            ring: tuple(
                self._secret(reference, f"{path}{ring}[{index}]") for index, reference in enumerate(some)
            )
            for ring, some in references.items()
        }
        return rings if len(self._problems) == before else None

    def _secret(self, reference: str, key: str) -> bytes:
        try:
            return self._secrets.resolve(self._tenant, reference)
        except SecretRefused as refused:
            self._wrong(f"{key} ({reference})", str(refused))
            return b""

    def _wrong(self, key: str, expected: str) -> None:
        self._problems.append(Problem(file=self._file, key=key, expected=expected))


def _acquainted(versions: Mapping[str, Version]) -> dict[str, Version]:
    """Every tenant that sends knows the names of all others: one's sender must not pass for another's."""
    names = {id_: frozenset(_names(version.tenant)) for id_, version in versions.items()}
    return {
        id_: _knowing(version, frozenset().union(*(some for other, some in names.items() if other != id_)))
        for id_, version in versions.items()
    }


def _names(tenant: Tenant) -> Iterator[str]:
    if tenant.sms is not None:
        yield from tenant.sms.policy.brands
        alphanumeric = (one for one in tenant.sms.policy.senders if one.kind is SenderKind.ALPHANUMERIC)
        yield from (sender.address for sender in alphanumeric)


def _knowing(version: Version, others: frozenset[str]) -> Version:
    sms = version.tenant.sms
    if sms is None or sms.register.others == others:
        return version
    known = msgspec.structs.replace(sms, register=msgspec.structs.replace(sms.register, others=others))
    tenant = msgspec.structs.replace(version.tenant, sms=known)
    return msgspec.structs.replace(version, tenant=tenant)


def _without_contested_accounts(
    loaded: Mapping[str, Version | None], previous: Mapping[str, Version]
) -> tuple[dict[str, Version | None], list[Problem]]:
    """An account belongs to one tenant per connector. Who had it keeps it; of two newcomers nobody gets it.

    Refusing a version brings its previous one back into force, which may contest in turn: so until nothing
    changes (versions in force never contest with one another, so this ends).
    """
    remaining = dict(loaded)
    problems: list[Problem] = []
    while losers := _contestants(remaining, previous):
        for id_, connector in losers:
            remaining[id_] = None
            key = f"connectors.{connector}.accounts"
            expected = "accounts that no other tenant has on this connector"
            problems.append(Problem(file=f"{id_}.toml", key=key, expected=expected))
    return remaining, problems


def _contestants(
    loaded: Mapping[str, Version | None], previous: Mapping[str, Version]
) -> set[tuple[str, str]]:
    """The new versions, with the connector, that claim an account which another version in force claims."""
    claims: dict[tuple[str, str], set[str]] = {}
    for id_, version in loaded.items():
        for claim in _claims(version or previous.get(id_)):
            claims.setdefault(claim, set()).add(id_)
    losers: set[tuple[str, str]] = set()
    for claim, claimants in claims.items():
        if len(claimants) > 1:
            new = {
                id_
                for id_ in claimants
                if loaded[id_] is not None and claim not in _claims(previous.get(id_))
            }
            losers |= {
                (id_, claim[0]) for id_ in new or {id_ for id_ in claimants if loaded[id_] is not None}
            }
    return losers


def _claims(version: Version | None) -> set[tuple[str, str]]:
    if version is None:
        return set()
    connectors = version.tenant.connectors.items()
    return {(name, account) for name, connector in connectors for account in connector.accounts}


def _read(path: Path) -> bytes | None:
    try:
        # A pipe would keep whoever opens it waiting for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            return file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError:
        return None


def _shown(name: str) -> str:
    return name if name.isprintable() and len(name) < 100 else "(a file with an unprintable name)"


class TenantsInForce:
    """The tenants that are served now. ``changed`` is told of every load, on the thread that loads."""

    def __init__(self, source: TenantSource, changed: Callable[[Tenants], None]) -> None:
        self.current = NOBODY
        self._source = source
        self._changed = changed
        self._digest: bytes | None = None
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the files were looked at."""
        return self._digest is not None

    def reload(self, *, forced: bool = False) -> bool:
        """Load again if a file changed since the last load, or if ``forced``. Whether it was loaded."""
        with self._lock:
            digest = self._digest_now()
            if digest == self._digest and not forced:
                return False
            # Taken before the load: a file that changes in between is noticed the next time.
            self._digest = digest
            self.current = load_all(self._source, self.current)
            self._changed(self.current)
            return True

    def _digest_now(self) -> bytes:
        try:
            return self._source.digest()
        except OSError:
            return b"unreadable"
