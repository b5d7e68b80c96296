"""Posts on X: who is addressed, which id is which, and what a deletion reaches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.x.webhook import parse
from policies.event import Event, MessageEdited, MessageReceived, MessageUnsent, Noted, Unrecognised
from policies.message import Direction, Json

NOW = 1_790_000_000_000_000
SHOP, LENA, OMAR = "700100200300400501", "700100200300400777", "700100200300400888"

_ids = st.integers(10**17, 10**19).map(str)
_chains = st.lists(_ids, min_size=1, max_size=6, unique=True).map(lambda ids: sorted(ids, key=int))


def _status(post_id: str, author: str = LENA, **more: Json) -> dict[str, Json]:
    mentions = [{"id_str": SHOP, "screen_name": "harbour"}]
    return {
        "id_str": post_id,
        "text": f"version {post_id}",
        "user": {"id_str": author, "screen_name": "lena"},
        "entities": {"user_mentions": mentions},
        **more,
    }


def _v1(post_id: str, chain: list[str]) -> Json:
    history = {"initial_tweet_id": chain[0], "edit_tweet_ids": chain}
    return {"for_user_id": SHOP, "tweet_create_events": [_status(post_id, edit_history=history)]}


def _v2(post_id: str, chain: list[str]) -> Json:
    payload = {
        "id": post_id,
        "author_id": LENA,
        "text": f"version {post_id}",
        "edit_history_tweet_ids": chain,
    }
    return {"data": {"filter": {"user_id": SHOP}, "event_type": "post.mention.create", "payload": payload}}


def _one(payload: Json) -> Event:
    (event,) = parse(payload, NOW)
    return event


@settings(max_examples=60)
@given(_chains, st.data())
def test_every_version_of_a_post_is_one_message_and_every_id_reaches_it(
    chain: list[str], data: st.DataObject
) -> None:
    """Whatever the form and the order of the list: the first id is the message's, the rest are its aliases."""
    for make in (_v1, _v2):
        for number, post_id in enumerate(chain):
            event = _one(make(post_id, data.draw(st.permutations(chain))))
            assert isinstance(event, (MessageReceived, MessageEdited))
            assert (event.message.id, *event.message.also_known_as) == tuple(chain)
            assert event.message.content.text == f"version {post_id}"
            assert (event.edit_number if isinstance(event, MessageEdited) else 0) == number


@settings(max_examples=60)
@given(_chains, st.data())
def test_what_is_known_so_far_already_names_the_message(chain: list[str], data: st.DataObject) -> None:
    """A version lists those before it; deleting a version names an id that its message carries."""
    number = data.draw(st.integers(0, len(chain) - 1))
    event = _one(_v2(chain[number], chain[: number + 1]))
    assert isinstance(event, (MessageReceived, MessageEdited))
    assert event.message.id == chain[0]
    deletion = {
        "for_user_id": SHOP,
        "tweet_delete_events": [{"status": {"id": chain[number], "user_id": LENA}}],
    }
    gone = _one(deletion)
    assert isinstance(gone, MessageUnsent)
    assert gone.message_id in (event.message.id, *event.message.also_known_as)


@pytest.mark.parametrize("make", [_v1, _v2])
def test_a_version_that_its_own_list_forgets_is_its_latest(make: object) -> None:
    """The chain without the post itself still leads to the original."""
    event = _one(_v1("30", ["10", "20"]) if make is _v1 else _v2("30", ["10", "20"]))
    assert isinstance(event, MessageEdited)
    assert (event.message.id, event.message.also_known_as, event.edit_number) == ("10", ("20", "30"), 2)


@pytest.mark.parametrize("chain", [None, [], "10", [None, {}, "x", 2.5e17], {"id": "10"}])
def test_a_chain_that_cannot_be_read_leaves_the_post_alone(chain: Json) -> None:
    """It is then its own first version."""
    event = _one(_v2("30", chain))
    assert isinstance(event, MessageReceived)
    assert (event.message.id, event.message.also_known_as) == ("30", ())


def test_a_chain_beyond_reason_is_refused() -> None:
    """Each alias costs the store a row: sixty-four versions are none of X's."""
    event = _one(_v2("30", [str(number) for number in range(100, 165)]))
    assert isinstance(event, Unrecognised)
    assert event.why == "edit_chain"


REPLY = {"in_reply_to_user_id_str": SHOP}
QUOTE = {
    "is_quote_status": True,
    "quoted_status_id_str": "5",
    "quoted_status": {"id_str": "5", "user": {"id_str": SHOP}},
}
NOBODY: dict[str, Json] = {"entities": {"user_mentions": []}}
OTHERS: dict[str, Json] = {"entities": {"user_mentions": [{"id_str": OMAR}]}}
LATE: dict[str, Json] = {"entities": {}, "extended_tweet": {"full_text": "…", "entities": {"user_mentions": [{"id_str": SHOP}]}}}  # fmt: skip
REPOST: dict[str, Json] = {"retweeted_status": _status("4")}


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({}, True),
        ({**NOBODY, **REPLY}, True),
        ({**NOBODY, **QUOTE}, True),
        (LATE, True),
        ({"entities": None}, True),
        (NOBODY, False),
        (OTHERS, False),
        ({**OTHERS, "in_reply_to_user_id_str": OMAR}, False),
        ({**OTHERS, "in_reply_to_user_id": int(SHOP) - 1}, False),
        (REPOST, False),
        ({**REPLY, **REPOST}, False),
    ],
)
def test_only_what_addresses_the_account_is_kept_of_others(more: dict[str, Json], kept: bool) -> None:  # noqa: FBT001 - a column of the table
    """A mention, also late in a long post, an answer, a quote; or no evidence to judge by."""
    event = _one({"for_user_id": SHOP, "tweet_create_events": [_status("30", **more)]})
    assert isinstance(event, MessageReceived) is kept
    assert isinstance(event, Noted) is not kept
    if isinstance(event, MessageReceived):
        assert event.message.direction is Direction.INBOUND
        assert [one.value for one in event.message.person] == [LENA]


@pytest.mark.parametrize(
    ("more", "person"),
    [
        ({"in_reply_to_user_id_str": LENA}, LENA),
        ({"in_reply_to_user_id_str": SHOP}, SHOP),
        ({}, SHOP),
        ({"entities": None}, SHOP),
    ],
)
def test_the_account_s_own_posts_go_out(more: dict[str, Json], person: str) -> None:
    """To whom they answer, else onto the account's own timeline."""
    event = _one({"for_user_id": SHOP, "tweet_create_events": [_status("30", SHOP, **more)]})
    assert isinstance(event, MessageReceived)
    assert event.message.direction is Direction.OUTBOUND
    assert [one.value for one in event.message.person] == [person]


def test_what_others_wrote_is_not_kept_with_a_quote_or_a_repost() -> None:
    """Inline copies of other posts, places, and whoever else is named along the way."""
    canary = "somebody-else-wrote-this"
    inline = _status(
        "5", SHOP, text=canary, extended_entities={"media": [{"media_url_https": f"https://{canary}/"}]}
    )
    place = {"full_name": canary}
    status = _status("30", quoted_status=inline, place=place, coordinates={"coordinates": [canary]})
    post = {"id": "31", "author_id": LENA, "text": "hello", "geo": {"place_id": canary}}
    includes = {
        "tweets": [{"id": "5", "text": canary}],
        "places": [place],
        "users": [{"id": OMAR, "name": canary}],
    }
    activity = {
        "filter": {"user_id": SHOP},
        "event_type": "post.quote.create",
        "payload": post,
        "includes": includes,
    }
    for payload in ({"for_user_id": SHOP, "tweet_create_events": [status]}, {"data": activity}):
        event = _one(payload)
        assert isinstance(event, MessageReceived)
        assert canary not in str(event.message.content.text) + str(event.message.content.details)
        assert event.message.content.media == ()
        assert canary not in event.message.content.profile.values()
