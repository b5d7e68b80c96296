"""Instagram messaging webhooks (``object: instagram``). Facts and their sources: README.md beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors import meta_messaging
from policies.event import Event
from policies.message import Channel, IdentifierKind, Instant, Json

NOTED_CHANGES: Final = frozenset(
    """
    comment_poll_response comments creator_marketplace_invited_creator_onboarding creator_marketplace_projects delta
    follow live_comments mentions onboarding_welcome_message_series response_feedback share_to_story story_insights
    story_poll_response story_reactions story_share
    """.split()
)
"""Subscribable fields that are no conversation with the account."""

DIALECT: Final = meta_messaging.Dialect(
    channel=Channel.INSTAGRAM,
    object_name="instagram",
    person_kind=IdentifierKind.IGSID,
    noted_changes=NOTED_CHANGES,
)


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of one Instagram delivery; what is not understood comes as its shape. Never raises."""
    return meta_messaging.parse(payload, now, DIALECT)
