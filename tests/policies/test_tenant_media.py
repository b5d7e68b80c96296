"""References to media are left out where the tenant says so (PP-3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from policies.message import Content, Media, MediaKind, Message
from policies.rules import tenant_media
from policies.verdict import ALLOW, Amend, ReasonCode, Verdict
from tests.policies.strategies import known, message, messages, written

FULL = Media(
    kind=MediaKind.FILE, url="https://example.org/a", id="1", mime_type="text/plain", sha256="0f", title="a"
)
BARE = Media(kind=MediaKind.FILE, mime_type="text/plain", title="a", removed="tenant_media")


def becomes(**content: object) -> Verdict:
    return Amend(content=Content(**content), code=ReasonCode.TENANT_MEDIA)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "wanted", "verdict"),
    [
        (message(media=(FULL,)), True, ALLOW),
        (message(text="hi", media=(FULL,)), False, becomes(text="hi", media=(BARE,))),
        (message(media=(BARE,)), False, ALLOW),
        (message(media=(Media(kind=MediaKind.LIKE),)), False, ALLOW),
        (
            message(media=(Media(kind=MediaKind.IMAGE, id="1", removed="facebook_cdn"),)),
            False,
            becomes(media=(Media(kind=MediaKind.IMAGE, removed="facebook_cdn"),)),
        ),
        (
            message(media=(Media(kind=MediaKind.IMAGE, sha256="0f"),)),
            False,
            becomes(media=(Media(kind=MediaKind.IMAGE, removed="tenant_media"),)),
        ),
        (
            message(
                details={"template": {"elements": [{"image_url": "x", "title": "t"}]}, "image": {"id": "1"}}
            ),
            False,
            becomes(details={"template": {"elements": [{"title": "t"}]}}),
        ),
        (message(details={"template": {"elements": [{"image_url": "x"}]}}), True, ALLOW),
        (message(text="https://example.org/a", details={"url": "https://example.org"}), False, ALLOW),
    ],
)
def test_tenant_media(judged: Message, wanted: bool, verdict: Verdict) -> None:  # noqa: FBT001
    """What an attachment was stays; an earlier reason stays; links are no media."""
    assert tenant_media.check(judged, known(record_media_references=wanted)) == verdict


@settings(max_examples=40)
@given(messages())
def test_no_reference_is_left(judged: Message) -> None:
    """No id, URL or digest of an attachment, no picture's key in the details, and the text untouched."""
    verdict = tenant_media.check(judged, known(record_media_references=False))
    content = verdict.content if isinstance(verdict, Amend) else judged.content
    assert all(media.url is media.id is media.sha256 is None for media in content.media)
    assert '"image_url": ' not in written(content)
    assert [media.kind for media in content.media] == [media.kind for media in judged.content.media]
    assert (content.text, content.profile) == (judged.content.text, judged.content.profile)
