"""The story that a self-audit tells: bodies as Instagram would post them, with values that nobody has seen before."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from policies.message import Instant, Private
from worker.tour.samples import Scene, digits, message_id, messaging, text

CONNECTOR: Final = "instagram"
"""The one platform that has all of it: story mentions, and messages that are taken back."""

_TOKEN_BYTES: Final = 12


class Canary(StrEnum):
    """What is looked for. KEPT, PERSON and MESSAGE_ID are kept sealed: in the open they must not stand anywhere."""

    STORY_URL = "story_url"
    UNSENT_TEXT = "unsent_text"
    GOVERNMENT_ID = "government_id"
    KEPT = "kept_text"
    PERSON = "person"
    MESSAGE_ID = "message_id"


NEVER_KEPT: Final = frozenset({Canary.STORY_URL, Canary.UNSENT_TEXT, Canary.GOVERNMENT_ID})


class Story(Private, frozen=True, kw_only=True):
    """One telling: fresh values, and the deliveries that hold them, in order.

    ``values``: what to look for, by what it is; one may have several spellings.
    """

    account: str
    values: Mapping[Canary, tuple[str, ...]]
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


def tell(now: Instant) -> Story:
    """A story mention, a government id, a text that stays, one that is taken back: ``after`` is the taking back."""
    scene = Scene(account=digits(), person=digits(), at=now // 1000)
    story, unsent, kept = (_token() for _ in range(3))
    number = _social_security_number()
    ids = [message_id(CONNECTOR) for _ in range(4)]
    url = f"https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature={story}"
    mention = {"mid": ids[0], "attachments": [{"type": "story_mention", "payload": {"url": url}}]}
    said = f"look https://scontent.cdninstagram.com/v/{story}.jpg my social security number is {number}"
    return Story(
        account=scene.account,
        values={
            Canary.STORY_URL: (story,),
            Canary.UNSENT_TEXT: (unsent,),
            Canary.GOVERNMENT_ID: (number, number.replace("-", "")),
            Canary.KEPT: (kept,),
            Canary.PERSON: (scene.person,),
            Canary.MESSAGE_ID: tuple(ids),
        },
        before=(
            messaging(CONNECTOR, scene, {"message": mention}),
            text(CONNECTOR, scene, said, ids[1]),
            text(CONNECTOR, scene, kept, ids[2]),
            text(CONNECTOR, scene, unsent, ids[3]),
        ),
        after=(messaging(CONNECTOR, scene, {"message": {"mid": ids[3], "is_deleted": True}}),),
    )


def _token() -> str:
    """Letters and digits alone: no escaping changes it."""
    return f"selfaudit{secrets.token_hex(_TOKEN_BYTES)}"


def _social_security_number() -> str:
    """Of the shape that is issued; nobody's, as far as chance goes."""
    area, group, serial = secrets.randbelow(165) + 501, secrets.randbelow(99) + 1, secrets.randbelow(9999) + 1
    return f"{area}-{group:02}-{serial:04}"
