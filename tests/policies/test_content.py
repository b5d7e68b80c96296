"""Every string of a content is reached; nothing else is touched."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from policies.content import holds, mapped, may_hold, reduced, without_urls
from policies.event import Consent, ConsentChanged
from policies.message import Content, Media, MediaKind
from policies.rules.facebook_cdn import FACEBOOK_CDN
from policies.verdict import ReasonCode
from tests.policies.strategies import CANARY, cdn_urls, contents, message, texts, written

FULL = Content(
    text="text",
    media=(
        Media(
            kind=MediaKind.FILE,
            url="url",
            id="id",
            mime_type="mime",
            sha256="sha",
            title="title",
            removed="why",
        ),
        Media(kind=MediaKind.LIKE),
    ),
    details={"a": {"b": ["c", {"d": "e"}, 1, 2.5, None, True]}, "f": "g"},
    profile={"h": "i"},
)


def test_every_string_from_outside_is_changed() -> None:
    """Text, all of an attachment but our own words, keys and leaves at any depth, profile."""
    assert mapped(FULL, str.upper) == Content(
        text="TEXT",
        media=(
            Media(
                kind=MediaKind.FILE,
                url="URL",
                id="ID",
                mime_type="MIME",
                sha256="SHA",
                title="TITLE",
                removed="why",
            ),
            Media(kind=MediaKind.LIKE),
        ),
        details={"A": {"B": ["C", {"D": "E"}, 1, 2.5, None, True]}, "F": "G"},
        profile={"H": "I"},
    )


@settings(max_examples=40)
@given(contents(texts))
def test_changing_nothing_changes_nothing(content: Content) -> None:
    """The identity maps every content to an equal one."""
    assert mapped(content, str) == content


def test_keys_that_become_the_same_stay_apart() -> None:
    """What stood under each of them is kept."""
    content = Content(details={"a": 1, "b": {"c": 2}, "gone": 3}, profile={"x": "1", "y": "2"})
    assert mapped(content, lambda _: "gone") == Content(
        details={"gone": 1, "gone 2": {"gone": 2}, "gone 3": 3}, profile={"gone": "gone", "gone 2": "gone"}
    )


def test_reduced_attachments_keep_only_their_kind_and_the_reason() -> None:
    """Of the kinds asked for; others stay as they are."""
    content = reduced(FULL, {MediaKind.FILE}, ReasonCode.VIEW_ONCE)
    assert content.media == (Media(kind=MediaKind.FILE, removed="view_once"), Media(kind=MediaKind.LIKE))
    assert (content.text, content.details, content.profile) == (FULL.text, FULL.details, FULL.profile)


URL = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1780000000000042&signature=x"


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (Media(kind=MediaKind.IMAGE, url=URL), Media(kind=MediaKind.IMAGE, removed="facebook_cdn")),
        (
            Media(kind=MediaKind.REEL, url=URL, id="1780000000000042", title="a reel"),
            Media(kind=MediaKind.REEL, title="a reel", removed="facebook_cdn"),
        ),
        (
            Media(kind=MediaKind.REEL, url=URL, id="another", mime_type="video/mp4"),
            Media(kind=MediaKind.REEL, id="another", mime_type="video/mp4", removed="facebook_cdn"),
        ),
        (
            Media(
                kind=MediaKind.IMAGE, url="https://lookaside.fbsbx.com/w/?mid=77&ext=1", id="77", sha256="0f"
            ),
            Media(kind=MediaKind.IMAGE, id="77", sha256="0f", removed="facebook_cdn"),
        ),
        (
            Media(kind=MediaKind.IMAGE, url="scontent.xx.fbcdn.net", removed="earlier"),
            Media(kind=MediaKind.IMAGE, removed="earlier"),
        ),
        (
            Media(kind=MediaKind.LINK, url="https://example.org/x", title=f"see {URL}", id=URL),
            Media(
                kind=MediaKind.LINK,
                url="https://example.org/x",
                title="see [removed:facebook-cdn]",
                id="[removed:facebook-cdn]",
            ),
        ),
        (
            Media(kind=MediaKind.LINK, url="https://example.org/x"),
            Media(kind=MediaKind.LINK, url="https://example.org/x"),
        ),
    ],
)
def test_an_attachment_loses_its_url_and_the_asset_id_in_it(media: Media, expected: Media) -> None:
    """A WhatsApp media id opens nothing by itself and stays; an earlier reason stays too."""
    content = without_urls(Content(media=(media,)), FACEBOOK_CDN, ReasonCode.FACEBOOK_CDN)
    assert content.media == (expected,)


@settings(max_examples=60)
@given(contents(cdn_urls() | texts))
def test_one_look_at_everything_misses_nothing(content: Content) -> None:
    """If any string holds a URL in any disguise, the look at all of them together says so."""
    if CANARY in written(content):
        assert may_hold(content, FACEBOOK_CDN)


@pytest.mark.parametrize(
    "text",
    [
        "one line\nanother\tword\r\n\"quoted\" and 'so'",
        "c:\\new\\table",
        "https://example.org/\\u0041?a=%20&amp;b",
        "the FB CDN, net of costs",
        "…½ “ok” 😀 日本語。",
    ],
)
def test_ordinary_content_is_let_pass_at_one_look(text: str) -> None:
    """Quotes, line breaks, backslashes and other scripts do not send a message the long way."""
    assert not may_hold(Content(text=text, details={"context": {"forwarded": True}}), FACEBOOK_CDN)


def test_what_cannot_be_looked_at_is_suspect() -> None:
    """Lone surrogates and endless nesting are no data: the slow way decides, and fails if it must."""
    assert may_hold(Content(text="\ud800"), FACEBOOK_CDN)
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert may_hold(Content(details={"a": nested}), FACEBOOK_CDN)


def test_events_that_no_gate_judges_can_be_asked_too() -> None:
    """Any field of any event counts, and innocent ones do not."""
    event = ConsentChanged(
        account="1", person=(), consent=Consent.GRANTED, category="marketing_messages", occurred_at=1
    )
    assert not holds(event, FACEBOOK_CDN)
    assert holds(msgspec.structs.replace(event, category=URL), FACEBOOK_CDN)
    assert holds(message(reply_to=URL), FACEBOOK_CDN)
