"""Menus, forms and requests: what a consumer answered, and (in echoes and history) what the business asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors import wild
from connectors.whatsapp.trees import Take, answers, record, records, scalar, words
from policies.message import Json


def read(value: Json) -> tuple[str | None, dict[str, Json]] | None:
    """The text and the details of an ``interactive`` object; None when no table knows its ``type``."""
    interactive = wild.mapping(value)
    kind = interactive.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    text_key, take = KINDS[kind]
    source = interactive.get(kind) if kind in interactive else interactive
    holder, key = (source, text_key) if text_key else (interactive.get("body"), "text")
    text = wild.text(wild.mapping(holder).get(key))
    return text, {"interactive": {"type": kind, **(take(source) or {})}}


_product = record(catalog_id=scalar, product_retailer_id=scalar)
_reply = record(id=scalar, title=scalar, description=scalar)
_menu = record(
    header=record(type=scalar, text=scalar),
    footer=record(text=scalar),
    action=record(
        button=scalar,
        name=scalar,
        buttons=records(type=scalar, reply=record(id=scalar, title=scalar)),
        sections=records(title=scalar, rows=records(id=scalar, title=scalar, description=scalar)),
        parameters=record(display_text=scalar, url=scalar),
        catalog_id=scalar,
        product_retailer_id=scalar,
    ),
)
_payment = record(
    reference_id=scalar,
    transaction_id=scalar,
    payment_status=scalar,
    payment_method=scalar,
    payment_timestamp=scalar,
)

KINDS: Final[Mapping[str, tuple[str, Take]]] = {
    # Answers of the consumer: under a key of their own name, with the words they tapped in ``title``.
    "button_reply": ("title", _reply),
    "list_reply": ("title", _reply),
    "nfm_reply": ("", record(name=scalar, body=scalar, response=("response_json", answers))),
    "call_permission_reply": (
        "",
        record(
            response=words("accept", "reject"),
            source=("response_source", words("user_action", "automatic")),
            is_permanent=scalar,
            expires_at=("expiration_timestamp", scalar),
        ),
    ),
    **dict.fromkeys(("payment", "payment_method", "payment_notification"), ("", _payment)),
    # Menus of the business, which come back in echoes and history: what they say stands in ``body.text``.
    **dict.fromkeys(
        """address_message button call_permission_request catalog_message cta_url flow list location_request_message
        order_details order_status product_list voice_call""".split(),
        ("", _menu),
    ),
    "product": ("", record(catalog_id=scalar, product_retailer_id=scalar, action=_product)),
}
