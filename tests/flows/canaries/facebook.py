"""Messenger: templates, referrals, stickers, stand-by, and what is no conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.flows.canaries.mint import Attempt, Mint, Shape
from tests.flows.canaries.wire import (
    attachment,
    change,
    fb,
)


def fallback(m: Mint) -> list[Attempt]:
    share = {
        "type": "fallback",
        "title": m.words(),
        "url": m.cdn(),
        "payload": {"title": m.cdn(), "url": m.cdn()},
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "attachments": [share]})]


def product(m: Mint) -> list[Attempt]:
    elements = [{"id": m.aside(), "title": m.words(), "image_url": m.cdn(), "subtitle": m.cdn()}]
    what = attachment("template", product={"elements": elements})
    return [fb(m.scene("facebook"), message={"mid": m.id(), "attachments": what})]


def advertisement(m: Mint) -> list[Attempt]:
    context = {"ad_title": m.words(), "photo_url": m.cdn(), "video_url": m.cdn(), "post_id": m.aside()}
    referral = {
        "source": "ADS",
        "type": "OPEN_THREAD",
        "ad_id": m.aside(),
        "ref": m.cdn(),
        "ads_context_data": context,
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "referral": referral})]


def referral(m: Mint) -> list[Attempt]:
    what = {
        "ref": f"{m.aside()} {m.cdn()}",
        "source": "SHORTLINK",
        "type": "OPEN_THREAD",
        "referer_uri": m.cdn(),
    }
    return [fb(m.scene("facebook"), referral=what)]


def opt_in(m: Mint) -> list[Attempt]:
    what = {
        "ref": f"{m.aside()} {m.cdn()}",
        "type": "notification_messages",
        "title": m.cdn(),
        "payload": m.cdn(),
    }
    return [fb(m.scene("facebook"), optin=what)]


def standby(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "text": f"{m.words()} {m.cdn()}"}
    return [fb(m.scene("facebook"), key="standby", message=what)]


def facebook_story_reply(m: Mint) -> list[Attempt]:
    story = {"url": f"https://stories.example.net/{m.secret()}", "id": m.secret()}
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "reply_to": {"story": story}})]


def sticker(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "sticker_id": 369239263222822, "attachments": attachment("image", url=m.cdn())}
    return [fb(m.scene("facebook"), message=what)]


def location(m: Mint) -> list[Attempt]:
    where = {
        "type": "location",
        "title": m.words(),
        "url": m.cdn(),
        "payload": {"coordinates": {"lat": 1, "long": 2}},
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "attachments": [where]})]


def feed(m: Mint) -> list[Attempt]:
    value = {"item": "status", "message": m.secret(), "photos": [m.cdn()], "from": {"name": m.secret()}}
    return [change("facebook", m.scene("facebook"), "feed", value)]


def account_linking(m: Mint) -> list[Attempt]:
    return [fb(m.scene("facebook"), account_linking={"status": "linked", "authorization_code": m.secret()})]


SHAPES: Final[Sequence[Shape]] = (
    fallback,
    product,
    advertisement,
    referral,
    opt_in,
    standby,
    facebook_story_reply,
    sticker,
    location,
    feed,
    account_linking,
)
