"""Who calls, and what they may do; keys are made and revoked here too, each an act with who and why.

A key is asked of the store at every call: one that was revoked is refused at once, everywhere. Whoever shows no key that
is in force learns nothing, not even whether a tenant exists: every look-up and every comparison takes place, whatever was
shown. With a valid key, every tenant but its own is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from policies.message import Instant, Private
from worker.acts import Operator, record_act
from worker.api.keys import KeyScope, fresh_key, presented
from worker.keyring import Keyring
from worker.store import api_keys
from worker.store.engine import Store

ISSUED: Final = "key_issued"
REVOKED: Final = "key_revoked"


class Caller(Private, frozen=True, kw_only=True):
    """The holder of a key that is in force. ``key`` is its public prefix, ``label`` what its tenant calls it."""

    tenant: str
    key: str
    label: str
    scopes: frozenset[str]

    def may(self, scope: KeyScope) -> bool:
        """Whether the key is good for that."""
        return scope.value in self.scopes


class NoSuchKey(Exception):
    """The tenant has no such key in force."""


def authenticate(store: Store, authorization: str) -> Caller | None:
    """Who holds the key in this header; None where it is none, unknown, wrong or revoked. Raises what the store raises."""
    shown = presented(authorization)
    with store.reading() as tx:
        known = api_keys.find(tx, shown.tenant, shown.prefix)
    fits = shown.fits(known.digest if known is not None else None)
    if known is None or not fits or known.revoked_at is not None:
        return None
    return Caller(
        tenant=shown.tenant, key=known.prefix, label=known.label, scopes=frozenset(known.scopes.split())
    )


def issue(
    store: Store,
    keyring: Keyring,
    tenant: str,
    *,
    scopes: Collection[KeyScope],
    label: str,
    operator: Operator,
    now: Instant,
) -> str:
    """Make a key; its text, which nobody will ever see again."""
    fresh = fresh_key(tenant)
    words = " ".join(scope.value for scope in KeyScope if scope in scopes)
    row = api_keys.ApiKey(prefix=fresh.prefix, digest=fresh.digest, scopes=words, label=label, made_at=now)
    with store.transaction() as tx:
        api_keys.add(tx, tenant, row)
        about = fresh.prefix.encode()
        record_act(tx, keyring, tenant, action=ISSUED, about=about, operator=operator, now=now)
    return fresh.text


def revoke(
    store: Store, keyring: Keyring, tenant: str, prefix: str, *, operator: Operator, now: Instant
) -> None:
    """Take a key out of use for good, at once. Raises NoSuchKey."""
    with store.transaction() as tx:
        if not api_keys.revoke(tx, tenant, prefix, now):
            raise NoSuchKey
        about = prefix.encode()
        record_act(tx, keyring, tenant, action=REVOKED, about=about, operator=operator, now=now)
