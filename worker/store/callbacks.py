"""Meta's deauthorise and data-deletion callbacks: recorded once, found again by the code of their status page."""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import Connection, select, update

from policies.message import Instant
from worker.crypto import reference
from worker.keyring import PSEUDONYM, RECORDS, Keyring
from worker.store.engine import Store
from worker.store.statements import insert_missing
from worker.store.tables import CallbackRow, Table

callbacks = Table.metadata.tables[str(CallbackRow.__tablename__)]

RECEIVED: Final = "received"
IN_WORK: Final = "in progress"
COMPLETED: Final = "completed"
DELETION: Final = "data-deletion"
_CODE_BYTES = 16


def record_callback(  # noqa: PLR0913 - the row's fields, by name
    store: Store,
    keyring: Keyring,
    *,
    tenant: str,
    connector: str,
    kind: str,
    user_id: str,
    issued_at: Instant,
    now: Instant,
) -> str:
    """Record a verified callback durably; the code of its status page.

    The same request sent again gets the same code. ``kind`` is "deauthorize" or "data-deletion". The
    app-scoped ``user_id`` is sealed: it is personal data.
    """
    key = keyring.tenant_key(tenant, PSEUDONYM)
    name = reference(key, "callback", connector, kind, user_id, str(issued_at))
    cipher = keyring.cipher(tenant, RECORDS)
    row = {
        "tenant": tenant,
        "reference": name,
        "code": secrets.token_urlsafe(_CODE_BYTES),
        "connector": connector,
        "kind": kind,
        "status": RECEIVED,
        "issued_at": issued_at,
        "received_at": now,
        "sealed": cipher.seal(user_id.encode(), b"callback\0" + tenant.encode() + b"\0" + name),
    }
    wanted = select(callbacks.c.code).where(callbacks.c.tenant == tenant, callbacks.c.reference == name)
    with store.transaction() as tx:
        insert_missing(tx, callbacks, [row])
        return str(tx.execute(wanted).scalar_one())


def find_callback(store: Store, tenant: str, code: str) -> Any | None:
    """The callback with this code as a row (connector, kind, status, issued_at, received_at), or None."""
    columns = (
        callbacks.c.connector,
        callbacks.c.kind,
        callbacks.c.status,
        callbacks.c.issued_at,
        callbacks.c.received_at,
    )
    wanted = select(*columns).where(callbacks.c.tenant == tenant, callbacks.c.code == code)
    with store.reading() as connection:
        return connection.execute(wanted).one_or_none()


def unfinished(tx: Connection, kind: str) -> list[Any]:
    """Callbacks of a kind that are not dealt with, as rows (tenant, reference, connector, received_at, sealed)."""
    columns = (
        callbacks.c.tenant,
        callbacks.c.reference,
        callbacks.c.connector,
        callbacks.c.received_at,
        callbacks.c.sealed,
    )
    wanted = select(*columns).where(callbacks.c.kind == kind, callbacks.c.status != COMPLETED)
    return list(
        tx.execute(wanted.order_by(callbacks.c.tenant, callbacks.c.received_at, callbacks.c.reference))
    )


def open_user(keyring: Keyring, row: Any) -> str:
    """The app-scoped user id of a received callback. Raises CryptoError."""
    place = b"callback\0" + row.tenant.encode() + b"\0" + row.reference
    return keyring.cipher(row.tenant, RECORDS).open(row.sealed, place).decode()


def move(tx: Connection, tenant: str, name: bytes, status: str) -> None:
    """What the status page says. Of a completed callback nothing is left that names anybody."""
    values: dict[str, Any] = {"status": status} | ({"sealed": b""} if status == COMPLETED else {})
    where = (callbacks.c.tenant == tenant, callbacks.c.reference == name)
    tx.execute(update(callbacks).where(*where).values(**values))
