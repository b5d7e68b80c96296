"""Deauthorise and data-deletion callbacks: recorded once, found by their code alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tests.databases import Databases
from tests.flows.harness import NOW, in_threads
from worker.keyring import RECORDS, Keyring
from worker.store.callbacks import RECEIVED, callbacks, find_callback, record_callback
from worker.store.engine import Store

REQUEST: Final[dict[str, Any]] = {
    "tenant": "acme",
    "connector": "facebook",
    "kind": "data-deletion",
    "user_id": "10158880001",
    "issued_at": NOW - 5,
    "now": NOW,
}

Opened = tuple[Store, Keyring]


@pytest.fixture
def opened(databases: Databases) -> Iterator[Opened]:
    """An open store and keyring."""
    with databases.opened() as both:
        yield both


def record(opened: Opened, **different: Any) -> str:
    """Record the request, with what differs; its code."""
    return record_callback(*opened, **{**REQUEST, **different})


def test_a_request_is_found_by_its_code(opened: Opened) -> None:
    """With what its status page shows."""
    found = find_callback(opened[0], "acme", record(opened))
    assert found is not None
    assert (found.connector, found.kind, found.status) == ("facebook", "data-deletion", RECEIVED)
    assert (found.issued_at, found.received_at) == (NOW - 5, NOW)


def test_the_same_request_gets_the_same_code(databases: Databases, opened: Opened) -> None:
    """Now, later, and after a restart: Meta sends it again when no answer came."""
    code = record(opened)
    assert record(opened, now=NOW + 60_000_000) == code
    with databases.opened() as later:
        assert record(later) == code
        found = find_callback(later[0], "acme", code)
    assert found is not None
    assert found.received_at == NOW


@pytest.mark.parametrize(
    "different",
    [
        {"user_id": "2"},
        {"issued_at": NOW},
        {"kind": "deauthorize"},
        {"connector": "instagram"},
        {"tenant": "globex"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_another_request_gets_another_code(opened: Opened, different: dict[str, Any]) -> None:
    """Whatever it differs in."""
    assert record(opened) != record(opened, **different)


def test_codes_say_nothing_and_cannot_be_guessed(opened: Opened) -> None:
    """Random, of 128 bits, and fit for an address."""
    codes = {record(opened, user_id=str(number)) for number in range(50)}
    assert len(codes) == 50
    assert {len(code) for code in codes} == {22}
    assert all(code.replace("-", "").replace("_", "").isalnum() for code in codes)


def test_nobody_else_finds_it(opened: Opened) -> None:
    """Not another tenant, nor anybody with a code that was never given."""
    code = record(opened)
    assert find_callback(opened[0], "globex", code) is None
    for wrong in ("", "x", code[:-1], code + "x", code.swapcase(), "%"):
        assert find_callback(opened[0], "acme", wrong) is None


def test_replicas_that_are_told_at_once_give_one_code(databases: Databases) -> None:
    """Meta's request and its repetition arrive at two workers in the same instant."""
    with databases.opened() as one, databases.opened() as other:
        for number in range(10):
            told = {"user_id": str(number)}
            codes = in_threads(partial(record, one, **told), partial(record, other, **told))
            assert codes[0] == codes[1]


def test_the_user_is_sealed(opened: Opened) -> None:
    """An app-scoped id is personal data: it stands nowhere in the row, and opens with the tenant's key in its place."""
    record(opened)
    with opened[0].reading() as tx:
        [row] = tx.execute(select(callbacks)).all()
    assert REQUEST["user_id"] not in repr(tuple(row))
    place = b"callback\0" + b"acme" + b"\0" + row.reference
    assert opened[1].cipher("acme", RECORDS).open(row.sealed, place).decode() == REQUEST["user_id"]


def test_when_the_store_is_down_nothing_is_promised(databases: Databases) -> None:
    """No code without a row."""
    nowhere = Databases("postgresql://nobody@127.0.0.1:1/none", databases.keyring_url)
    with nowhere.opened() as opened, pytest.raises(SQLAlchemyError):
        record(opened)
