"""X's ids, instants, users and wording, piece by piece."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.x.media import media
from connectors.x.wire import born, derived_id, directory, moment, platform_id, profile
from connectors.x.wording import Links
from policies.message import Json, Media, MediaKind

BIG = 2**53


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"id": "12"}, "12"),
        ({"id_str": "12"}, "12"),
        ({"id": 411_552_403_083_628_540, "id_str": "411552403083628544"}, "411552403083628544"),
        ({"id": 411_552_403_083_628_540}, None),
        ({"id": 12, "id_str": "13"}, "13"),
        ({"id": 9.3e17}, None),
        ({"id": 12.0}, None),
        ({"id": 12}, "12"),
        ({"id": 0}, "0"),
        ({"id": -1}, None),
        ({"id": True}, None),
        ({"id": BIG}, None),
        ({"id": BIG - 1}, str(BIG - 1)),
        ({"id": "12", "id_str": None}, "12"),
        ({"id": "12", "id_str": "x"}, "12"),
        ({"id": "272953qwe809"}, None),
        ({"id": "-12"}, None),
        ({"id": "１２"}, None),
        ({"id": "12\n"}, None),
        ({"id": ""}, None),
        ({"id": "1" * 21}, None),
        ({"id": None}, None),
        ({"id": ["12"]}, None),
        ({}, None),
    ],
)
def test_an_id_is_a_string_of_digits_or_a_number_that_cannot_have_been_rounded(
    node: dict[str, Json], expected: str | None
) -> None:
    """JavaScript rounds whole numbers from 2**53 on: such a number names somebody else."""
    assert platform_id(node, "id") == expected


@given(st.integers(0, 2**64))
def test_no_rounded_number_is_ever_taken_for_an_id(number: int) -> None:
    """Whatever a double has made of a number, the id is the true one or none."""
    assert platform_id({"id": int(float(number))}, "id") in (str(number), None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1789200000123", 1_789_200_000_123_000),
        (1_789_200_000_124, 1_789_200_000_124_000),
        ("Wed Aug 16 18:29:02 +0000 2023", 1_692_210_542_000_000),
        ("Wed Aug 16 20:29:02 +0200 2023", 1_692_210_542_000_000),
        ("Wed Foo 16 18:29:02 +0000 2023", None),
        ("Wed Feb 31 18:29:02 +0000 2023", None),
        ("2026-07-24T21:05:48.000Z", 1_784_927_148_000_000),
        ("2026-07-23T21:44:05+00:00", 1_784_843_045_000_000),
        ("yesterday", None),
        (None, None),
        ({}, None),
    ],
)
def test_every_form_of_time_that_x_writes_is_read(value: Json, expected: int | None) -> None:
    """Milliseconds, ISO 8601, and the form of v1.1 with English names whatever the host's locale."""
    assert moment({"at": value}, "at") == expected


def test_the_first_readable_time_counts() -> None:
    """A broken precise one does not hide the coarse one."""
    assert moment({"timestamp_ms": "?", "created_at": "2026-07-24T21:05:48Z"}, "timestamp_ms", "created_at")


@given(st.integers(1_288_900_000_000, 4_000_000_000_000), st.integers(0, 2**22 - 1))
def test_a_snowflake_tells_its_millisecond(milliseconds: int, rest: int) -> None:
    """Of X's epoch on; the sequential ids of before say nothing."""
    snowflake = ((milliseconds - 1_288_834_974_657) << 22) | rest
    told = born(str(snowflake))
    assert told == (None if snowflake < 1 << 48 else milliseconds * 1000)


def test_a_derived_id_is_the_same_for_the_same_and_another_for_another() -> None:
    """Whatever the order of the keys: a second delivery is recognised."""
    one = derived_id({"a": 1, "b": [2]})
    assert one == derived_id({"b": [2], "a": 1})
    assert one != derived_id({"a": 1, "b": [3]})


LENA = {"id": "7", "name": "Lena", "screen_name": "lena"}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (({"7": LENA},), {"7": LENA}),
        (({"7": {"data": LENA}},), {"7": LENA}),
        (([LENA],), {"7": LENA}),
        (([{"data": LENA}],), {"7": LENA}),
        ((LENA,), {"7": LENA}),
        (({"8": LENA},), {}),
        (({"7": {"name": "no id"}},), {"7": {"name": "no id"}}),
        (([{"name": "no id"}],), {}),
        ((None, "x", [1], {"7": 5}), {}),
    ],
)
def test_users_are_found_in_every_form(sources: tuple[Json, ...], expected: dict[str, Json]) -> None:
    """By id or listed, flat or wrapped; one that contradicts its key is nobody."""
    assert directory(*sources) == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (LENA, {"name": "Lena", "username": "lena"}),
        ({"username": "lena"}, {"username": "lena"}),
        ({"name": "", "screen_name": 5, "username": "l"}, {"username": "l"}),
        ({"description": "likes boats", "location": "Kiel"}, {}),
    ],
)
def test_a_profile_is_name_and_handle_and_nothing_else(
    user: dict[str, Json], expected: dict[str, str]
) -> None:
    """X's users carry much more: biography, place, numbers."""
    assert profile(user) == expected


# -- wording ---------------------------------------------------------------------------------------------

PHOTO = {"url": "https://t.co/photo", "expanded_url": "https://twitter.com/lena/status/9/photo/1"}
NEWS = {"url": "https://t.co/news", "expanded_url": "https://news.example/?a=1&copy=2"}


def _words(text: str, *urls: Json) -> str | None:
    return Links(({"urls": list(urls)},), (), ("9",)).wording(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("look https://t.co/photo", "look"),
        ("look  https://t.co/photo \n", "look"),
        (" https://t.co/photo", None),
        ("https://t.co/photo look", "https://t.co/photo look"),
        ("lookhttps://t.co/photo", "look"),
        ("look https://t.co/photos", "look https://t.co/photos"),
        ("look https://t.co/news", "look https://news.example/?a=1&copy=2"),
        ("https://t.co/news https://t.co/photo", "https://news.example/?a=1&copy=2"),
        ("https://t.co/other &amp; http", "https://t.co/other & http"),
        ("&lt;b&gt; &amp;amp; &quot;x&quot; &#39;y&#39; &copy &nbsp; &#x41;", "<b> &amp; \"x\" 'y' &copy &nbsp; &#x41;"),
        ("  kept  as  written ", "  kept  as  written "),
        ("", None),
    ],
)  # fmt: skip
def test_the_wording_is_what_the_person_wrote(text: str, expected: str | None) -> None:
    """The trailing media link goes, escapes are undone once, a short link becomes the one that was written."""
    assert _words(text, PHOTO, NEWS) == expected


def test_a_link_to_another_photo_is_the_person_s_own() -> None:
    """Only the link to the message's own media was added by X."""
    links = Links(({"urls": [PHOTO]},), (), ("8",))
    assert links.wording("look https://t.co/photo") == "look https://twitter.com/lena/status/9/photo/1"
    assert links.all() == ["https://twitter.com/lena/status/9/photo/1"]


def test_a_target_of_absurd_length_is_listed_and_stays_out_of_the_text() -> None:
    """One text may repeat a link a thousand times."""
    target = "https://a.example/" + "x" * 5000
    links = Links(({"urls": [{"url": "https://t.co/news", "expanded_url": target}]},), (), ())
    assert links.wording("https://t.co/news https://t.co/news") == "https://t.co/news https://t.co/news"
    assert links.all() == [target]


@pytest.mark.parametrize(
    "url",
    [
        PHOTO,
        {**PHOTO, "expanded_url": "https://x.com/lena/status/9/video/1"},
        {**PHOTO, "expanded_url": "https://mobile.twitter.com/lena/status/9/photo/2"},
        {**PHOTO, "expanded_url": "https://twitter.com/messages/media/9"},
        {**PHOTO, "expanded_url": None, "media_key": "3_1"},
    ],
)
def test_media_links_are_known_by_their_entity(url: dict[str, Json]) -> None:
    """Of posts and DMs, by page or by media key; none of them is a link of the person."""
    links = Links(({"urls": [url]},), (), ("9",))
    assert links.wording("look https://t.co/photo") == "look"
    assert links.all() == []


def test_where_links_end_is_listed_once_each() -> None:
    """A rule sees the end of a chain of redirects too, in either API's form."""
    urls: list[Json] = [
        {**NEWS, "unwound_url": "https://scontent.xx.fbcdn.net/1.jpg"},
        {**NEWS, "unwound": {"url": "https://other.example/"}},
        {"url": "https://t.co/none"},
        {"expanded_url": 5},
        "odd",
    ]
    assert Links(({"urls": urls}, None, "odd"), (), ()).all() == [
        NEWS["expanded_url"],
        "https://scontent.xx.fbcdn.net/1.jpg",
        "https://other.example/",
    ]


@given(
    st.lists(
        st.sampled_from(["https://t.co/news", "https://t.co/photo", "&amp;", "word", " ", "é"]), max_size=12
    )
)
def test_no_written_link_stays_hidden(parts: list[str]) -> None:
    """After the wording no short link with a known target remains."""
    assert "https://t.co/news" not in (_words(" ".join(parts), PHOTO, NEWS) or "")


# -- media -----------------------------------------------------------------------------------------------

VARIANTS: list[dict[str, Json]] = [
    {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/list.m3u8"},
    {"bit_rate": 100, "content_type": "video/mp4", "url": "https://video.twimg.com/small.mp4"},
    {"bitrate": 900, "content_type": "video/mp4", "url": "https://video.twimg.com/large.mp4"},
]


def test_the_best_film_is_taken_whatever_the_order() -> None:
    """Of several variants the one of the highest bit rate."""
    for variants in permutations(VARIANTS):
        for node in (
            {"media_key": "7_1", "variants": list(variants)},
            {"video_info": {"variants": list(variants)}},
        ):
            assert media(node).url == "https://video.twimg.com/large.mp4"


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"type": "photo", "media_url_https": "https://a/1", "url": "https://t.co/x", "id_str": "5"},
         Media(kind=MediaKind.IMAGE, url="https://a/1", id="5")),
        ({"media_key": "3_5", "type": "photo", "url": "https://a/1", "alt_text": "a boat"},
         Media(kind=MediaKind.IMAGE, url="https://a/1", id="3_5", title="a boat")),
        ({"media_key": "7_5", "type": "video", "preview_image_url": "https://a/still"},
         Media(kind=MediaKind.VIDEO, url="https://a/still", id="7_5")),
        ({"type": "photo", "url": "https://t.co/x"}, Media(kind=MediaKind.IMAGE)),
        ({"type": "hologram", "media_url": "http://a/1"}, Media(kind=MediaKind.UNKNOWN, url="http://a/1")),
        ({"type": {}, "media_url": 5, "variants": "x"}, Media(kind=MediaKind.UNKNOWN)),
    ],
)  # fmt: skip
def test_a_media_object_becomes_a_reference(node: dict[str, Json], expected: Media) -> None:
    """Of either API: in v1.1 `url` is the short link, in v2 the file."""
    assert media(node) == expected
