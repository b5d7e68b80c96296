"""Who asked for no more texts: the latest word stands, in whatever order and however often it arrives."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise, permutations
from threading import Barrier
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from policies.event import Consent
from tests.databases import Databases
from tests.meetings import one_after_the_other
from worker.store import suppressions
from worker.store.engine import Store
from worker.store.suppressions import Change

ANNA, BERT = b"anna", b"bert"
NOW: Final = 1_000_000
GRANTED, WITHDRAWN = Consent.GRANTED, Consent.WITHDRAWN


@pytest.fixture(scope="module")
def store(shared_databases: Databases) -> Iterator[Store]:
    """A store for all of the file; each test has a tenant of its own."""
    with closing(shared_databases.store()) as opened:
        yield opened


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else has."""
    return uuid.uuid4().hex


def said(consent: Consent, at: int, who: bytes = ANNA, source: str = "keyword") -> Change:
    """What somebody said then."""
    return Change(reference=who, consent=consent, source=source, changed_at=at)


def change(store: Store, tenant: str, *changes: Change) -> set[bytes]:
    """Remember it, committed."""
    with store.transaction() as tx:
        return suppressions.change(tx, tenant, changes, NOW)


def standing(store: Store, tenant: str) -> set[bytes]:
    """Which of two persons have opted out."""
    with store.reading() as tx:
        return suppressions.standing(tx, tenant, [BERT, ANNA, ANNA])


WORDS: Final[dict[str, tuple[list[Change], bool]]] = {
    "nothing": ([], False),
    "STOP": ([said(WITHDRAWN, 5)], True),
    "START": ([said(GRANTED, 5)], False),
    "START after STOP": ([said(WITHDRAWN, 5), said(GRANTED, 6)], False),
    "STOP after START": ([said(GRANTED, 5), said(WITHDRAWN, 6)], True),
    "both at once: the withdrawal": ([said(GRANTED, 5), said(WITHDRAWN, 5)], True),
    "both at once, learnt in two ways": (
        [said(WITHDRAWN, 5, source="callback"), said(GRANTED, 5, source="keyword")],
        True,
    ),
    "an unknown at the same time lifts nothing": ([said(WITHDRAWN, 5), said(Consent.UNKNOWN, 5)], True),
    "STOP, START, STOP": ([said(WITHDRAWN, 5), said(GRANTED, 6), said(WITHDRAWN, 7)], True),
}


@pytest.mark.parametrize("case", WORDS)
def test_what_stands_is_what_was_said_last(store: Store, case: str) -> None:
    """In every order, together or one by one, each said twice; nobody else is meant, nor another tenant's."""
    words, out = WORDS[case]
    for order in permutations(words):
        together, one_by_one = uuid.uuid4().hex, uuid.uuid4().hex
        change(store, together, *order, *order)
        for word in (*order, *order):
            change(store, one_by_one, word)
        for tenant in (together, one_by_one):
            assert standing(store, tenant) == ({ANNA} if out else set())
            assert standing(store, f"{tenant}'s rival") == set()


def test_who_is_told_of_what_moved(store: Store, tenant: str) -> None:
    """A STOP moves once, so that it is confirmed once; a START after it lifts; what was overtaken moves nothing."""
    assert change(store, tenant, said(WITHDRAWN, 5), said(GRANTED, 5, BERT)) == {ANNA}
    assert change(store, tenant, said(WITHDRAWN, 5)) == set()
    assert change(store, tenant, said(WITHDRAWN, 9)) == set()
    assert change(store, tenant, said(GRANTED, 8)) == set()
    assert change(store, tenant, said(GRANTED, 10), said(WITHDRAWN, 4, BERT)) == {ANNA}
    assert change(store, tenant, said(WITHDRAWN, 7)) == set()
    assert change(store, tenant) == set()
    assert standing(store, tenant) == set()


def test_how_and_when_it_was_learnt(store: Store, tenant: str) -> None:
    """The source of the word that stands, when it was said, and when it was first recorded: hearing it again changes nothing."""
    for source, now in (("keyword", 7), ("keyword", 8), ("callback", 9)):
        with store.transaction() as tx:
            suppressions.change(tx, tenant, [said(WITHDRAWN, 5, source=source)], now)
    table = suppressions.suppressions
    columns = (table.c.consent, table.c.source, table.c.changed_at, table.c.recorded_at)
    with store.reading() as tx:
        assert tx.execute(select(*columns).where(table.c.tenant == tenant)).all() == [
            ("withdrawn", "keyword", 5, 7)
        ]


changes: Final = st.lists(
    st.builds(
        said,
        st.sampled_from(Consent),
        st.integers(0, 4),
        st.sampled_from([ANNA, BERT]),
        st.sampled_from(["keyword", "callback"]),
    ),
    max_size=8,
)


def end_of(store: Store, tenant: str) -> list[tuple[object, ...]]:
    """What is stored in the end, apart from when it was recorded."""
    table = suppressions.suppressions
    columns = (table.c.reference, table.c.changed_at, table.c.consent, table.c.source)
    with store.reading() as tx:
        wanted = select(*columns).where(table.c.tenant == tenant).order_by(table.c.reference)
        return [tuple(row) for row in tx.execute(wanted)]


def batches(words: Sequence[Change], cuts: Sequence[int]) -> Iterator[Sequence[Change]]:
    """The words, cut into pieces."""
    edges = [0, *sorted(cut % (len(words) + 1) for cut in cuts), len(words)]
    for start, stop in pairwise(edges):
        yield words[start:stop]


@settings(max_examples=40)
@given(words=changes, data=st.data(), cuts=st.lists(st.integers(0, 20), max_size=4))
def test_any_order_comes_to_the_same_end(
    store: Store, words: list[Change], data: st.DataObject, cuts: list[int]
) -> None:
    """And every step tells exactly for whom it made a difference."""
    tenant, latest = uuid.uuid4().hex, {}
    for word in sorted(words, key=lambda one: (one.changed_at, one.consent, one.source)):
        latest[word.reference] = (word.reference, word.changed_at, word.consent.value, word.source)
    shuffled = data.draw(st.permutations([*words, *words[:3]]))
    for some in batches(shuffled, cuts):
        before = standing(store, tenant)
        assert change(store, tenant, *some) == before ^ standing(store, tenant)
    assert end_of(store, tenant) == sorted(latest.values())
    assert standing(store, tenant) == {who for who, _, consent, _ in latest.values() if consent == WITHDRAWN}


@pytest.mark.parametrize("known", [False, True])
def test_two_replicas_that_learn_of_one_opt_out(postgresql: Databases, known: bool) -> None:  # noqa: FBT001 - a case
    """One of them is told that it moved: there is one confirmation."""

    def learn(tx: Connection) -> set[bytes]:
        return suppressions.change(tx, "acme", [said(WITHDRAWN, 5, BERT), said(WITHDRAWN, 5)], NOW)

    with closing(postgresql.store()) as store:
        if known:
            change(store, "acme", said(GRANTED, 1), said(GRANTED, 1, BERT))
        assert one_after_the_other(store, learn, learn) == ({ANNA, BERT}, set())


def test_however_often_two_replicas_learn_at_once_one_is_told(postgresql: Databases) -> None:
    """Whatever they have read when the other commits."""
    together, rounds = Barrier(2), 40

    def learn(store: Store) -> list[set[bytes]]:
        moved = []
        for at in range(rounds):
            together.wait(10)
            moved.append(change(store, "acme", said(GRANTED if at % 2 else WITHDRAWN, at)))
        return moved

    with (
        closing(postgresql.store()) as here,
        closing(postgresql.store()) as there,
        ThreadPoolExecutor(2) as both,
    ):
        told = list(zip(*both.map(learn, (here, there)), strict=True))
    assert [len(mine) + len(theirs) for mine, theirs in told] == [1] * rounds


def test_a_change_shows_nothing_of_itself() -> None:
    """Not even a keyed hash."""
    assert repr(said(WITHDRAWN, 5)) == "<Change>"
