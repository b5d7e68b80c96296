"""What was said on Messenger and Instagram: attachments, templates, stories, referrals, and the kind of message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.instagram import webhook as instagram
from connectors.meta_messaging.attachments import MAX_UNKNOWN_URLS
from policies.event import MessageReceived
from policies.message import Json, Media, MediaKind, Message, MessageKind

NOW = 1_790_000_000_000_000
URL = "https://pictures.example/a.jpg"
CDN = "https://scontent.xx.fbcdn.net/v/a_n.jpg?oh=x"


def said(**keys: Json) -> Message:
    item = {"sender": {"id": "7"}, "recipient": {"id": "1"}, "message": {"mid": "m"} | keys}
    (event,) = instagram.parse({"object": "instagram", "entry": [{"id": "1", "messaging": [item]}]}, NOW)
    assert isinstance(event, MessageReceived)
    return event.message


def media(*attachments: Json) -> list[tuple[str, str | None]]:
    return [(one.kind.value, one.url) for one in said(attachments=list(attachments)).content.media]


def strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(inner)


@pytest.mark.parametrize(
    ("word", "media_kind", "kind"),
    [
        ("image", "image", "media"),
        ("video", "video", "media"),
        ("audio", "audio", "media"),
        ("file", "file", "media"),
        ("sticker", "sticker", "media"),
        ("like_heart", "like", "media"),
        ("share", "share", "media"),
        ("post", "post", "media"),
        ("ig_post", "post", "media"),
        ("reel", "reel", "media"),
        ("ig_reel", "reel", "media"),
        ("story", "story", "media"),
        ("ig_story", "story", "media"),
        ("story_share", "story", "media"),
        ("story_mention", "story_mention", "story_mention"),
        ("STORY_MENTION", "story_mention", "story_mention"),
        ("story_reply", "story_reply", "story_reply"),
        ("ephemeral", "ephemeral", "media"),
        ("fallback", "fallback", "media"),
        ("link", "link", "media"),
        ("unsupported_type", "unsupported", "unsupported"),
        ("story_mention_v2", "unknown", "unknown"),
        ("", "unknown", "unknown"),
        (None, "unknown", "unknown"),
        (["image"], "unknown", "unknown"),
    ],
)
def test_attachment_types(word: Json, media_kind: str, kind: str) -> None:
    """A type of the table has its kind, any other is unknown; either way its URL is there for the rules."""
    message = said(attachments=[{"type": word, "payload": {"url": URL}}])
    assert message.kind.value == kind
    assert message.content.media == (Media(kind=MediaKind(media_kind), url=URL),)


@pytest.mark.parametrize("word", ["image", "like_heart", "ephemeral", "story_mention", "hologram"])
def test_an_attachment_without_payload_is_still_there(word: str) -> None:
    """View-once media and hearts come without any payload."""
    assert [url for _, url in media({"type": word})] == [None]
    assert [url for _, url in media({"type": word, "payload": None})] == [None]


@pytest.mark.parametrize(
    "key",
    [
        "url", "story_media_url", "media_url", "image_url", "video_url", "audio_url", "file_url", "photo_url",
        "thumbnail_url", "preview_url", "preview_image_url", "link", "permalink",
    ],
)  # fmt: skip
def test_every_named_url_of_an_attachment_is_seen(key: str) -> None:
    """Beside another URL, on the attachment itself, and in a list of media."""
    both = {"url": URL} | {key: CDN}
    assert {url for _, url in media({"type": "image", "payload": both})} == set(both.values())
    assert media({"type": "video", key: CDN}) == [("video", CDN)]
    assert media({"type": "ig_post", "payload": {"media": [{key: CDN}]}}) == [("post", CDN)]


def test_titles_stand_with_their_urls() -> None:
    """A fallback has title and URL twice; the same pair counts once."""
    attachment = {"type": "fallback", "title": "A", "url": URL, "payload": {"title": "B", "url": CDN}}
    assert said(attachments=[attachment]).content.media == (
        Media(kind=MediaKind.FALLBACK, url=URL, title="A"),
        Media(kind=MediaKind.FALLBACK, url=CDN, title="B"),
    )
    twice = {"type": "fallback", "title": "A", "url": URL, "payload": {"title": "A", "url": URL}}
    assert said(attachments=[twice]).content.media == (Media(kind=MediaKind.FALLBACK, url=URL, title="A"),)


@pytest.mark.parametrize(
    ("payload", "media_id"),
    [
        ({"sticker_id": 369}, "369"),
        ({"reel_video_id": 3_100_000_000_000_000_777}, "3100000000000000777"),
        ({"ig_post_media_id": "18"}, "18"),
        ({"story_media_id": "18", "story_media_url": CDN}, "18"),
        ({"id": CDN}, None),
        ({"id": "lookaside.fbsbx.com/x"}, None),
        ({"id": ["18"]}, None),
    ],
)
def test_media_ids(payload: dict[str, Json], media_id: str | None) -> None:
    """Ids may be integers; a URL is no id."""
    assert [one.id for one in said(attachments=[{"type": "reel", "payload": payload}]).content.media] == [
        media_id
    ]


def test_a_picture_with_a_sticker_id_is_a_sticker() -> None:
    """Messenger sends stickers as images; without an attachment the id alone tells."""
    assert media({"type": "image", "payload": {"sticker_id": 369, "url": CDN}}) == [("sticker", CDN)]
    alone = said(sticker_id=369)
    assert (alone.kind, alone.content.media) == (
        MessageKind.MEDIA,
        (Media(kind=MediaKind.STICKER, id="369"),),
    )
    both = said(sticker_id=369, attachments=[{"type": "image", "payload": {"sticker_id": 369, "url": CDN}}])
    assert len(both.content.media) == 1


@pytest.mark.parametrize(
    ("leaf", "carried"),
    [
        (CDN, True),
        ("//scontent.cdninstagram.com/v/1.jpg", True),
        ("scontent.cdninstagram.com", True),
        ("LOOKASIDE.FBSBX.COM:443/x", True),
        ("see https://pictures.example/a and smile", True),
        ("https%3A%2F%2Fscontent.xx.fbcdn.net%2Fv", True),
        ("u=https%253A%252F%252Fscontent%252Exx", True),
        ("scontent%2Exx%2Efbcdn%2Enet", True),
        ("scontent。xx。fbcdn。net", True),
        ("scontent．fbcdn．net", True),
        ("a plain sentence", False),
        ("3.14", False),
        ("18100000000000008", False),
        ("", False),
    ],
)
def test_of_an_unknown_attachment_only_urls_are_carried(leaf: str, carried: bool) -> None:  # noqa: FBT001
    """Rules judge them by value; whatever else stands there is not kept."""
    found = media(
        {"type": "hologram", "payload": {"deep": [{"er": leaf}], "number": 7, "author": "somebody"}}
    )
    assert found == [("unknown", leaf if carried else None)]


_trees = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from([URL, CDN, "plain", "pictures.example/b"])
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None)
@given(_trees)
def test_whatever_an_unknown_attachment_holds_its_urls_are_seen(tree: Json) -> None:
    """Every URL in it, once, in order, and nothing that did not stand in it."""
    found = [url for _, url in media({"type": "hologram", "payload": tree})]
    leaves = list(dict.fromkeys(strings(tree)))
    assert [url for url in found if url in (URL, CDN)] == [leaf for leaf in leaves if leaf in (URL, CDN)]
    assert {url for url in found if url is not None} <= set(leaves)
    assert "plain" not in found


def test_an_unknown_attachment_carries_a_bounded_number_of_urls() -> None:
    """What goes beyond is not kept at all."""
    links = [f"https://pictures.example/{number}" for number in range(MAX_UNKNOWN_URLS + 5)]
    assert [url for _, url in media({"type": "hologram", "payload": links})] == links[:MAX_UNKNOWN_URLS]


def test_a_template_is_read_under_our_own_keys() -> None:
    """Titles, pictures, links and buttons, and no other key."""
    element = {
        "title": "T", "subtitle": "S", "image_url": CDN, "default_action": {"type": "web_url", "url": URL, "more": "x"},
        "buttons": [{"type": "web_url", "title": "B", "url": CDN, "messenger_extensions": True}, "no object"], "more": "x",
    }  # fmt: skip
    payload = {"template_type": "generic", "elements": [element], "buttons": [{"title": "C"}], "more": "x"}
    message = said(attachments=[{"type": "template", "title": "U", "url": URL, "payload": payload}])
    assert message.kind is MessageKind.TEMPLATE
    assert message.content.media == ()
    assert message.content.details == {
        "template": {
            "title": "U",
            "url": URL,
            "type": "generic",
            "elements": [
                {
                    "title": "T",
                    "subtitle": "S",
                    "image_url": CDN,
                    "action_url": URL,
                    "buttons": [{"type": "web_url", "title": "B", "url": CDN}],
                }
            ],
            "buttons": [{"title": "C"}],
        }
    }


def test_several_templates_become_a_list() -> None:
    """None takes the place of another."""
    attachments = [{"type": "template", "payload": {"text": text}} for text in "abc"]
    assert said(attachments=attachments).content.details == {
        "template": [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    }


@pytest.mark.parametrize(
    ("coordinates", "read"),
    [
        ({"lat": 53.5, "long": -10}, {"latitude": 53.5, "longitude": -10.0}),
        ({"lat": 0, "long": 0}, {"latitude": 0.0, "longitude": 0.0}),
        ({"lat": 1000, "long": 10**400}, None),
        ({"lat": "53.5", "long": True}, None),
        ([53.5, 10], None),
    ],
)
def test_locations_are_degrees(coordinates: Json, read: dict[str, float] | None) -> None:
    """Anything else is no place."""
    message = said(attachments=[{"type": "location", "payload": {"coordinates": coordinates}}])
    assert message.kind is MessageKind.LOCATION
    assert message.content.details == ({} if read is None else {"location": read})


@pytest.mark.parametrize(
    ("story", "media_of_story"),
    [
        ({"id": "18", "url": CDN}, Media(kind=MediaKind.STORY_REPLY, url=CDN, id="18")),
        ({"id": 18, "link": URL}, Media(kind=MediaKind.STORY_REPLY, url=URL, id="18")),
        ({"id": "18"}, Media(kind=MediaKind.STORY_REPLY, id="18")),
        ({}, Media(kind=MediaKind.STORY_REPLY)),
    ],
)
def test_a_story_reply_keeps_its_text_and_marks_the_story(story: Json, media_of_story: Media) -> None:
    """The story's reference is media, so that the rules strip it (SM-6); the answer's own words stay."""
    message = said(text="lovely", reply_to={"mid": "m0", "story": story})
    assert (message.kind, message.reply_to) == (MessageKind.STORY_REPLY, "m0")
    assert message.content.text == "lovely"
    assert message.content.media == (media_of_story,)


@pytest.mark.parametrize("reply_to", [None, [], "m0", {"mid": None}, {"story": None}, {"story": "s"}])
def test_a_malformed_quotation_is_no_quotation(reply_to: Json) -> None:
    """The message around it stays."""
    message = said(text="x", reply_to=reply_to)
    assert (message.kind, message.reply_to, message.content.media) == (MessageKind.TEXT, None, ())


IMAGE = {"type": "image", "payload": {"url": URL}}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, "empty"),
        ({"text": ""}, "empty"),
        ({"text": 7}, "empty"),
        ({"text": "x"}, "text"),
        ({"text": "x", "attachments": []}, "text"),
        ({"text": "x", "attachments": [IMAGE]}, "media"),
        ({"text": "x", "attachments": [{"type": "hologram"}]}, "unknown"),
        ({"attachments": [{"type": "hologram"}, IMAGE]}, "media"),
        ({"text": "x", "quick_reply": {"payload": "P"}}, "quick_reply"),
        ({"text": "x", "quick_reply": {}}, "quick_reply"),
        ({"text": "x", "quick_reply": "P"}, "text"),
        ({"attachments": [IMAGE, {"type": "location"}]}, "location"),
        ({"attachments": [IMAGE, {"type": "template"}]}, "template"),
        ({"is_unsupported": True}, "unsupported"),
        ({"is_unsupported": "true", "attachments": [IMAGE]}, "unsupported"),
        ({"is_unsupported": False, "text": "x"}, "text"),
        ({"attachments": [IMAGE], "reply_to": {"story": {}}}, "story_reply"),
        ({"is_unsupported": True, "attachments": [IMAGE, {"type": "story_mention"}]}, "story_mention"),
        ({"reply_to": {"story": {}}, "attachments": [{"type": "story_mention"}]}, "story_mention"),
    ],
    ids=repr,
)
def test_what_a_message_mainly_is(keys: dict[str, Json], kind: str) -> None:
    """A story is told first, then what cannot be shown, then the rest."""
    assert said(**keys).kind.value == kind


def test_a_referral_is_read_under_our_own_keys() -> None:
    """The pictures of an advertisement are CDN URLs, and stand where the rules look."""
    referral = {
        "ref": "r", "source": "ADS", "type": "OPEN_THREAD", "ad_id": 238, "referer_uri": URL, "is_guest_user": True,
        "product": {"id": "5", "more": "x"}, "more": "x",
        "ads_context_data": {"ad_title": "T", "photo_url": CDN, "video_url": URL, "post_id": "p", "product_id": 6, "more": "x"},
    }  # fmt: skip
    assert said(text="x", referral=referral).content.details == {
        "referral": {
            "ref": "r",
            "source": "ADS",
            "type": "OPEN_THREAD",
            "ad_id": "238",
            "referer_url": URL,
            "product_id": "5",
            "ad": {"title": "T", "photo_url": CDN, "video_url": URL, "post_id": "p", "product_id": "6"},
        }
    }


@pytest.mark.parametrize("malformed", [None, 7, "text", [], ["text"], [None], {"type": None}])
def test_malformed_attachments_cost_nothing_else(malformed: Json) -> None:
    """The text beside them stays."""
    assert said(text="x", attachments=malformed).content.text == "x"
    assert said(text="x", attachments=[malformed, IMAGE]).content.media[-1].url == URL
