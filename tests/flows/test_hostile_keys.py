"""Attacks over the programming interface by whoever holds a valid key, on everybody else and on the machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.databases import Databases
from tests.worker.api_house import House, Running, plain
from worker.api.app import MOST_CALLS
from worker.api.keys import KeyScope
from worker.api.models import MOST_MESSAGES
from worker.api.reading import MOST_BYTES, MOST_VALUES

HEAD: Final = (
    "POST /v1/tenants/acme/sms HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n"
    "content-type: application/json\r\ncontent-length: 100000\r\n\r\n{{"
)


@pytest.fixture
def running(tmp_path: Path, sqlite: Databases) -> Iterator[Running]:
    """A whole worker with two tenants."""
    with House(tmp_path, sqlite).running() as running:
        yield running


def full(unit: bytes) -> bytes:
    """As much as a body may hold of it."""
    return b'{"messages":[' + unit * ((MOST_BYTES - 100) // len(unit)) + b"0]}"


@pytest.mark.parametrize(
    "body",
    [
        full(b"[],"),
        full(b"{},"),
        full(b"1,"),
        b'{"messages":[{' + b",".join(b'"f%d":1' % number for number in range(MOST_VALUES)) + b"}]}",
    ],
    ids=["lists", "objects", "numbers", "fields that nobody knows"],
)
def test_a_body_of_nothing_but_values_is_not_read(running: Running, body: bytes) -> None:
    """Three million lists would take a hundred times their bytes, a million wrong fields as many sentences."""
    answer = running.raw(body, running.key())
    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["errors"]] == ["too_many_values"]


def test_fields_that_nobody_knows_are_told_once(running: Running) -> None:
    """An answer is no larger than its question, and repeats none of their names."""
    body = plain(**{f"canary-{number}": number for number in range(5_000)})
    answer = running.post(body, running.key())
    assert [one["field"] for one in answer.json()["errors"]] == ["(unknown)"]
    assert b"canary" not in answer.content


def test_the_fullest_honest_call_is_read(running: Running) -> None:
    """Every field in each of a thousand texts, and texts of nothing but what parts values."""
    one = plain(
        text=",[{" * 500 + '\\"',
        submitter="J",
        campaign="c",
        template="t",
        send_after="2027-01-01T08:00:00Z",
        do_not_send_after="2027-01-02T08:00:00Z",
        client_reference="r",
        time_zone="America/Denver",
        place="US-CO",
    )
    body = json.dumps({"messages": [one | {"purpose": "nothing"}] * MOST_MESSAGES}).encode()
    answer = running.raw(body, running.key())
    assert answer.status_code == 202
    assert {item["status"] for item in answer.json()["results"]} == {422}


def test_a_tenant_whose_calls_never_end_leaves_room_for_the_others(running: Running) -> None:
    """While nobody else called, it could take every place there is."""
    head = HEAD.format(key=running.key()).encode()
    calls = running.runtime.api._calls
    with ExitStack() as stack:
        for number in range(MOST_CALLS):
            connection = socket.create_connection(("127.0.0.1", running.runtime.admin_port), 5)
            stack.callback(connection.close)
            connection.sendall(head)
            # One after the other: of many at once, some were refused for being many.
            for _ in range(20 if number < MOST_CALLS // 2 else 2):
                if calls["acme"] <= number:
                    running.client.get("/livez")
        other = plain(sender="+12025550133")
        assert running.post(other, running.key("globex"), "globex").status_code == 202


@pytest.mark.parametrize("scope", [KeyScope.READ, KeyScope.REVIEW, KeyScope.RIGHTS])
def test_a_key_sends_nothing_that_is_not_made_for_it(running: Running, scope: KeyScope) -> None:
    """Nor does it see with another tenant's name what its own may not: 404 whatever the scope."""
    assert running.post(plain(), running.key("acme", scope)).status_code == 403
    assert running.post(plain(), running.key("acme", scope), "globex").status_code == 404


@pytest.mark.parametrize("flag", ["reviewed", "answers_opt_out", "inbound_at", "score", "evidence", "id"])
def test_what_only_the_worker_says_of_a_text_nobody_can_say(running: Running, flag: str) -> None:
    """A text that claims to be released, or to confirm an opt-out, would pass every rule about its words."""
    answer = running.post(plain(**{flag: True}), running.key())
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_field")
