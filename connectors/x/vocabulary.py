"""X's words: which happenings are noted and never kept, and which keys a shape may name.

Source: xdevplatform/docs, x-api/account-activity/introduction.mdx and x-api/activity/event-payloads.mdx.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Note(StrEnum):
    """What was understood, is counted, and never becomes part of a transcript."""

    TYPING = "typing"
    READ = "read"
    LIKE = "like"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    MUTE = "mute"
    UNMUTE = "unmute"
    BLOCK = "block"
    UNBLOCK = "unblock"
    PROFILE_UPDATE = "profile_update"
    SPACE = "space"
    BROADCAST = "broadcast"
    NEWS = "news"
    REPOST = "repost"
    UNADDRESSED_POST = "unaddressed_post"
    ENCRYPTED_CHAT = "encrypted_chat"
    CHAT_CONVERSATION = "chat_conversation"
    REPLAY_JOB = "replay_job"
    SCRUB_GEO = "scrub_geo"


class Why(StrEnum):
    """Why a part of a delivery was not understood."""

    ENVELOPE = "envelope"
    EVENT_KIND = "event_kind"
    PAYLOAD = "payload"
    ITEM = "item"
    ACCOUNT = "account"
    MESSAGE_ID = "message_id"
    SENDER = "sender"
    NOT_A_PARTY = "not_a_party"
    EDIT_CHAIN = "edit_chain"
    PARSER_ERROR = "parser_error"


RELATIONS: Final = {
    "follow": Note.FOLLOW,
    "unfollow": Note.UNFOLLOW,
    "mute": Note.MUTE,
    "unmute": Note.UNMUTE,
    "block": Note.BLOCK,
    "unblock": Note.UNBLOCK,
}
"""``type`` of an Account Activity relation event: unfollows arrive under ``follow_events`` too."""

NOTED_ACTIVITIES: Final = {
    "dm.indicate_typing": Note.TYPING,
    "post.repost.create": Note.REPOST,
    "follow.unfollow": Note.UNFOLLOW,
    "mute.unmute": Note.UNMUTE,
    "block.unblock": Note.UNBLOCK,
    "chat.received": Note.ENCRYPTED_CHAT,
    "chat.sent": Note.ENCRYPTED_CHAT,
}
"""X Activity event types that are noted; all others of a family below take the family's word."""

NOTED_FAMILIES: Final = {
    "profile": Note.PROFILE_UPDATE,
    "follow": Note.FOLLOW,
    "like": Note.LIKE,
    "mute": Note.MUTE,
    "block": Note.BLOCK,
    "spaces": Note.SPACE,
    "broadcast": Note.BROADCAST,
    "news": Note.NEWS,
    "chat": Note.CHAT_CONVERSATION,
}
"""First word of an X Activity event type. None of these families carries a message that can be screened."""

KEYS: Final = frozenset(
    """
    action_label affiliation app_id apps attachment attachments author author_id bitrate broadcast_id
    chat conversation_id conversation_key_change_event conversation_token coordinates created_at
    created_at_msec created_timestamp ctas data date_time direct_message_events
    direct_message_indicate_typing_events direct_message_mark_read_events display_text_range
    display_url dm_conversation_id edit_controls edit_history edit_history_tweet_ids edit_tweet_ids
    encoded_event entities errors event_type event_uuid expanded_url extended_entities extended_tweet
    favorite_events favorited_status filter follow_events for_user_id full_text geo hashtags id id_str
    in_reply_to_status_id in_reply_to_status_id_str in_reply_to_tweet_id in_reply_to_user_id
    in_reply_to_user_id_str includes indices initial_tweet_id initiated_via is_blocked_by
    is_quote_status job_id job_state keyword lang last_read_event_id location matching_rules media
    media_key media_keys media_url media_url_https mentions message_create message_data meta metadata
    mute_events block_events name note_tweet options participant_ids payload place protected quick_reply
    quick_reply_response quoted_status quoted_status_id quoted_status_id_str reason recipient_id
    redacted_at referenced_tweets replay_job_status retweeted_status revoke screen_name sender_id
    shared_coordinate shared_place source source_app_id status subscription_id symbols tag target text
    timestamp_ms truncated tweet_create_events tweet_delete_events tweets type url urls user
    user_event user_has_blocked user_id user_id_str user_mentions username users variants video_info
    webhook_id welcome_message_id
    """.split()
)
"""Key names that a shape may show: all of them are X's own, none can be anybody's data."""
