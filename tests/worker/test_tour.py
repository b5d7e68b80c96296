"""The tour tells a whole story: every connector, fresh ids each time, bodies that mean what the titles say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.contract import Credentials, SignatureRefused, WebhookRequest
from connectors.decode import decode
from connectors.registry import CONNECTORS, SOCIAL
from policies.event import Event, MessageEdited, MessageReceived, MessageUnsent
from policies.message import MediaKind
from worker.tour import story as tour

ACCOUNTS = {name: f"10000000000000{number}" for number, name in enumerate(SOCIAL)}
SECRETS = {name: f"secret of {name}".encode() for name in SOCIAL}


def events(stop: tour.Stop) -> list[Event]:
    """What the connector reads in a stop's deliveries."""
    parse = CONNECTORS[stop.connector].parse
    return [event for delivery in stop.deliveries for event in parse(decode(delivery.body)[0], 0)]


def test_every_connector_is_on_the_way() -> None:
    """Each is visited, and each stop happens on the tenant's own account, about its own message."""
    stops = tour.stops(ACCOUNTS)
    assert {stop.connector for stop in stops} == set(SOCIAL)
    for stop in stops:
        for event in events(stop):
            assert event.account == stop.account == ACCOUNTS[stop.connector]
            assert isinstance(event, (MessageReceived, MessageEdited, MessageUnsent))
            told = event.message_id if isinstance(event, MessageUnsent) else event.message.id
            assert told == stop.message_id


def test_ids_are_fresh() -> None:
    """Telling the story twice never speaks of the same message."""
    ids = [stop.message_id for _ in range(5) for stop in tour.stops(ACCOUNTS)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("a plain message", [MessageReceived]),
        ("the same delivery twice", [MessageReceived, MessageReceived]),
        ("a message, then its unsend", [MessageReceived, MessageUnsent]),
        ("an unsend, then its message", [MessageUnsent, MessageReceived]),
        ("a message, then its edit", [MessageReceived, MessageEdited]),
        ("a post, then its deletion", [MessageReceived, MessageUnsent]),
    ],
)
def test_a_stop_is_what_it_is_called(title: str, kinds: list[type[Event]]) -> None:
    """The deliveries happen in the order of the title."""
    (stop,) = [stop for stop in tour.stops(ACCOUNTS) if stop.title == title]
    assert [type(event) for event in events(stop)] == kinds


def test_the_story_mention_is_one() -> None:
    """It carries media on Meta's CDN, so that there is something to remove."""
    (stop,) = [stop for stop in tour.stops(ACCOUNTS) if "story mention" in stop.title]
    (event,) = events(stop)
    assert isinstance(event, MessageReceived)
    (media,) = event.message.content.media
    assert media.kind is MediaKind.STORY_MENTION
    assert "fbsbx.com" in (media.url or "")


def test_deliveries_are_signed_and_forged() -> None:
    """What is posted verifies with the tenant's secret, but for the forged one; then the store is asked."""
    posted: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        posted.append(request)
        return httpx.Response(200 if _is_authentic(request) else 401)

    entries = [{"state": "unsent"}]
    stops = tour.stops(ACCOUNTS)
    with httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(receive)) as client:
        seen = list(tour.travel(client, "demo", SECRETS, stops, lambda *_about: entries))
    assert [one.stop for one in seen] == stops
    assert all(one.entries is entries for one in seen)
    forged = {one.stop.title: one.statuses for one in seen if 401 in one.statuses}
    assert forged == {"a forged signature": (401,)}
    assert len(posted) == sum(len(stop.deliveries) for stop in stops)


def _is_authentic(request: httpx.Request) -> bool:
    _, _, tenant, connector = request.url.path.split("/")
    given = WebhookRequest(method="POST", headers=dict(request.headers), query={}, body=request.content)
    try:
        CONNECTORS[connector].verify(given, Credentials(signing_secrets=(SECRETS[connector],)))
    except SignatureRefused:
        return False
    return tenant == "demo"


def entry(**other: Any) -> dict[str, Any]:
    """A stored entry."""
    return {"state": "stored", "text": None, "media": [], "edits": 0} | other


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "nothing"),
        ([entry(state="unsent")], "a tombstone, no content"),
        ([entry(text="it's ready")], '"it\'s ready"'),
        ([entry(text="three", edits=1)], "'three', edited"),
        (
            [entry(media=[{"kind": "story_mention", "removed": "story_mention"}])],
            "a placeholder: story_mention, media removed",
        ),
        ([entry(media=[{"kind": "image", "id": "1"}])], "an entry without content"),
        ([entry(), entry()], "2 entries"),
    ],
)
def test_what_the_store_holds_is_told_in_words(entries: list[dict[str, Any]], words: str) -> None:
    """A placeholder, a tombstone and a text are told apart."""
    (stop,) = [stop for stop in tour.stops(ACCOUNTS) if stop.title == "a plain message"]
    assert tour.told_of(tour.Seen(stop=stop, statuses=(200,), entries=entries)) == words


def test_a_duplicate_that_was_counted_once_is_told() -> None:
    """Two equal deliveries, one entry."""
    (stop,) = [stop for stop in tour.stops(ACCOUNTS) if "twice" in stop.title]
    assert tour.told_of(tour.Seen(stop=stop, statuses=(200, 200), entries=[entry(text="a")])) == "'a', once"
