"""No Facebook CDN URL is kept, wherever it stands and however it is written.

SM-6 covers every Facebook CDN URL: in attachments of any type, also of one that no table knows; in texts, templates,
referrals, profiles, keys; encoded, escaped, or inside another URL. A person who has the URL has the content.
"""

from __future__ import annotations

from typing import Final

import msgspec

from policies.content import holds, may_hold, without_urls
from policies.message import REMOVED_CDN, Content, Message, Private
from policies.tenant import Facts
from policies.urls import Suffixes
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict, amended

FACEBOOK_CDN: Final = Suffixes.of(
    (
        # lookaside, platform-lookaside and cdn: messaging media, WhatsApp attachments, profile pictures.
        "fbsbx.com",
        # scontent, video, external (a proxy), static, and the edges inside providers' networks (….fna.fbcdn.net).
        "fbcdn.net",
        "cdninstagram.com",
        # lookaside.cdnwhatsapp.net, mmg*.whatsapp.net, media*.cdn.whatsapp.net: nothing under these two is a page
        # for people, so the whole domain goes rather than a list of hosts that the platform may add to.
        "cdnwhatsapp.net",
        "whatsapp.net",
    ),
    REMOVED_CDN,
)
"""Whose URLs are removed. Host names as seen in webhook payloads; registrable domains, so that new hosts are in."""


def check(message: Message, _facts: Facts) -> Verdict:
    """Remove every such URL, with any URL around it and with the asset id that stood in it.

    Identity is never amended: a message whose very id (or account, or person) is such a URL is withheld.
    """
    if not may_hold(message, FACEBOOK_CDN):
        return ALLOW
    if stands_in(msgspec.structs.replace(message, content=Content())):
        return Quarantine(code=ReasonCode.FACEBOOK_CDN)
    content = without_urls(message.content, FACEBOOK_CDN, ReasonCode.FACEBOOK_CDN)
    return amended(message.content, content, ReasonCode.FACEBOOK_CDN)


def stands_in(value: Private) -> bool:
    """Whether such a URL stands anywhere in an event, for those that no gate judges (receipts, consent …)."""
    return holds(value, FACEBOOK_CDN)
