"""What is kept about texts and those who handle them: submissions, keys of the API, acts, leases; on both engines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import msgspec
import pytest
from sqlalchemy import Connection

from tests.databases import Databases
from tests.meetings import one_after_the_other
from worker.store import acts, api_keys, leases, submissions
from worker.store.acts import Act
from worker.store.api_keys import ApiKey
from worker.store.engine import Store
from worker.store.statements import Raced
from worker.store.submissions import Submission

NOW: Final = 1_000_000
HOUR: Final = 3600 * 1_000_000


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """A fresh store."""
    with closing(databases.store()) as opened:
        yield opened


# -- submissions ---------------------------------------------------------------------------------------------


def submission(number: int, **values: Any) -> Submission:
    """A text as it was handed in."""
    usual: dict[str, Any] = {
        "reference": b"reference %d" % number,
        "digest": b"digest",
        "key": b"key %d" % number,
        "answer": b"answer",
        "sealed": b"sealed",
        "submitted_at": NOW,
    }
    return Submission(**usual | values)


def test_a_submission_is_found_by_its_reference_and_by_its_key(store: Store) -> None:
    """As it was added; within its tenant alone."""
    one, two = submission(1), submission(2, digest=b"other")
    with store.transaction() as tx:
        submissions.add(tx, "acme", [two, one])
        submissions.add(tx, "acme", [])
        submissions.add(tx, "globex", [submission(1, answer=b"theirs")])
        references = [b"reference 2", b"reference 1", b"reference 2", b"none"]
        assert submissions.find(tx, "acme", references) == {one.reference: one, two.reference: two}
        assert submissions.by_key(tx, "acme", [b"key 2", b"none"]) == {two.key: two}
        assert submissions.find(tx, "initech", references) == submissions.find(tx, "acme", []) == {}


def test_a_reference_that_is_taken_is_told(store: Store) -> None:
    """Nothing of the transaction stays: it is tried again, and then finds what is there."""
    with store.transaction() as tx:
        submissions.add(tx, "acme", [submission(2)])
    with pytest.raises(Raced) as raced, store.transaction() as tx:
        submissions.add(tx, "acme", [submission(n, digest=b"other") for n in (1, 2, 3)])
    assert raced.value.__cause__ is None
    with store.reading() as tx:
        found = submissions.find(tx, "acme", [b"reference 1", b"reference 2", b"reference 3"])
    assert found == {b"reference 2": submission(2)}


def test_what_is_forgotten_is_free_again(store: Store) -> None:
    """These references, of this tenant."""
    with store.transaction() as tx:
        for tenant in ("acme", "globex"):
            submissions.add(tx, tenant, [submission(1), submission(2)])
        submissions.forget(tx, "acme", [])
        submissions.forget(tx, "acme", [b"reference 1", b"none"])
        asked = [b"reference 1", b"reference 2"]
        assert submissions.find(tx, "acme", asked) == {b"reference 2": submission(2)}
        assert len(submissions.find(tx, "globex", asked)) == 2
        submissions.add(tx, "acme", [submission(1, digest=b"other")])


def test_two_replicas_that_take_one_reference(postgresql: Databases) -> None:
    """The second waits, and is told."""

    def add(tx: Connection) -> None:
        submissions.add(tx, "acme", [submission(1)])

    with closing(postgresql.store()) as store, pytest.raises(Raced):
        one_after_the_other(store, add, add)


def test_old_submissions_are_forgotten_piece_by_piece(store: Store) -> None:
    """Those from before an instant, of one tenant."""
    with store.transaction() as tx:
        for tenant in ("acme", "globex"):
            submissions.add(tx, tenant, [submission(n, submitted_at=n) for n in range(6)])
        assert [submissions.purge(tx, "acme", 5, 2) for _ in range(4)] == [2, 2, 1, 0]
        assert len(submissions.find(tx, "acme", [b"reference %d" % n for n in range(6)])) == 1
        assert len(submissions.find(tx, "globex", [b"reference %d" % n for n in range(6)])) == 6


def test_who_purges_leaves_what_another_purges(postgresql: Databases) -> None:
    """Two replicas do not wait for one another, and do not fall over one another."""
    with closing(postgresql.store()) as store:
        with store.transaction() as tx:
            submissions.add(tx, "acme", [submission(n, submitted_at=n) for n in range(6)])
        with store.transaction() as here:
            assert submissions.purge(here, "acme", NOW, 4) == 4
            with store.transaction() as there:
                assert submissions.purge(there, "acme", NOW, 4) == 2


# -- keys of the API -----------------------------------------------------------------------------------------


def test_a_key_is_found_by_its_prefix_until_and_after_it_is_revoked(store: Store) -> None:
    """Within its tenant alone; it is revoked once, and stays to be named."""
    one = ApiKey(prefix="p1", digest=b"digest", scopes="send read", label="billing", made_at=NOW)
    two = ApiKey(prefix="p0", digest=b"digest", scopes="", label="", made_at=NOW + 1)
    with store.transaction() as tx:
        for key in (two, one):
            api_keys.add(tx, "acme", key)
        assert api_keys.find(tx, "acme", "p1") == one
        assert api_keys.find(tx, "globex", "p1") is api_keys.find(tx, "acme", "p") is None
        assert api_keys.all_of(tx, "acme") == [one, two]
        assert api_keys.all_of(tx, "globex") == []
        assert not api_keys.revoke(tx, "globex", "p1", NOW)
        assert api_keys.revoke(tx, "acme", "p1", NOW + 5)
        assert not api_keys.revoke(tx, "acme", "p1", NOW + 6)
        assert api_keys.find(tx, "acme", "p1") == msgspec.structs.replace(one, revoked_at=NOW + 5)
        assert api_keys.find(tx, "acme", "p0") == two
    assert repr(one) == "<ApiKey>"


# -- acts ----------------------------------------------------------------------------------------------------


def act(number: int, about: bytes = b"thing") -> Act:
    """Something that somebody did."""
    return Act(id=number.to_bytes(16, "big"), action="released", about=about, done_at=NOW, sealed=b"sealed")


def test_the_latest_acts_in_the_order_in_which_they_were_done(store: Store) -> None:
    """All, or those about one thing; of one tenant."""
    with store.transaction() as tx:
        acts.append(tx, "acme", [act(3), act(1), act(2, b"other")])
        acts.append(tx, "acme", [])
        acts.append(tx, "globex", [act(1, b"theirs")])
        assert acts.latest(tx, "acme") == [act(1), act(2, b"other"), act(3)]
        assert acts.latest(tx, "acme", 2) == [act(2, b"other"), act(3)]
        assert acts.latest(tx, "acme", about=b"thing") == [act(1), act(3)]
        assert acts.latest(tx, "acme", 1, about=b"other") == [act(2, b"other")]
        assert acts.latest(tx, "initech") == []
    assert repr(act(1)) == "<Act>"


# -- leases --------------------------------------------------------------------------------------------------


def take(store: Store, holder: bytes, length: int = HOUR, tenant: str = "", name: str = "sweep") -> bool:
    """Ask for a lease, committed."""
    with store.transaction() as tx:
        return leases.take(tx, tenant, name, holder, length)


def renew(store: Store, holder: bytes, length: int = HOUR) -> bool:
    """Ask to keep it, committed."""
    with store.transaction() as tx:
        return leases.renew(tx, "", "sweep", holder, length)


def release(store: Store, holder: bytes) -> None:
    """Give it back, committed."""
    with store.transaction() as tx:
        leases.release(tx, "", "sweep", holder)


def test_one_holds_a_lease_until_it_is_given_back(store: Store) -> None:
    """Who holds it may take and renew it; who does not cannot give it back. Other leases are free."""
    assert take(store, b"one")
    assert take(store, b"one")
    assert renew(store, b"one")
    assert not take(store, b"two")
    assert not renew(store, b"two")
    release(store, b"two")
    assert not take(store, b"two")
    assert take(store, b"two", tenant="acme")
    assert take(store, b"two", name="other")
    release(store, b"one")
    assert not renew(store, b"one")
    assert take(store, b"two")


def test_a_lease_that_ended_is_free_for_everybody(store: Store) -> None:
    """Its holder may still keep it, unless another was faster."""
    assert take(store, b"one", 0)
    assert renew(store, b"one", 0)
    assert take(store, b"two")
    assert not renew(store, b"one")
    assert not take(store, b"one")


def test_a_lease_ends_by_the_clock(store: Store) -> None:
    """Not before its length has passed, and then without anybody's doing."""
    began = time.monotonic()
    assert take(store, b"one", 150_000)
    while not take(store, b"two"):
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.14


def test_of_two_replicas_that_ask_at_once_one_gets_it(postgresql: Databases) -> None:
    """Whether nobody held it before, or somebody whose time is over."""
    with closing(postgresql.store()) as store:
        for names in ((b"one", b"two"), (b"three", b"four")):
            one, two = (lambda tx, who=who: leases.take(tx, "", "sweep", who, HOUR) for who in names)
            assert one_after_the_other(store, one, two) == (True, False)
            assert renew(store, names[0], 0)
