"""X: both envelopes, posts, direct messages, encrypted chat, and what is only counted."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from tests.flows.canaries.mint import Attempt, Body, Mint, Shape
from tests.flows.canaries.wire import (
    aaa,
    post,
    tweet,
    xaa,
)
from worker.tour import samples


def encrypted_chat(m: Mint) -> list[Attempt]:
    payload: Body = {
        "conversation_id": m.secret(),
        "encoded_event": base64.b64encode(m.secret().encode()).decode(),
    }
    payload |= {"sender_id": m.secret(), "message_event_signature": {"signature": m.secret()}}
    return [xaa(m.scene("x"), kind, payload) for kind in ("chat.received", "chat.sent")]


def x_direct_message(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    short = "https://t.co/invented01"
    links = {"urls": [{"url": short, "expanded_url": m.cdn(), "display_url": m.cdn()}], "user_mentions": []}
    data = {"text": f"{m.words()} {short} {m.cdn()}", "entities": links}
    create = {"target": {"recipient_id": scene.account}, "sender_id": scene.person, "message_data": data}
    event = {
        "type": "message_create",
        "id": m.number(),
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    pictures = {scene.person: {"id": scene.person, "name": m.aside(), "profile_image_url_https": m.cdn()}}
    return [aaa(scene, direct_message_events=[event], users=pictures)]


def x_activity_message(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    text = {"text": f"{m.words()} {m.cdn()}"}
    create = {"target": {"recipient_id": scene.account}, "sender_id": scene.person, "message_data": text}
    event = {
        "type": "message_create",
        "id": m.number(),
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    return [xaa(scene, "dm.received", {"direct_message_events": [event]})]


def x_post(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    quoted = tweet(scene, samples.digits(), f"{m.aside()} {m.cdn()}")
    card = {"name": "summary", "binding_values": {"photo": m.cdn()}}
    told = tweet(scene, m.number(), f"{m.words()} {m.cdn()}", quoted_status=quoted, card=card)
    return [aaa(scene, tweet_create_events=[told])]


def x_long_post(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    full = f"{m.words()} {m.cdn()} " + "and on " * 40
    mention = [{"id_str": scene.account, "screen_name": "tenant"}]
    extended = {
        "full_text": full,
        "entities": {"user_mentions": mention, "urls": [{"expanded_url": m.cdn()}]},
    }
    return [
        aaa(
            scene,
            tweet_create_events=[
                tweet(scene, m.number(), full[:60], truncated=True, extended_tweet=extended)
            ],
        )
    ]


def x_noted(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    like = {
        "id": m.secret(),
        "favorited_status": {"text": m.secret(), "url": m.cdn()},
        "user": {"name": m.secret()},
    }
    return [
        aaa(scene, favorite_events=[like]),
        xaa(scene, "profile.update.bio", {"before": m.secret(), "after": m.secret()}),
        xaa(scene, "news.new", {"headline": m.secret(), "summary": m.cdn()}),
    ]


def x_unknown(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    return [
        aaa(scene, **{f"{m.secret()}_events": [{"text": m.secret(), "url": m.cdn()}]}),
        xaa(scene, m.secret(), {"text": m.secret()}),
        post("x", {m.secret(): m.secret()}),
    ]


SHAPES: Final[Sequence[Shape]] = (
    encrypted_chat,
    x_direct_message,
    x_activity_message,
    x_post,
    x_long_post,
    x_noted,
    x_unknown,
)
