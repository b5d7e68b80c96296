"""Messenger webhooks (``object: page``). Facts and their sources: README.md beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors import meta_messaging
from policies.event import Event
from policies.message import Channel, IdentifierKind, Instant, Json

NOTED_CHANGES: Final = frozenset(
    """
    about affiliation attire awards bio birthday business_integrity call_permission_reply call_settings_update calls
    category checkins comment_poll_response company_overview conversations culinary_team current_location description
    email feature_access_list feed follow followers founded general_info general_manager group_feed hometown hours
    inbox_labels leadgen leadgen_fat leadgen_update likes live_videos local_delivery location
    marketing_message_delivery_failed marketing_messages_subscriber_upload_status members mention mentions
    merchant_review message_context message_mention message_template_status_update messaging_appointments
    messaging_checkout_updates messaging_customer_information messaging_feedback messaging_game_plays
    messaging_in_thread_lead_form_submit messaging_integrity messaging_payments messaging_pre_checkouts mission name
    page_about_story page_change_proposal page_upcoming_change parking payment_options payment_request_update
    personal_info personal_interests phone picture price_range product_review products public_transit
    publisher_subscriptions ratings registration response_feedback send_cart story_poll_response story_share
    user_action video_text_question_responses videos website
    """.split()
)
"""Subscribable fields that are no conversation with the page."""

DIALECT: Final = meta_messaging.Dialect(
    channel=Channel.FACEBOOK,
    object_name="page",
    person_kind=IdentifierKind.PSID,
    noted_changes=NOTED_CHANGES,
)


def parse(payload: Json, now: Instant) -> Iterator[Event]:
    """Every event of one Messenger delivery; what is not understood comes as its shape. Never raises."""
    return meta_messaging.parse(payload, now, DIALECT)
