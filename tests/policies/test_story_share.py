"""Shared stories: a placeholder, and nothing that leads to the media (SM-6, SM-8)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.message import Content, Media, MediaKind, Message
from policies.rules import NEVER_RECORD, story_share
from policies.verdict import ALLOW, Amend, Outcome, ReasonCode
from tests.policies.strategies import known, medias, message, messages, texts, written

PLACEHOLDER = Media(kind=MediaKind.STORY, removed="story_share")
PICTURE = Media(kind=MediaKind.IMAGE, url="https://example.org/own.jpg", id="77")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            Content(
                media=(
                    Media(
                        kind=MediaKind.STORY,
                        url="https://lookaside.fbsbx.com/x?asset_id=1",
                        id="1",
                        mime_type="video/mp4",
                        sha256="0f",
                        title="hers",
                    ),
                )
            ),
            Content(media=(PLACEHOLDER,)),
        ),
        (
            Content(media=(Media(kind=MediaKind.STORY, url="https://media.example/not-the-cdn.jpg"),)),
            Content(media=(PLACEHOLDER,)),
        ),
        (Content(media=(Media(kind=MediaKind.STORY, id="1"),)), Content(media=(PLACEHOLDER,))),
        (Content(media=(Media(kind=MediaKind.STORY),)), Content(media=(PLACEHOLDER,))),
        (
            Content(
                text="look",
                media=(
                    PICTURE,
                    Media(
                        kind=MediaKind.STORY,
                        url="https://lookaside.fbsbx.com/x?asset_id=1",
                        id="1",
                        mime_type="video/mp4",
                        sha256="0f",
                        title="hers",
                    ),
                ),
            ),
            Content(text="look", media=(PICTURE, PLACEHOLDER)),
        ),
        (
            Content(
                media=(
                    Media(
                        kind=MediaKind.STORY,
                        url="https://lookaside.fbsbx.com/x?asset_id=1",
                        id="1",
                        mime_type="video/mp4",
                        sha256="0f",
                        title="hers",
                    ),
                    Media(kind=MediaKind.STORY, url="https://b.example/"),
                )
            ),
            Content(media=(PLACEHOLDER, PLACEHOLDER)),
        ),
        (Content(text="look", media=(PLACEHOLDER,)), None),
        (Content(text="look", media=(PICTURE,)), None),
        (Content(text="look"), None),
    ],
)
def test_story_share(content: Content, expected: Content | None) -> None:
    """A shared story becomes a placeholder; the rest stays."""
    verdict = story_share.check(message(text=content.text, media=content.media), known())
    wanted = ALLOW if expected is None else Amend(content=expected, code=ReasonCode.STORY_SHARE)
    assert verdict == wanted


@settings(max_examples=40)
@given(messages(), medias(st.just("https://example.org/Story4711"), st.just(MediaKind.STORY)), texts)
def test_of_a_shared_story_nothing_but_the_fact_is_left(judged: Message, story: Media, text: str) -> None:
    """On every channel and in both directions, from any host, beside any other attachment."""
    content = Content(text=text, media=(*judged.content.media, story), profile={"name": "Ann"})
    decision = decide(
        message(content=content, channel=judged.channel, direction=judged.direction), known(), NEVER_RECORD
    )
    assert decision.outcome is Outcome.AMENDED
    assert decision.message is not None
    assert "Story4711" not in written(decision.message)
    assert decision.message.content.media[-1] == PLACEHOLDER
    assert decision.message.content.text == text
    assert ReasonCode.STORY_SHARE in {reason.code for reason in decision.reasons}
