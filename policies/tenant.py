"""What a tenant may switch or tune. Every field can only make the rules stricter, never looser (SM-6, SM-9)."""

from __future__ import annotations

import msgspec

from policies.message import MessageKind
from policies.sms.facts import SendFacts


class TenantPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant's tuning. The defaults record what the terms allow to be recorded.

    ``remove_hosts``: registrable domains whose URLs are removed like Facebook CDN URLs.
    ``never_record_kinds``: kinds of message of which nothing but the fact is kept.
    ``record_standby`` / ``record_history``: whether copies from another application's threads and from a
    history synchronisation are kept. ``record_profiles``: whether names and usernames are kept.
    ``record_media_references``: whether media ids and URLs (never bytes) are kept at all.
    ``oldest_days``: an event older than this, by its own timestamp, is refused (replayed deliveries).
    """

    remove_hosts: tuple[str, ...] = ()
    never_record_kinds: tuple[MessageKind, ...] = ()
    record_standby: bool = True
    record_history: bool = True
    record_profiles: bool = True
    record_media_references: bool = True
    oldest_days: int = 3650


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule may know beyond the message: handed in by the worker, never fetched by a rule.

    ``now`` in microseconds; ``unsent``: a tombstone for this message exists already; ``excluded``: nothing of this person is
    recorded (known to be under 13, or named by the tenant); ``send``: what BEFORE_SEND knows of a text that is about to be
    sent, None elsewhere.
    """

    now: int
    policy: TenantPolicy
    unsent: bool = False
    excluded: bool = False
    send: SendFacts | None = None

    @property
    def sending(self) -> SendFacts:
        """What is known of a text that is about to be sent. Raises ValueError where nobody told: then it is withheld."""
        if self.send is None:
            raise ValueError("nothing is known of this text")
        return self.send
