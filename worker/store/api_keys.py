"""Keys of the API: found by their public prefix. A revoked key stays, so that what was done with it has a name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from policies.message import Instant, Private
from worker.store.journal import Revoked, note
from worker.store.statements import insert_new, row_of
from worker.store.tables import ApiKeyRow, Table

api_keys = Table.metadata.tables[str(ApiKeyRow.__tablename__)]


class ApiKey(Private, frozen=True, kw_only=True):
    """A key: ``digest`` is the SHA-256 of its secret, ``scopes`` are words with a space between."""

    prefix: str
    digest: bytes
    scopes: str
    label: str
    made_at: Instant
    revoked_at: Instant | None = None


def add(tx: Connection, tenant: str, new: ApiKey) -> None:
    """Remember a key under a prefix that is new."""
    insert_new(tx, api_keys, [row_of(api_keys, tenant, new)])


def find(tx: Connection, tenant: str, prefix: str) -> ApiKey | None:
    """The tenant's key with this prefix, revoked or not; None when it has none."""
    wanted = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.prefix == prefix)
    row = tx.execute(wanted).one_or_none()
    return None if row is None else _api_key(row)


def all_of(tx: Connection, tenant: str) -> list[ApiKey]:
    """A tenant's keys, the oldest first."""
    wanted = select(api_keys).where(api_keys.c.tenant == tenant)
    return [_api_key(row) for row in tx.execute(wanted.order_by(api_keys.c.made_at, api_keys.c.prefix))]


def revoke(tx: Connection, tenant: str, prefix: str, now: Instant) -> bool:
    """Take a key out of use for good; whether it was in use."""
    in_use = (api_keys.c.tenant == tenant, api_keys.c.prefix == prefix, api_keys.c.revoked_at.is_(None))
    revoked = tx.execute(update(api_keys).where(*in_use).values(revoked_at=now)).rowcount == 1
    if revoked:
        note(tx, [Revoked(tenant=tenant, prefix=prefix, at=now)])
    return revoked


def _api_key(row: Any) -> ApiKey:
    return ApiKey(**{name: getattr(row, name) for name in ApiKey.__struct_fields__})
