"""Answers in pieces: few at a time, and whoever goes away in the middle of one leaves its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast
from unittest.mock import Mock

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from worker.api.app import MOST_STREAMS, Api
from worker.api.calls import Call, Told
from worker.api.errors import problem
from worker.api.models import Problems
from worker.observe import Observer


def pieces() -> Iterator[bytes]:
    """An answer that somebody may read slowly."""
    yield b"{"
    yield b"}"


class Deaf:
    """An observer to whom nothing matters."""

    def called(self, *_: object) -> None:
        """Nothing is told to anybody."""


@pytest.fixture
def api() -> Iterator[Api]:
    """An interface that answers, without anything behind it."""
    made = Api(
        Mock(),
        tenants=Mock(),
        in_service=lambda: True,
        observer=cast("Observer", Deaf()),
        retry_after_seconds=5,
    )
    yield made
    made.close()


CALL = Call(name="read_out", scopes=frozenset(), has_body=False, work=Mock())


def answered(api: Api) -> Response:
    """An answer in pieces, not yet sent."""
    return api._answered(
        CALL, None, Told(status=200, body=Problems(errors=[problem("busy")]), pieces=pieces())
    )


async def sent(response: Response, *, fails: bool = False) -> list[Any]:
    """What is sent of it; ``fails``: the reader is gone after the first piece."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)
        if fails and len(messages) > 1:
            raise OSError

    async def receive() -> Any:
        await asyncio.sleep(60)

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    return messages


def test_only_so_many_are_read_at_one_time(api: Api) -> None:
    """Each holds a connection to the store for as long as its reader takes."""
    waiting = [answered(api) for _ in range(MOST_STREAMS)]
    assert {one.status_code for one in waiting} == {200}
    assert answered(api).status_code == 503
    assert asyncio.run(sent(waiting[0]))[-1]["body"] == b""
    assert answered(api).status_code == 200


def test_whoever_goes_away_leaves_the_place(api: Api) -> None:
    for _ in range(MOST_STREAMS + 3):
        response = answered(api)
        assert response.status_code == 200
        with pytest.raises(ClientDisconnect):
            asyncio.run(sent(response, fails=True))
