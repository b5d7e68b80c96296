"""The closed tables: vendor words on the left, ours on the right. What stands in none of them is not kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.message import MediaKind, MessageKind

ATTACHMENTS: Final[Mapping[str, tuple[MediaKind, MessageKind]]] = {
    "image": (MediaKind.IMAGE, MessageKind.MEDIA),
    "video": (MediaKind.VIDEO, MessageKind.MEDIA),
    "audio": (MediaKind.AUDIO, MessageKind.MEDIA),
    "file": (MediaKind.FILE, MessageKind.MEDIA),
    "sticker": (MediaKind.STICKER, MessageKind.MEDIA),
    "like_heart": (MediaKind.LIKE, MessageKind.MEDIA),
    "share": (MediaKind.SHARE, MessageKind.MEDIA),
    "post": (MediaKind.POST, MessageKind.MEDIA),
    "ig_post": (MediaKind.POST, MessageKind.MEDIA),
    "reel": (MediaKind.REEL, MessageKind.MEDIA),
    "ig_reel": (MediaKind.REEL, MessageKind.MEDIA),
    "story": (MediaKind.STORY, MessageKind.MEDIA),
    "ig_story": (MediaKind.STORY, MessageKind.MEDIA),
    "story_share": (MediaKind.STORY, MessageKind.MEDIA),
    "story_mention": (MediaKind.STORY_MENTION, MessageKind.STORY_MENTION),
    "story_reply": (MediaKind.STORY_REPLY, MessageKind.STORY_REPLY),
    "ephemeral": (MediaKind.EPHEMERAL, MessageKind.MEDIA),
    "fallback": (MediaKind.FALLBACK, MessageKind.MEDIA),
    "link": (MediaKind.LINK, MessageKind.MEDIA),
    "unsupported": (MediaKind.UNSUPPORTED, MessageKind.UNSUPPORTED),
    "unsupported_type": (MediaKind.UNSUPPORTED, MessageKind.UNSUPPORTED),
}
"""Attachment types that are a reference to something; ``template`` and ``location`` are data instead."""

PRECEDENCE: Final = (
    MessageKind.STORY_MENTION,
    MessageKind.STORY_REPLY,
    MessageKind.UNSUPPORTED,
    MessageKind.TEMPLATE,
    MessageKind.LOCATION,
    MessageKind.QUICK_REPLY,
    MessageKind.MEDIA,
    MessageKind.UNKNOWN,
    MessageKind.TEXT,
)
"""What a message that is several things at once mainly is: the first of these that it is."""

URL_KEYS: Final = frozenset(
    {
        "url",
        "story_media_url",
        "media_url",
        "image_url",
        "video_url",
        "audio_url",
        "file_url",
        "photo_url",
        "thumbnail_url",
        "preview_url",
        "preview_image_url",
        "link",
        "permalink",
    }
)
"""Keys whose text is carried as the URL of a media reference, so that the rules see it as one."""

MEDIA_ID_KEYS: Final = (
    "sticker_id",
    "attachment_id",
    "story_media_id",
    "ig_post_media_id",
    "reel_video_id",
    "video_id",
    "media_id",
    "asset_id",
    "id",
)

TEMPLATE_KEYS: Final = {"template_type": "type", "text": "text", "title": "title", "url": "url"}
ELEMENT_KEYS: Final = {
    "title": "title",
    "subtitle": "subtitle",
    "image_url": "image_url",
    "url": "media_url",  # only media templates have one, and it is the picture or film itself
    "media_type": "media_type",
    "id": "product_id",
    "retailer_id": "retailer_id",
}
BUTTON_KEYS: Final = {"type": "type", "title": "title", "url": "url", "payload": "payload"}
REFERRAL_KEYS: Final = {
    "ref": "ref",
    "source": "source",
    "type": "type",
    "ad_id": "ad_id",
    "referer_uri": "referer_url",
}
AD_KEYS: Final = {
    "ad_title": "title",
    "photo_url": "photo_url",
    "video_url": "video_url",
    "post_id": "post_id",
    "product_id": "product_id",
}
PROFILE_KEYS: Final = {"name": "name", "ig_name": "name", "username": "username"}

NOTED_ITEMS: Final = frozenset(
    """
    app_roles checkout_update game_play messaging_customer_information messaging_feedback pass_thread_control payment
    pre_checkout referral request_thread_control response_feedback take_thread_control
    """.split()
)
"""Items that are understood and counted: they say nothing in the conversation, and its standing stays as it is.

A referral that belongs to something said stands with that message or postback, and is kept there.
"""

MESSAGING_CHANGES: Final = frozenset(
    {
        "messages",
        "standby",
        "agent_messages",
        "marketing_message_echoes",
        "message_echoes",
        "message_edit",
        "message_edits",
        "message_reactions",
        "message_reads",
        "message_deliveries",
        "messaging_account_linking",
        "messaging_handover",
        "messaging_handovers",
        "messaging_optins",
        "messaging_optouts",
        "messaging_policy_enforcement",
        "messaging_postbacks",
        "messaging_referral",
        "messaging_referrals",
        "messaging_seen",
    }
)
"""``changes[].field`` words whose value is a messaging item."""

SHAPE_KEYS: Final = frozenset(
    """
    account_linking action action_url ad_id ads_context_data app_id attachments buttons changes code conversation
    coordinates create_time default_action delivery elements emoji entry field from hop_context identifier
    ig_scoped_id is_deleted is_echo is_self is_unsupported item media message message_edit messaging metadata mid
    mids num_edit num_edits object optin optout order payload policy-enforcement policy_enforcement postback
    prior_message product quick_reply reaction read reason recipient referral reply_to sender seq standby status
    story text thread time timestamp uid user_ref value verb version watermark
    """.split()
).union(
    URL_KEYS,
    MEDIA_ID_KEYS,
    TEMPLATE_KEYS,
    ELEMENT_KEYS,
    BUTTON_KEYS,
    REFERRAL_KEYS,
    AD_KEYS,
    NOTED_ITEMS,
)
"""The key names that may stand in a shape; every other key is counted only."""
