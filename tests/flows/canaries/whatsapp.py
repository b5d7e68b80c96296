"""WhatsApp: media, forms, history, receipts, reviews, and types of tomorrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from tests.flows.canaries.mint import Attempt, Mint, Shape
from tests.flows.canaries.wire import (
    wa,
    wa_message,
    wam,
)


def wa_image(m: Mint) -> list[Attempt]:
    what = {"id": m.aside(), "mime_type": "image/jpeg", "url": m.cdn(), "caption": f"{m.words()} {m.cdn()}"}
    return [wam(m.scene("whatsapp"), m.id(), "image", image=what)]


def wa_document(m: Mint) -> list[Attempt]:
    what = {"id": m.aside(), "filename": f"{m.cdn()} a.pdf", "caption": m.words(), "url": m.cdn()}
    return [wam(m.scene("whatsapp"), m.id(), "document", document=what)]


def wa_advertisement(m: Mint) -> list[Attempt]:
    what = {
        "source_url": m.cdn(),
        "source_id": m.aside(),
        "headline": m.words(),
        "body": m.cdn(),
        "source_type": "ad",
    }
    pictures = {"image_url": m.cdn(), "video_url": m.cdn(), "thumbnail_url": m.cdn(), "ctwa_clid": m.aside()}
    return [wam(m.scene("whatsapp"), m.id(), "text", text={"body": m.words()}, referral=what | pictures)]


def wa_flow(m: Mint) -> list[Attempt]:
    answer = json.dumps(
        {"note": m.words(), "photo": m.cdn(), "deep": {"list": [m.cdn()]}, "inner": json.dumps([m.cdn()])}
    )
    reply = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": m.cdn(), "response_json": answer}}
    return [wam(m.scene("whatsapp"), m.id(), "interactive", interactive=reply)]


def wa_contacts(m: Mint) -> list[Attempt]:
    card = {
        "name": {"formatted_name": m.words()},
        "phones": [{"phone": m.aside()}],
        "urls": [{"url": m.cdn()}],
    }
    return [wam(m.scene("whatsapp"), m.id(), "contacts", contacts=[card | {"org": {"company": m.cdn()}}])]


def wa_order(m: Mint) -> list[Attempt]:
    what = {
        "catalog_id": m.aside(),
        "text": f"{m.words()} {m.cdn()}",
        "product_items": [{"product_retailer_id": m.cdn()}],
    }
    return [wam(m.scene("whatsapp"), m.id(), "order", order=what)]


def wa_location(m: Mint) -> list[Attempt]:
    what = {"latitude": 1.5, "longitude": 2.5, "name": m.words(), "address": m.cdn(), "url": m.cdn()}
    return [wam(m.scene("whatsapp"), m.id(), "location", location=what)]


def wa_edit(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("whatsapp"), m.id()
    new = {"type": "text", "text": {"body": f"{m.words()} {m.cdn()}"}}
    edited = {"original_message_id": id_, "message": new}
    return [
        wam(scene, id_, "text", text={"body": m.regret()}),
        wam(scene, m.aside(), "edit", edit=edited),
    ]


def wa_echo(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    echo = wa_message(scene, m.id(), "text", text={"body": f"{m.words()} {m.cdn()}"})
    return [
        wa(scene, "smb_message_echoes", message_echoes=[echo | {"from": scene.account, "to": scene.person}])
    ]


def wa_history(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    told = wa_message(scene, m.id(), "text", text={"body": f"{m.words()} {m.cdn()}"})
    chunk = {"metadata": {"phase": 0}, "threads": [{"id": scene.person, "messages": [told]}]}
    return [wa(scene, "history", history=[chunk])]


def wa_unknown_type(m: Mint) -> list[Attempt]:
    what = {"preview": m.cdn(), "inner": [{"still": m.cdn(), "note": m.aside()}]}
    return [wam(m.scene("whatsapp"), m.id(), "hologram", hologram=what)]


def wa_view_once(m: Mint) -> list[Attempt]:
    errors = [
        {"code": 131051, "title": m.secret(), "message": m.secret(), "error_data": {"details": m.secret()}}
    ]
    what = {"unsupported": {"type": "view_once"}, "errors": errors}
    return [wam(m.scene("whatsapp"), m.id(), "unsupported", **what)]


def wa_failure(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    errors = [
        {"code": 131026, "title": m.secret(), "message": m.secret(), "error_data": {"details": m.secret()}}
    ]
    told = {
        "id": m.aside(),
        "recipient_id": scene.person,
        "status": "failed",
        "timestamp": str(scene.at // 1000),
    }
    return [wa(scene, statuses=[told | {"errors": errors, "biz_opaque_callback_data": m.secret()}])]


def wa_call(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    call = {
        "id": m.aside(),
        "from": scene.person,
        "event": "connect",
        "session": {"sdp": m.secret()},
        "url": m.cdn(),
    }
    return [wa(scene, "calls", calls=[call | {"timestamp": str(scene.at // 1000)}])]


def wa_system(m: Mint) -> list[Attempt]:
    what = {"body": f"{m.aside()} {m.cdn()}", "type": "customer_changed_identity", "identity": m.aside()}
    return [wam(m.scene("whatsapp"), m.id(), "system", system=what)]


def wa_preference(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    told = {"wa_id": scene.person, "detail": m.secret(), "category": "marketing_messages", "value": "stop"}
    return [wa(scene, "user_preferences", user_preferences=[told | {"timestamp": scene.at // 1000}])]


def wa_template_review(m: Mint) -> list[Attempt]:
    value = {
        "event": "REJECTED",
        "message_template_id": 7,
        "message_template_name": m.aside(),
        "reason": m.secret(),
    }
    return [wa(m.scene("whatsapp"), "message_template_status_update", **value)]


def wa_unknown_field(m: Mint) -> list[Attempt]:
    return [wa(m.scene("whatsapp"), m.secret(), whatever=[{"body": m.secret(), "url": m.cdn()}])]


def wa_profile(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    card = {"profile": {"name": f"{m.aside()} {m.cdn()}", "username": m.aside()}, "wa_id": scene.person}
    told = wa_message(scene, m.id(), "text", text={"body": m.words()})
    return [wa(scene, contacts=[card], messages=[told])]


def wa_reply_buttons(m: Mint) -> list[Attempt]:
    chosen = {"id": f"b {m.cdn()}", "title": m.words(), "description": m.cdn()}
    reply = {"type": "list_reply", "list_reply": chosen}
    return [wam(m.scene("whatsapp"), m.id(), "interactive", interactive=reply)]


SHAPES: Final[Sequence[Shape]] = (
    wa_image,
    wa_document,
    wa_advertisement,
    wa_flow,
    wa_contacts,
    wa_order,
    wa_location,
    wa_edit,
    wa_echo,
    wa_history,
    wa_unknown_type,
    wa_view_once,
    wa_failure,
    wa_call,
    wa_system,
    wa_preference,
    wa_template_review,
    wa_unknown_field,
    wa_profile,
    wa_reply_buttons,
)
