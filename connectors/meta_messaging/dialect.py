"""In what the two channels differ."""

from __future__ import annotations

import msgspec

from policies.message import Channel, IdentifierKind


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of Meta's messaging webhooks.

    ``object_name`` is the top-level ``object``; ``person_kind`` the kind of its scoped person ids;
    ``noted_changes`` the ``changes[].field`` words that are understood and are not conversations.
    """

    channel: Channel
    object_name: str
    person_kind: IdentifierKind
    noted_changes: frozenset[str]
