"""What is counted, and what is let through at a rate: tallies, near-duplicates, token buckets; on both engines."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from policies.sms.traffic import Rate
from tests.databases import Databases
from tests.meetings import in_a_transaction, one_after_the_other, until_somebody_waits
from worker.store import alike, buckets, tallies
from worker.store.alike import Seen, Spread
from worker.store.engine import Store
from worker.store.statements import clock

SECOND: Final = 1_000_000
NOW: Final = 1_800_000_000 * SECOND


@pytest.fixture(scope="module")
def store(shared_databases: Databases) -> Iterator[Store]:
    """A store for all of the file; each test has a tenant of its own."""
    with closing(shared_databases.store()) as opened:
        yield opened


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else has."""
    return uuid.uuid4().hex


# -- tallies -------------------------------------------------------------------------------------------------


def test_counts_add_up_within_their_windows(store: Store, tenant: str) -> None:
    """By kind, name and window; from a window on; nothing is nothing, and another tenant's is not counted."""
    with store.transaction() as tx:
        tallies.add(
            tx, tenant, {("recipient", b"a", 7): 2, ("recipient", b"b", 7): 1, ("sender", b"a", 7): 9}
        )
        tallies.add(tx, tenant, {("recipient", b"a", 7): 1, ("recipient", b"a", 8): 5})
        tallies.add(tx, f"{tenant}'s rival", {("recipient", b"a", 8): 100})
        tallies.add(tx, tenant, {})
        assert tallies.sums(tx, tenant, "recipient", [b"b", b"a", b"c", b"a"], 7) == {
            b"a": 8,
            b"b": 1,
            b"c": 0,
        }
        assert tallies.sums(tx, tenant, "recipient", [b"a"], 8) == {b"a": 5}
        assert tallies.sums(tx, tenant, "recipient", [b"a"], 9) == {b"a": 0}
        assert tallies.sums(tx, tenant, "recipient", [], 0) == {}


def test_old_windows_are_forgotten_piece_by_piece(store: Store, tenant: str) -> None:
    """Of one kind; the windows that still count stay."""
    with store.transaction() as tx:
        tallies.add(tx, tenant, {(kind, b"a", window): 1 for kind in ("x", "y") for window in range(6)})
        assert [tallies.purge(tx, tenant, "x", 5, 3) for _ in range(3)] == [3, 2, 0]
        assert tallies.sums(tx, tenant, "x", [b"a"], 0) == {b"a": 1}
        assert tallies.sums(tx, tenant, "y", [b"a"], 0) == {b"a": 6}


def test_replicas_count_together(postgresql: Databases) -> None:
    """Neither's count is lost, also where both count a name for the first time."""

    def count(tx: Connection) -> None:
        tallies.add(tx, "acme", {("recipient", b"a", 7): 1, ("recipient", b"b", 7): 2})

    with closing(postgresql.store()) as store:
        for _ in range(2):
            one_after_the_other(store, count, count)
        with store.reading() as tx:
            assert tallies.sums(tx, "acme", "recipient", [b"a", b"b"], 0) == {b"a": 4, b"b": 8}


# -- near-duplicates -----------------------------------------------------------------------------------------


def seen(bands: str, recipient: str = "r", sender: str = "s", cluster: str = "c") -> Seen:
    """A text; each letter of ``bands`` is a band."""
    return Seen(
        bands=tuple(band.encode() for band in bands),
        sender=sender.encode(),
        recipient=recipient.encode(),
        cluster=cluster.encode(),
    )


def spread(store: Store, tenant: str, *texts: Seen, since: int = 0, most: int = 100) -> list[Spread]:
    """How far the near-duplicates of these texts went."""
    with store.reading() as tx:
        return alike.spread(tx, tenant, texts, since, most)


def note(store: Store, tenant: str, *texts: Seen, now: int = NOW) -> None:
    """Remember these texts, committed."""
    with store.transaction() as tx:
        alike.note(tx, tenant, texts, now)


def counted(found: Sequence[Spread]) -> list[tuple[int, int, int]]:
    """Recipients, senders, and how many to the same recipient."""
    return [(one.recipients, one.senders, one.same_recipient) for one in found]


def test_near_duplicates_share_a_band(store: Store, tenant: str) -> None:
    """Recipients and senders are counted once, over all bands; another tenant's texts are none of them."""
    note(
        store,
        tenant,
        seen("ab", "anna", "1"),
        seen("bc", "bert", "2"),
        seen("bc", "anna", "2"),
        seen("x", "xaver"),
    )
    note(store, f"{tenant}'s rival", seen("abc", "rival"))
    texts = [seen(bands, "anna", "9") for bands in ("a", "b", "c", "ac", "d", "")]
    singly = [spread(store, tenant, text)[0] for text in texts]
    assert counted(singly) == [(1, 1, 1), (2, 2, 2), (2, 1, 1), (2, 2, 1), (0, 0, 0), (0, 0, 0)]


def test_in_a_batch_each_text_follows_those_before_it(store: Store, tenant: str) -> None:
    """As if they had been handed in one by one; the first of its kind founds the cluster of all."""
    note(store, tenant, seen("a", "anna", "1", cluster="old"))
    texts = [
        seen("ab", "bert", cluster="1"),
        seen("b", "bert", cluster="2"),
        seen("z", cluster="3"),
        seen("z", cluster="4"),
    ]
    found = spread(store, tenant, *texts)
    assert counted(found) == [(1, 1, 0), (1, 1, 1), (0, 0, 0), (1, 1, 1)]
    assert [one.cluster for one in found] == [b"old", b"old", b"3", b"3"]


def test_a_text_that_joins_two_clusters_belongs_to_the_lesser(store: Store, tenant: str) -> None:
    """Ids of clusters come in time order: the lesser is the older. So does a band that is in two."""
    note(store, tenant, seen("a", "anna", "1", cluster="x"), seen("b", "bert", "2", cluster="w"))
    note(store, tenant, seen("c", "anna", "1", cluster="z"), seen("c", "bert", "2", cluster="y"))
    texts = [seen(bands, cluster="new") for bands in ("a", "ab", "c", "ac", "d")]
    assert [spread(store, tenant, one)[0].cluster for one in texts] == [b"x", b"w", b"y", b"x", b"new"]


def test_what_was_seen_long_ago_does_not_count(store: Store, tenant: str) -> None:
    """Until somebody is seen again."""
    note(store, tenant, seen("a", "anna", "1"), seen("a", "bert", "2"), now=NOW)
    note(store, tenant, seen("a", "anna", "1"), now=NOW + 5)
    note(store, tenant, seen("a", "anna", "1"), now=NOW + 2)
    ask = seen("a", "anna")
    assert counted(spread(store, tenant, ask, since=NOW)) == [(2, 2, 3)]
    assert counted(spread(store, tenant, ask, since=NOW + 5)) == [(1, 1, 3)]
    assert counted(spread(store, tenant, ask, since=NOW + 6)) == [(0, 0, 0)]


def test_nobody_is_counted_beyond_what_is_asked_for(store: Store, tenant: str) -> None:
    """A campaign may have gone to a million."""
    note(store, tenant, *(seen("ab", f"r{n}", f"s{n}") for n in range(20)))
    assert counted(spread(store, tenant, seen("a", "r19"), most=5)) == [(5, 5, 1)]
    assert counted(spread(store, tenant, seen("a", "r19"), most=50)) == [(20, 20, 1)]


texts_of: Final = st.lists(
    st.builds(
        seen,
        st.text("abcd", max_size=3),
        st.sampled_from(["anna", "bert", "cleo"]),
        st.sampled_from(["1", "2"]),
        st.uuids().map(str),
    ),
    max_size=8,
)


@settings(max_examples=30)
@given(before=texts_of, batch=texts_of)
def test_a_batch_counts_like_its_texts_one_by_one(
    store: Store, before: list[Seen], batch: list[Seen]
) -> None:
    """Reading once and adding up in memory comes to what reading after each text would."""
    together, singly = uuid.uuid4().hex, uuid.uuid4().hex
    found = []
    for tenant in (together, singly):
        note(store, tenant, *before)
    for text in batch:
        found += spread(store, singly, text)
        note(store, singly, text)
    assert counted(spread(store, together, *batch)) == counted(found)
    note(store, together, *batch)
    ask = [seen(band) for band in "abcd"]
    assert counted([spread(store, together, one)[0] for one in ask]) == counted(
        [spread(store, singly, one)[0] for one in ask]
    )


def test_what_was_last_seen_long_ago_is_forgotten_piece_by_piece(store: Store, tenant: str) -> None:
    """Each text is two rows for each band: its recipient and its sender."""
    note(store, tenant, seen("ab", "anna", "1"), now=NOW)
    note(store, tenant, seen("ab", "bert", "2"), now=NOW + 5)
    with store.transaction() as tx:
        assert [alike.purge(tx, tenant, NOW + 5, 3) for _ in range(3)] == [3, 1, 0]
    assert counted(spread(store, tenant, seen("ab", "bert"))) == [(1, 1, 1)]


def test_a_text_that_was_seen_shows_nothing_of_itself() -> None:
    assert repr(seen("a")) == "<Seen>"


# -- buckets -------------------------------------------------------------------------------------------------

rates: Final = st.builds(Rate, messages=st.integers(1, 60), seconds=st.sampled_from([1, 7, 60, 86_400]))
TEN: Final = Rate(messages=10, seconds=1)


def take(store: Store, tenant: str, rate: Rate, now: int, n: int = 1) -> int | None:
    """Ask a bucket, committed."""
    with store.transaction() as tx:
        return buckets.take(tx, tenant, b"bucket", rate, now, n)


@settings(max_examples=30)
@given(rate=rates, steps=st.lists(st.one_of(st.none(), st.floats(0, 0.3)), min_size=1, max_size=60))
@example(rate=TEN, steps=[None] * 60)
@example(rate=Rate(messages=30, seconds=7), steps=[0.3, *[None] * 60])
def test_no_window_sees_more_than_the_rate(store: Store, rate: Rate, steps: list[float | None]) -> None:
    """Wherever it begins; whether somebody asks at the very instant that is told (None) or some part of a window later."""
    tenant, now, window = uuid.uuid4().hex, NOW, rate.seconds * SECOND
    granted: list[int] = []
    for step in steps:
        while (until := take(store, tenant, rate, now)) is None:
            granted.append(now)
        now = until if step is None else now + int(step * window)
    for first, next_beyond in zip(granted, granted[rate.messages :], strict=False):
        assert next_beyond - first >= window


@settings(max_examples=40)
@given(rate=rates, before=st.lists(st.integers(0, 2 * SECOND), max_size=5))
def test_the_instant_that_is_told_is_the_first_at_which_it_is_granted(
    store: Store, rate: Rate, before: list[int]
) -> None:
    """Not a microsecond earlier; so nobody asks in vain, and nobody waits for nothing."""
    tenant, now = uuid.uuid4().hex, NOW
    for step in before:
        now += step
        take(store, tenant, rate, now)
    while (until := take(store, tenant, rate, now)) is None:
        pass
    assert take(store, tenant, rate, until - 1) == until
    assert take(store, tenant, rate, until) is None


def test_clocks_that_differ_give_nothing_away(store: Store, tenant: str) -> None:
    """A replica whose clock is behind gains nothing, neither for itself nor for the one whose clock is ahead."""
    instants = [NOW, NOW - SECOND // 2] * 10
    granted = [take(store, tenant, TEN, instant) is None for instant in instants]
    assert granted == [True, True, *[False] * 18]
    assert take(store, tenant, TEN, NOW + SECOND // 9 + 1) is None


def test_a_clock_that_is_set_back_begins_empty(store: Store, tenant: str) -> None:
    """Nothing is granted at once for the time that comes twice, and nobody waits until the clock has caught up."""
    assert take(store, tenant, TEN, NOW) is None
    back = NOW - 3600 * SECOND
    until = take(store, tenant, TEN, back)
    assert until is not None
    assert back < until < back + SECOND
    assert take(store, tenant, TEN, until - 1) == until
    assert take(store, tenant, TEN, until) is None


def test_several_at_once_are_paid_afterwards(store: Store, tenant: str) -> None:
    """Five cost the time of five."""
    assert take(store, tenant, Rate(messages=1, seconds=1), NOW, 5) is None
    assert take(store, tenant, Rate(messages=1, seconds=1), NOW) == NOW + 5 * SECOND


def test_buckets_are_apart(store: Store, tenant: str) -> None:
    """By tenant and by name."""
    one = Rate(messages=1, seconds=60)
    with store.transaction() as tx:
        for of, name in ((tenant, b"a"), (tenant, b"b"), (f"{tenant}'s rival", b"a")):
            assert buckets.take(tx, of, name, one, NOW) is None
            assert buckets.take(tx, of, name, one, NOW) == NOW + 60 * SECOND


def test_what_is_rolled_back_was_not_taken(store: Store, tenant: str) -> None:
    """Who took a token and then found that nothing is to be sent has not used it up."""
    one = Rate(messages=1, seconds=60)

    def failing() -> None:
        with store.transaction() as tx:
            assert buckets.take(tx, tenant, b"bucket", one, NOW) is None
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing()
    assert take(store, tenant, one, NOW) is None


def test_the_second_replica_waits_and_finds_the_token_gone(postgresql: Databases) -> None:
    """A full bucket that nobody used yet is filled once."""
    one = Rate(messages=1, seconds=60)

    def taken(tx: Connection) -> int | None:
        return buckets.take(tx, "acme", b"bucket", one, NOW)

    with closing(postgresql.store()) as store:
        assert one_after_the_other(store, taken, taken) == (None, NOW + 60 * SECOND)


def test_who_holds_several_takes_them_in_order(postgresql: Databases) -> None:
    """Whatever order they are named in; so two replicas cannot wait for one another: who waits for b has not got c."""

    def hold(*names: bytes) -> Callable[[Connection], None]:
        return lambda tx: buckets.hold(tx, "acme", names)

    with closing(postgresql.store()) as store, ThreadPoolExecutor(1) as another:
        in_a_transaction(store, hold(b"a", b"b", b"c"))
        with store.transaction() as here:
            buckets.hold(here, "acme", [b"b"])
            waiting = another.submit(in_a_transaction, store, hold(b"c", b"b", b"a"))
            until_somebody_waits(store)
            with store.transaction() as there:
                there.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
                buckets.hold(there, "acme", [b"c"])
        waiting.result()


def test_replicas_together_keep_to_the_rate(postgresql: Databases) -> None:
    """Two that ask as fast as they can, by the database's clock, until each has what it wants: nothing is withheld either."""
    rate, wanted, saved, gap = Rate(messages=100, seconds=2), 14, 11, 2 * SECOND / 90

    def one(tx: Connection) -> int | None:
        buckets.hold(tx, "acme", [b"bucket"])
        now = clock(tx)
        return now if buckets.take(tx, "acme", b"bucket", rate, now) is None else None

    def ask(store: Store) -> list[int]:
        deadline = time.monotonic() + 30
        granted: list[int] = []
        while len(granted) < wanted and time.monotonic() < deadline:
            instant = in_a_transaction(store, one)
            granted += [] if instant is None else [instant]
        return granted

    with (
        closing(postgresql.store()) as here,
        closing(postgresql.store()) as there,
        ThreadPoolExecutor(2) as both,
    ):
        granted = sorted(instant for some in both.map(ask, (here, there)) for instant in some)
    assert len(granted) == 2 * wanted
    for start, first in enumerate(granted):
        for count, instant in enumerate(granted[start:], 1):
            assert count <= saved + (instant - first) / gap
