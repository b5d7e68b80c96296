"""Whatever a body holds: it is taken, or every error of it is told in known words and without any of its values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.databases import Provisioner
from tests.worker.api_bodies import TEXTS
from tests.worker.api_house import PLAIN
from tests.worker.asking import SIGNING
from tests.worker.handing_in import ACME, Desk
from worker.api.access import Caller
from worker.api.calls import Asked, Services, as_json, submit
from worker.api.errors import SENTENCES
from worker.api.models import Problems
from worker.rights.steps import Tools

CALLER: Final = Caller(tenant="acme", key="0", label="a test", scopes=frozenset({"send"}))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(categories=["L", "N", "P", "Z", "C"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(
    st.sampled_from([*TEXTS, "purpose", "send_after", "do_not_send_after", "messages", "odd"]),
    values,
    max_size=8,
)
"""Known and unknown fields, with anything in them: numbers that are none, halves of characters, nests."""


@pytest.fixture(scope="module")
def services(provisioner: Provisioner) -> Iterator[Services]:
    """What calls work with, on SQLite."""
    with provisioner.lent("sqlite") as databases:
        desk = Desk(databases)
        store, keyring = desk.replica.store, desk.replica.keyring
        tools = Tools(store=store, keyring=keyring, signing=SIGNING, clock=desk.replica.clock)
        yield Services(store=store, keyring=keyring, outbound=desk.outbound, rights=tools)
        desk.close()


def _asked(services: Services, body: bytes) -> tuple[int, Any]:
    told = submit(services, Asked(tenant=ACME, caller=CALLER, id="", body=body))
    return told.status, told.body


@settings(max_examples=150)
@given(body=bodies, whole=st.booleans())
def test_no_body_is_answered_otherwise(services: Services, body: dict[str, Any], whole: bool) -> None:  # noqa: FBT001
    """202 or 422 in the words of the table; the answer can be written, and tells where but never what."""
    status, answer = _asked(services, json.dumps({**(PLAIN if whole else {}), **body}).encode())
    assert status in {202, 422}
    json.loads(as_json(answer))
    if isinstance(answer, Problems):
        assert answer.errors
        assert all(SENTENCES[one.code] == one.sentence for one in answer.errors)
        assert {one.field for one in answer.errors} <= {*PLAIN, *body, "", "(unknown)", "do_not_send_after"}


@settings(max_examples=100)
@given(body=st.binary(max_size=200))
def test_no_bytes_are_answered_otherwise(services: Services, body: bytes) -> None:
    """422: what is JSON at all has no fields of a text."""
    assert _asked(services, body)[0] == 422
