"""Content that is stored and then taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.flows.canaries.mint import Attempt, Mint, Shape
from tests.flows.canaries.wire import (
    aaa,
    attachment,
    fb,
    ig,
    tweet,
    wam,
)
from worker.tour import samples


def unsent(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("instagram"), f"m_{m.regret().split()[1]}"
    what = {
        "mid": id_,
        "text": m.regret(),
        "attachments": attachment("image", url="https://files.example.org/a.jpg"),
    }
    return [ig(scene, message=what), ig(scene, message={"mid": id_, "is_deleted": True})]


def unsent_before(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("facebook"), f"m_{m.secret()}"
    return [
        fb(scene, message={"mid": id_, "is_deleted": True}),
        fb(scene, message={"mid": id_, "text": m.secret()}),
    ]


def edited_then_unsent(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("facebook"), f"m_{m.regret().split()[1]}"
    return [
        fb(scene, message={"mid": id_, "text": m.regret()}),
        fb(scene, message_edit={"mid": id_, "text": m.regret(), "num_edit": 1}),
        fb(scene, message={"mid": id_, "is_deleted": True}),
    ]


def revoked(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("whatsapp"), f"m_{m.regret().split()[1]}"
    return [
        wam(scene, id_, "text", text={"body": m.regret()}),
        wam(scene, m.aside(), "revoke", revoke={"original_message_id": id_}),
    ]


def post_deleted(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("x"), samples.digits()
    m.taken.append(id_)
    gone = {"status": {"id": id_, "user_id": scene.person}, "timestamp_ms": str(scene.at)}
    return [
        aaa(scene, tweet_create_events=[tweet(scene, id_, m.regret())]),
        aaa(scene, tweet_delete_events=[gone]),
    ]


SHAPES: Final[Sequence[Shape]] = (
    unsent,
    unsent_before,
    edited_then_unsent,
    revoked,
    post_deleted,
)
