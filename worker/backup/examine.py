"""Examining a backup without a database: everything is decrypted in memory, counted, digested, its chains recomputed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from policies.message import Private
from worker.backup.container import BackupDamaged, Header, Kind, Reader, Row
from worker.chain import GENESIS, Commit, follows
from worker.crypto import CryptoError, MasterKey
from worker.errors import ConfigurationError
from worker.keyring import key_place
from worker.store.decisions import commits, ends


class Examined(Private, frozen=True, kw_only=True):
    """What a whole backup holds. ``heads``: where each tenant's decision chain ends; ``tenants``: who has keys."""

    header: Header
    rows: Mapping[str, int]
    heads: Mapping[str, tuple[int, str]] = {}
    tenants: frozenset[str] = frozenset()


def examine(path: Path, master: MasterKey, kind: Kind | None = None) -> Examined:
    """Raises BackupDamaged, which names the first damaged place, or ConfigurationError."""
    try:
        with path.open("rb") as file:
            reader = Reader(file, master)
            header = reader.header
            if kind not in (None, header.kind):
                raise ConfigurationError(f"{path} is a backup of the {header.kind}, not of the {kind}")
            chains = Chains()
            tenants: set[str] = set()
            look = chains.look if header.kind is Kind.STORE else _keys_open(master, tenants)
            counts: Counter[str] = Counter()
            for table, rows in reader.rows():
                counts[table] += len(rows)
                for row in rows:
                    look(table, row, header)
            return Examined(header=header, rows=counts, heads=chains.ended(), tenants=frozenset(tenants))
    except OSError:
        raise ConfigurationError(f"{path} cannot be read by this user") from None
    except BackupDamaged as error:
        raise BackupDamaged(f"{path}: {error}") from None


class Chains:
    """Recomputes decision chains as their commits pass by, in order."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, bytes]] = {}
        self._said: dict[str, tuple[int, bytes]] = {}

    def look(self, table: str, row: Row, header: Header) -> None:
        """One row of the store. Raises BackupDamaged at a commit that is missing or altered."""
        if table == commits.name:
            self._follow(Commit(**dict(zip(header.tables[table], row, strict=True))))
        elif table == ends.name:
            end = dict(zip(header.tables[table], row, strict=True))
            self._said[end["tenant"]] = (end["sequence"], end["head"])

    def ended(self) -> dict[str, tuple[int, str]]:
        """Where they end. Raises BackupDamaged where that is not where the store says."""
        for tenant in self._said.keys() | self._seen.keys():
            seen = self._seen.get(tenant, (0, GENESIS))
            if self._said.get(tenant) != seen:
                raise BackupDamaged(
                    f"the decision chain of {tenant} does not end at commit {seen[0]} as it should"
                )
        return {tenant: (sequence, head.hex()) for tenant, (sequence, head) in sorted(self._seen.items())}

    def _follow(self, commit: Commit) -> None:
        sequence, head = self._seen.get(commit.tenant, (0, GENESIS))
        if commit.sequence != sequence + 1 or not follows(commit, head):
            raise BackupDamaged(
                f"the decision chain of {commit.tenant} does not hold at commit {sequence + 1}"
            )
        self._seen[commit.tenant] = (commit.sequence, commit.head)


def _keys_open(master: MasterKey, tenants: set[str]) -> Callable[[str, Row, Header], None]:
    def look(table: str, row: Row, header: Header) -> None:
        tenant, name, wrapped = row
        tenants.add(tenant)
        try:
            master.unwrap(wrapped, key_place(tenant, name))
        except CryptoError:
            raise BackupDamaged(
                f"a key in {table} does not open under the master key {header.master}"
            ) from None

    return look
