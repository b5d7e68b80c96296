"""Reading one tenant's TOML: unknown keys are refused, and every error is found before anything is said."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from connectors.contract import Connector, Credentials, Outbound, Reconciliation
from policies.message import MessageKind, Private
from policies.retention import Retention
from policies.sms.policy import SmsPolicy
from policies.tenant import TenantPolicy
from worker.tenants.retention import read_retention
from worker.tenants.secrets import EXPECTED_REFERENCE, REFERENCE
from worker.tenants.texts import Egress, read_egress, read_sms

TENANT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MAX_FILE_BYTES: Final = 1 << 20
RINGS: Final = tuple(field.name for field in msgspec.structs.fields(Credentials))

_MAX_ACCOUNT = 512
_MAX_OPTION = 4096
_plain_key = re.compile(r"[A-Za-z0-9_-]{1,64}")
_place = re.compile(r"\(at (?:line \d+, column \d+|end of document)\)")
# The parser's time grows with the square of a key's parts, and ours have three.
_part = rb"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_endless_key = re.compile(rb"(?<![\w-])%b(?:[ \t]*+\.[ \t]*+%b){64}" % (_part, _part))
_host = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One error of a tenant's configuration: where it is and what was expected there, never what was found."""

    file: str
    key: str
    expected: str

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.key}: expected {self.expected}"
            if self.key
            else f"{self.file}: {self.expected}"
        )


class SendingEntry(Private, frozen=True, kw_only=True):
    """``[connectors.<name>.sending]``, or ``….reconcile``: options with their defaults, references by ring."""

    options: Mapping[str, str]
    rings: Mapping[str, tuple[str, ...]]


class ConnectorEntry(Private, frozen=True, kw_only=True):
    """``[connectors.<name>]``: whose accounts, and the references of each ring of secrets.

    ``sending``: options and rings of what it sends with, None where it only listens; ``reconcile``: of what it asks the
    platform with, None where it does not.
    """

    accounts: frozenset[str]
    rings: Mapping[str, tuple[str, ...]]
    sending: SendingEntry | None = None
    reconcile: SendingEntry | None = None


class TenantEntry(Private, frozen=True, kw_only=True):
    """What a tenant's file says, with the defaults filled in and the references still unresolved."""

    name: str
    policy: TenantPolicy
    connectors: Mapping[str, ConnectorEntry]
    sms: SmsPolicy | None = None
    egress: tuple[Egress, ...] = ()
    retention: Retention = Retention()


def read_tenant(
    file: str, text: bytes, connectors: Mapping[str, Connector]
) -> tuple[TenantEntry | None, list[Problem]]:
    """What the file says, or None and everything that is wrong with it."""
    reader = _Reader(file)
    document = reader.document(text)
    if document is None:
        return None, reader.problems
    reader.only(document, "", ("name", "policy", "connectors", "sms", "egress", "agreement", "retention"))
    name = reader.value(document, "", "name", 'a name, such as "Acme"', _is_line)
    policy = reader.policy(reader.table(document, "", "policy", required=False))
    entries = reader.connectors(reader.table(document, "", "connectors"), connectors)
    texts = reader.table(document, "", "sms", required=False)
    sms = read_sms(texts, reader.wrong) if "sms" in document else None
    egress = read_egress(document.get("egress", []), reader.wrong)
    reader.senders(sms, entries)
    retention = read_retention(document.get("agreement"), document.get("retention", {}), reader.wrong)
    if reader.problems:
        return None, reader.problems
    entry = TenantEntry(
        name=name,
        policy=TenantPolicy(**policy),
        connectors=entries,
        sms=sms,
        egress=egress,
        retention=retention,
    )
    return entry, []


class _Reader:
    """Goes on after every error and collects them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def wrong(self, key: str, expected: str) -> None:
        self.problems.append(Problem(file=self.file, key=key, expected=expected))

    def document(self, text: bytes) -> dict[str, Any] | None:
        if _endless_key.search(text):
            self.wrong("", "expected keys of fewer parts")
            return None
        try:
            return tomllib.loads(text.decode())
        except UnicodeDecodeError:
            self.wrong("", "expected UTF-8")
        except tomllib.TOMLDecodeError as error:
            place = _place.search(str(error))
            self.wrong("", f"not TOML {place.group()}" if place else "not TOML")
        except (RecursionError, ValueError):
            self.wrong("", "not TOML")
        return None

    def only(self, table: Mapping[str, Any], path: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                shown = key if _plain_key.fullmatch(key) else "(unprintable key)"
                self.wrong(f"{path}{shown}", f"a key that is one of: {', '.join(known)}")

    def table(
        self, parent: Mapping[str, Any], path: str, key: str, *, required: bool = True
    ) -> dict[str, Any]:
        value = parent.get(key)
        if isinstance(value, dict) and (value or not required):
            return value
        if required or value is not None:
            self.wrong(f"{path}{key}", f"a table [{path}{key}]")
        return {}

    def value(
        self, table: Mapping[str, Any], path: str, key: str, expected: str, fits: Callable[[Any], bool]
    ) -> Any:
        value = table.get(key)
        if not fits(value):
            self.wrong(f"{path}{key}", expected)
        return value

    def policy(self, table: Mapping[str, Any]) -> dict[str, Any]:
        fields = {field.name: field for field in msgspec.structs.fields(TenantPolicy)}
        self.only(table, "policy.", tuple(fields))
        values = {}
        for key in table.keys() & fields.keys():
            try:
                values[key] = msgspec.convert(table[key], fields[key].type)
            except msgspec.ValidationError:
                self.wrong(f"policy.{key}", _described(fields[key].type))
                continue
            expected, fits = _LIMITS.get(key, ("", _anything))
            if not fits(values[key]):
                self.wrong(f"policy.{key}", expected)
        return values

    def connectors(
        self, table: Mapping[str, Any], known: Mapping[str, Connector]
    ) -> dict[str, ConnectorEntry]:
        self.only(table, "connectors.", tuple(known))
        names = [name for name in table if name in known]
        return {name: self.connector(self.table(table, "connectors.", name), known[name]) for name in names}

    def connector(self, table: Mapping[str, Any], connector: Connector) -> ConnectorEntry:
        path = f"connectors.{connector.name}."
        tables = {"sending": connector.outbound, "reconcile": connector.reconciliation}
        self.only(table, path, ("accounts", *RINGS, *(name for name, known in tables.items() if known)))
        accounts = self.value(
            table, path, "accounts", "a list of account ids as strings, each once", _are_accounts
        )
        rings = {ring: tuple(self.ring(table, path, ring, connector)) for ring in RINGS}
        outbound, asking = connector.outbound, connector.reconciliation
        sending = self.sending(table, path, "sending", outbound) if outbound else None
        reconcile = self.sending(table, path, "reconcile", asking, asking.optional) if asking else None
        known = frozenset(accounts if _are_accounts(accounts) else ())
        if reconcile and reconcile.options["account"] not in (known if len(known) > 1 else {"", *known}):
            self.wrong(f"{path}reconcile.account", "one of the accounts")
        return ConnectorEntry(accounts=known, rings=rings, sending=sending, reconcile=reconcile)

    def sending(
        self,
        parent: Mapping[str, Any],
        path: str,
        which: str,
        known: Outbound | Reconciliation,
        optional: tuple[str, ...] = (),
    ) -> SendingEntry | None:
        if which not in parent:
            return None
        table = self.table(parent, path, which, required=False)
        path = f"{path}{which}."
        self.only(table, path, (*known.options, *known.secrets, *optional))
        options: dict[str, str] = {}
        for name, default in known.options.items():
            value = table.get(name, default)
            if isinstance(value, str) and _is_option(value):
                options[name] = value
            else:
                self.wrong(f"{path}{name}", "a text")
        names = (*known.secrets, *(name for name in optional if name in table))
        rings = {name: tuple(self.references(table.get(name), f"{path}{name}")) for name in names}
        return SendingEntry(options=options, rings=rings)

    def senders(self, sms: SmsPolicy | None, connectors: Mapping[str, ConnectorEntry]) -> None:
        """A sender that may send stands in the accounts of exactly one connector that sends."""
        for index, sender in enumerate(sms.senders if sms else ()):
            carriers = [one for one in connectors.values() if one.sending and sender.address in one.accounts]
            if len(carriers) != 1 and not sender.inbound_only:
                expected = "an address that stands in the accounts of exactly one connector with [….sending]"
                self.wrong(f"sms.senders[{index}].address", expected)

    def ring(self, table: Mapping[str, Any], path: str, ring: str, connector: Connector) -> Iterator[str]:
        if ring in table or ring in connector.needs:
            yield from self.references(table.get(ring), f"{path}{ring}", needed=ring in connector.needs)

    def references(self, references: Any, path: str, *, needed: bool = True) -> Iterator[str]:
        if not isinstance(references, list) or (needed and not references):
            self.wrong(path, f"a list of at least one {EXPECTED_REFERENCE}")
            return
        for index, reference in enumerate(references):
            if isinstance(reference, str) and REFERENCE.fullmatch(reference):
                yield reference
            else:
                self.wrong(f"{path}[{index}]", EXPECTED_REFERENCE)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _is_option(value: str) -> bool:
    return len(value) <= _MAX_OPTION and value.replace("\n", "").isprintable()


def _are_accounts(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    usable = all(_is_line(item) and len(item) <= _MAX_ACCOUNT for item in value)
    return usable and len(set(value)) == len(value)


def _anything(_value: Any) -> bool:
    return True


_LIMITS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "oldest_days": ("a whole number of days, 1 or more", lambda days: days >= 1),
    "remove_hosts": (
        'a list of registrable domains in lower case, such as "example.org"',
        lambda hosts: all(_host.fullmatch(host) for host in hosts),
    ),
}
"""What a field's type does not say."""


def _described(annotation: Any) -> str:
    if annotation is bool:
        return "true or false"
    if annotation is int:
        return "a whole number"
    if annotation == tuple[MessageKind, ...]:
        return f"a list of: {', '.join(MessageKind)}"
    return "a list of strings"
