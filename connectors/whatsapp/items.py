"""One bad item becomes one shape and the rest goes on; what every item is read against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from connectors import wild
from connectors.shape import shape
from policies.event import Event, Unrecognised
from policies.message import Instant, Json

KEYS: Final = frozenset(
    """
    account_update action address addresses agent alert_info alert_severity alert_status alert_type animated audio
    ban_info body button button_reply call_permission_reply calls caption catalog_id category changes chunk_order code
    components contacts context conversation country current customer decision detail details display_phone_number
    document edit emails emoji entity_id entity_type entry error_data errors event field filename flow_token footer
    forwarded frequently_forwarded from from_me from_parent_user_id from_user_id group_id groups header headline
    history history_context id image interactive item_price language latitude link list_reply location longitude
    message message_echoes message_id message_template_id messages messaging_product metadata mime_type name
    new_quality_score nfm_reply object order org original_message_id parent_user_id payload payment_method
    payment_notification phase phone_number phone_number_id phones previous pricing product product_items
    product_retailer_id profile progress quantity reaction recipient_id recipient_type recipient_user_id referral
    referred_product response_json restriction_info revoke sha256 source_id source_type source_url state_sync status
    statuses sticker system template text threads thumbnail_url time timestamp title to to_parent_user_id to_user_id
    type unsupported update url user_id user_id_update user_preferences username value video video_url
    violation_info voice wa_id waba_ban_state waba_id waba_info welcome_message
    """.split()
)
"""Key names that may stand in a shape: the platform's own words, which cannot be anybody's data."""


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What all items of one change share.

    ``account`` is the phone number id (the WhatsApp Business Account id where none is given), ``contacts`` the
    change's own list of who is who, ``alone`` that the change holds a single item, ``standby`` and ``history``
    how the messages came to be here.
    """

    account: str
    now: Instant
    contacts: Json = None
    alone: bool = False
    standby: bool = False
    history: bool = False


Handle = Callable[[Scope, dict[str, Json]], Sequence[Event]]
"""Reads one item; whatever it raises costs that item alone."""


def each(scope: Scope, items: Json, handle: Handle) -> Iterator[Event]:
    """The events of every item of a list (a lone object counts as a list of one)."""
    if not isinstance(items, list):
        items = (items,)
    for item in items:
        if not isinstance(item, dict):
            yield unrecognised(scope.account, item, "not_an_object")
            continue
        try:
            events = handle(scope, item)
        except Exception:  # noqa: BLE001 - whatever an item holds, its neighbours are not lost for it
            events = (unrecognised(scope.account, item, "failed"),)
        yield from events


def unrecognised(account: str, value: Json, why: str) -> Unrecognised:
    """Authentic but not understood: types and known keys, never a value."""
    return Unrecognised(account=account, shape=shape(value, KEYS), why=why)


def word(value: Json) -> str:
    """A vendor's word for looking it up in a table: "" for whatever is no string."""
    return value if isinstance(value, str) else ""


def moment(item: dict[str, Json], now: Instant) -> Instant:
    """When it happened, by the item's own ``timestamp``; ``now`` where it has none to speak of."""
    return wild.instant(item.get("timestamp")) or now
