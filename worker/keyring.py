"""The keyring: every tenant's and every conversation's key, wrapped by the master key, in a store of its own.

Content backups hold no keys. Deleting a conversation's key makes its content unreadable wherever a copy of
it lies. A new key is durable here before anything is sealed with it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Delete, delete, select

from worker.crypto import Aes256Gcm, Cipher, CipherFactory, CryptoError, MasterKey, derive, new_key
from worker.store.engine import KEYRING, Store, StoreError
from worker.store.statements import insert_missing, select_in
from worker.store.tables import ConversationKeyRow, KeyringCheckRow, KeyringTable, TenantKeyRow

PSEUDONYM: Final = "pseudonym"
"""Purpose of the key under which messages and persons are referred to."""

RECORDS: Final = "records"
"""Purpose of the key that seals what belongs to a tenant and to no conversation."""

CHECK_PLACE: Final = b"check"
"""What the constant that tells a wrong master key is bound to."""

_CONSTANT = b"sluicegate keyring 1"
_CACHED_KEYS = 50_000

_tenant_keys = KeyringTable.metadata.tables[str(TenantKeyRow.__tablename__)]
_conversation_keys = KeyringTable.metadata.tables[str(ConversationKeyRow.__tablename__)]
_checks = KeyringTable.metadata.tables[str(KeyringCheckRow.__tablename__)]
_check = select(_checks.c.sealed)


class ConversationKey:
    """An opened data key: its cipher, and the salt under which decision records speak of its messages."""

    __slots__ = ("cipher", "salt")

    def __init__(self, key: bytes, factory: CipherFactory) -> None:
        self.cipher: Cipher = factory(derive(key, b"content"))
        self.salt = derive(key, b"decisions")

    def __repr__(self) -> str:
        return "<ConversationKey>"


class Keyring:
    """Keys by tenant and conversation. Safe to use from several threads."""

    def __init__(self, store: Store, master: MasterKey, factory: CipherFactory = Aes256Gcm) -> None:
        self.store = store
        self._master = master
        self._factory = factory
        self._lock = threading.Lock()
        self._tenants: dict[tuple[str, str], bytes] = {}
        self._conversations: OrderedDict[tuple[str, bytes], ConversationKey] = OrderedDict()
        self._erasures: dict[str, int] = {}

    def migrate(self) -> None:
        """Create or update the keyring's schema. Raises StoreError."""
        self.store.migrate()
        self.check()

    def check(self) -> None:
        """Raise StoreError unless the schema fits and the master key is the one that this keyring knows."""
        self.store.check_schema()
        with self.store.transaction() as connection:
            sealed = connection.execute(_check).scalar_one_or_none()
            if sealed is None:
                # Of two that begin with different keys, the second is refused now and not at its next start.
                fresh = {"id": 1, "sealed": self._master.wrap(_CONSTANT, CHECK_PLACE)}
                insert_missing(connection, _checks, [fresh])
                sealed = connection.execute(_check).scalar_one()
        try:
            self._master.unwrap(sealed, CHECK_PLACE)
        except CryptoError:
            raise StoreError(
                "the master key is not the one of this keyring: give the right key file"
            ) from None

    def tenant_key(self, tenant: str, purpose: str) -> bytes:
        """The tenant's key for ``purpose``, made at first use and durable before it is returned."""
        cached = self._tenants.get((tenant, purpose))
        if cached is not None:
            return cached
        place = key_place(tenant, purpose)
        fresh = {"tenant": tenant, "purpose": purpose, "wrapped": self._master.wrap(new_key(), place)}
        wanted = select(_tenant_keys.c.wrapped).where(
            _tenant_keys.c.tenant == tenant, _tenant_keys.c.purpose == purpose
        )
        with self.store.transaction() as connection:
            # Of two replicas that make the same key at once, the first one's stands.
            insert_missing(connection, _tenant_keys, [fresh])
            wrapped = connection.execute(wanted).scalar_one()
        key = self._tenants[tenant, purpose] = self._master.unwrap(wrapped, place)
        return key

    def cipher(self, tenant: str, purpose: str) -> Cipher:
        """A cipher under the tenant's key for ``purpose``."""
        return self._factory(derive(self.tenant_key(tenant, purpose), b"content"))

    def make(self, tenant: str, conversations: Iterable[bytes]) -> None:
        """Make a key for each conversation that has none, durably, before this returns."""
        rows = [
            {
                "tenant": tenant,
                "conversation": id_,
                "wrapped": self._master.wrap(new_key(), key_place(tenant, id_)),
            }
            for id_ in sorted(conversations)
        ]
        if rows:
            with self.store.transaction() as connection:
                insert_missing(connection, _conversation_keys, rows)

    def keys(self, tenant: str, conversations: Iterable[bytes]) -> dict[bytes, ConversationKey]:
        """The keys of these conversations; one that has been destroyed is absent."""
        wanted = set(conversations)
        with self._lock:
            found = {id_: key for id_ in wanted if (key := self._cached(tenant, id_)) is not None}
        missing = sorted(wanted - found.keys())
        if missing:
            found.update(self._load(tenant, missing))
        return found

    def destroy(self, tenant: str, conversations: Iterable[bytes]) -> int:
        """Destroy these conversations' keys, durably, before this returns; how many there were.

        What was sealed under them cannot be read any more, wherever a copy of it lies. Other processes that have opened
        one forget it when they learn of the erasure (``note_erasures``).
        """
        wanted = sorted(set(conversations))
        with self.store.transaction() as connection:
            gone = [connection.execute(_destroy(tenant, id_)).rowcount for id_ in wanted]
        with self._lock:
            for id_ in wanted:
                self._conversations.pop((tenant, id_), None)
        return sum(gone)

    def conversations(self, tenant: str, after: bytes, before: bytes, limit: int) -> list[bytes]:
        """The next conversations that have a key, by id, after one and before another."""
        known = _conversation_keys.c
        wanted = select(known.conversation).where(known.tenant == tenant, known.conversation > after)
        wanted = wanted.where(known.conversation < before).order_by(known.conversation).limit(limit)
        with self.store.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def destroy_tenant(self, tenant: str) -> None:
        """Destroy every key of a tenant, durably: nothing of it can be read or led back to anybody any more."""
        with self.store.transaction() as connection:
            for table in (_conversation_keys, _tenant_keys):
                connection.execute(delete(table).where(table.c.tenant == tenant))
        with self._lock:
            self._tenants = {place: key for place, key in self._tenants.items() if place[0] != tenant}
        self.note_erasures(tenant, 0)

    def erasures(self, tenant: str) -> int | None:
        """How many conversations of the tenant were erased, as this process last learnt; None while it never did."""
        return self._erasures.get(tenant)

    def note_erasures(self, tenant: str, erasures: int) -> None:
        """Somebody of the tenant was erased: forget its conversations' keys; those that are left are read again."""
        with self._lock:
            self._erasures[tenant] = erasures
            for place in [place for place in self._conversations if place[0] == tenant]:
                del self._conversations[place]

    def close(self) -> None:
        """Close the keyring's database."""
        self.store.close()

    def _cached(self, tenant: str, conversation: bytes) -> ConversationKey | None:
        key = self._conversations.get((tenant, conversation))
        if key is not None:
            self._conversations.move_to_end((tenant, conversation))
        return key

    def _load(self, tenant: str, conversations: list[bytes]) -> dict[bytes, ConversationKey]:
        with self.store.reading() as connection:
            rows = list(select_in(connection, _conversation_keys.c.conversation, tenant, conversations))
        loaded = {
            id_: ConversationKey(self._master.unwrap(wrapped, key_place(tenant, id_)), self._factory)
            for _tenant, id_, wrapped in rows
        }
        with self._lock:
            for id_, key in loaded.items():
                self._conversations[tenant, id_] = key
            while len(self._conversations) > _CACHED_KEYS:
                self._conversations.popitem(last=False)
        return loaded


def open_keyring(url: str, master: MasterKey, factory: CipherFactory = Aes256Gcm) -> Keyring:
    """The keyring at ``url``. Connects on first use."""
    return Keyring(Store(url, KEYRING), master, factory)


def _destroy(tenant: str, conversation: bytes) -> Delete:
    known = _conversation_keys.c
    return delete(_conversation_keys).where(known.tenant == tenant, known.conversation == conversation)


def key_place(tenant: str, name: str | bytes) -> bytes:
    """What a key is bound to by its wrapping: its tenant, and its purpose or conversation."""
    return tenant.encode() + b"\0" + (name if isinstance(name, bytes) else name.encode())
