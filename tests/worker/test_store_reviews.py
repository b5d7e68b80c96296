"""Texts that wait for a person: by cluster, found by the beginning of an id, decided once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest
from sqlalchemy import Connection

from tests.databases import Databases
from tests.meetings import one_after_the_other
from worker.store import reviews
from worker.store.engine import Store
from worker.store.reviews import Cluster, Review, ReviewState

NOW: Final = 1_000_000
RELEASED, REJECTED, WAITING = ReviewState.RELEASED, ReviewState.REJECTED, ReviewState.WAITING


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """A fresh store."""
    with closing(databases.store()) as opened:
        yield opened


def review(name: str, cluster: str = "c0", **values: Any) -> Review:
    """A text that waits; its id and its cluster's in hexadecimal."""
    usual: dict[str, Any] = {
        "key": b"key " + name.encode(),
        "id": bytes.fromhex(name),
        "cluster": bytes.fromhex(cluster),
        "conversation": b"conversation",
        "connector": "sms-console",
        "account": "+12025550123",
        "score": 900,
        "codes": "spam",
        "entered_at": NOW,
        "sealed": b"sealed",
    }
    return Review(**usual | values)


def names(found: list[Review]) -> list[str]:
    """Their ids in hexadecimal."""
    return [one.id.hex() for one in found]


def test_what_waits_is_shown_by_cluster(store: Store) -> None:
    """How many, since when, every reason, the highest score; what was decided is not in it, nor another tenant's."""
    with store.transaction() as tx:
        assert reviews.clusters(tx, "acme") == []
        reviews.add(
            tx, "acme", [review("01", "bb", entered_at=7), review("02", "aa", entered_at=5, score=999)]
        )
        reviews.add(tx, "acme", [review("03", "bb", entered_at=6, codes="phishing spam", score=10)])
        reviews.add(tx, "acme", [review("04", "bb", entered_at=1, codes="hoax", state=REJECTED)])
        reviews.add(tx, "globex", [review("05", "bb", entered_at=1, codes="hoax")])
        first = Cluster(cluster=b"\xaa", count=1, oldest=5, codes=("spam",), score=999)
        second = Cluster(cluster=b"\xbb", count=2, oldest=6, codes=("phishing", "spam"), score=900)
        assert reviews.clusters(tx, "acme") == [first, second]
        assert reviews.clusters(tx, "acme", limit=1) == [first]
        assert reviews.counts(tx, "acme") == {WAITING: 3, RELEASED: 0, REJECTED: 1}
        assert reviews.counts(tx, "initech") == dict.fromkeys(ReviewState, 0)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["0a1b", "0a2b", "0b", "ffff"]),
        ("0", ["0a1b", "0a2b", "0b"]),
        ("0a", ["0a1b", "0a2b"]),
        ("0A1", ["0a1b"]),
        ("0a1b", ["0a1b"]),
        ("0a1b00", []),
        ("c", ["0a1b", "ffff"]),
        ("c1", ["0a1b", "ffff"]),
        ("f", ["0b", "ffff"]),
        ("ff", ["0b", "ffff"]),
        ("1", []),
    ],
)
def test_a_text_is_found_by_how_its_id_or_its_cluster_s_begins(
    store: Store, prefix: str, found: list[str]
) -> None:
    """Any number of hexadecimal digits; in the order in which they were handed in."""
    with store.transaction() as tx:
        rows = [review("0a1b", "c1"), review("0a2b", "d1"), review("0b", "ffee"), review("ffff", "c1")]
        reviews.add(tx, "acme", rows[::-1])
        reviews.add(tx, "globex", rows)
        assert names(reviews.find(tx, "acme", prefix)) == found
        assert names(reviews.find(tx, "acme", prefix, limit=1)) == found[:1]


@pytest.mark.parametrize("prefix", ["g", "0x", " 1", "ä", "1 2"])
def test_what_is_no_hexadecimal_is_refused(store: Store, prefix: str) -> None:
    with store.transaction() as tx, pytest.raises(ValueError, match="hexadecimal"):
        reviews.find(tx, "acme", prefix)


def test_a_text_is_decided_once(store: Store) -> None:
    """Whoever decides gets it as it was; afterwards its content is gone, and nobody decides otherwise."""
    with store.transaction() as tx:
        one, two = review("01"), review("02")
        reviews.add(tx, "acme", [one, two])
        reviews.add(tx, "globex", [one])
        assert reviews.decide(tx, "acme", [one.key, b"no key"], RELEASED, NOW) == [one]
        assert reviews.decide(tx, "acme", [one.key, two.key, two.key], REJECTED, NOW + 1) == [two]
        assert reviews.decide(tx, "acme", [], REJECTED, NOW) == []
        after = reviews.by_key(tx, "acme", [one.key, two.key, b"no key"])
        assert reviews.by_key(tx, "globex", [one.key]) == {one.key: one}
    assert {key: (row.state, row.decided_at, row.sealed) for key, row in after.items()} == {
        one.key: (RELEASED, NOW, None),
        two.key: (REJECTED, NOW + 1, None),
    }


def test_two_who_decide_at_once(postgresql: Databases) -> None:
    """The second is told that nothing moved."""
    one = review("01")

    def release(tx: Connection) -> list[Review]:
        return reviews.decide(tx, "acme", [one.key], RELEASED, NOW)

    def reject(tx: Connection) -> list[Review]:
        return reviews.decide(tx, "acme", [one.key], REJECTED, NOW)

    with closing(postgresql.store()) as store:
        with store.transaction() as tx:
            reviews.add(tx, "acme", [one])
        assert one_after_the_other(store, release, reject) == ([one], [])
        with store.reading() as tx:
            assert reviews.counts(tx, "acme")[RELEASED] == 1


def test_what_was_decided_long_ago_is_forgotten_piece_by_piece(store: Store) -> None:
    """What waits never is, however old."""
    with store.transaction() as tx:
        decided = [review(f"0{n}", state=RELEASED, decided_at=n) for n in range(5)]
        reviews.add(tx, "acme", [*decided, review("10", entered_at=0)])
        reviews.add(tx, "globex", decided)
        assert [reviews.purge(tx, "acme", 3, 2) for _ in range(3)] == [2, 1, 0]
        assert names(reviews.find(tx, "acme", "")) == ["03", "04", "10"]


def test_a_review_shows_nothing_of_itself() -> None:
    """Nor does its cluster."""
    shown = [review("01"), Cluster(cluster=b"\xaa", count=1, oldest=5, codes=("spam",), score=999)]
    assert repr(shown) == "[<Review>, <Cluster>]"
