"""What a stand-in is made of: the account it knows, what it is asked and answers, and how it may misbehave."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from policies.event import DeliveryStatus
from policies.message import Json, Private

JSON: Final = "application/json"


class Behaviour(StrEnum):
    """What becomes of a text that is handed to a stand-in. What happens *after accepting* is a text that was sent."""

    OK = "ok"
    SLOW = "slow"  # waits, then accepts and answers
    THROTTLING = "throttling"  # 429, not accepted
    ERROR = "error"  # the provider's error by its number, not accepted
    FAILING_BEFORE = "failing_before"  # 5xx, not accepted
    FAILING_AFTER = "failing_after"  # 5xx after accepting
    RESETTING_UNREAD = "resetting_unread"  # the connection is reset before the body was read
    RESETTING_BEFORE = "resetting_before"  # read, then reset, not accepted
    RESETTING_AFTER = "resetting_after"  # reset after accepting
    LATE = "late"  # accepts, then waits before it answers: longer than the client, as the test wants it
    TWICE = "twice"  # accepts once, answers twice on the same connection
    GARBLED = "garbled"  # accepts, and answers 200 with what nobody understands


class Report(msgspec.Struct, frozen=True):
    """One status callback: how far the text got, and the provider's error number where it failed."""

    status: DeliveryStatus
    code: int = 0


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """How a stand-in treats a text.

    ``seconds``: how long it waits (SLOW, LATE); ``status`` and ``code``: what it answers (ERROR, FAILING);
    ``retry_after``: seconds, told with a refusal; ``reports``: the callbacks of a text that it accepted, in this order,
    as often as they stand here; ``reports_first``: they are sent before the answer.
    """

    behaviour: Behaviour = Behaviour.OK
    seconds: float = 0.0
    status: int = 0
    code: int = 0
    retry_after: int | None = None
    reports: tuple[Report, ...] = ()
    reports_first: bool = False


class Account(Private, frozen=True, kw_only=True):
    """What the provider knows of its customer.

    ``key`` and ``secret`` authenticate requests (where the provider has one secret only, ``key`` is its account's id);
    ``signing`` signs callbacks: the secret, or the 32 bytes of an Ed25519 key. ``senders``: those of the account, any
    where there are none. ``webhook``: where inbound texts go, and reports that bring no address of their own.
    ``token``: the access token that is in force, where the provider grants one.
    """

    key: str = "key"
    secret: str
    signing: bytes
    senders: frozenset[str] = frozenset()
    webhook: str = ""
    token: str = ""


class Received(Private, frozen=True, kw_only=True):
    """A request that a stand-in read: header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Reply(Private, frozen=True, kw_only=True):
    """What it answers."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = {}


class Taken(Private, frozen=True, kw_only=True):
    """A text that was accepted: it counts as sent. ``ours`` is the client's own id, "" where the API carries none.

    ``callback``: where its reports go, as the request said; "" where it did not. ``at``: when, in seconds.
    """

    id: str
    ours: str
    sender: str
    recipient: str
    text: str
    callback: str = ""
    at: int = 0


class Inbound(Private, frozen=True, kw_only=True):
    """A text that a person sends to one of the account's numbers. ``id`` is the provider's."""

    id: str
    sender: str
    recipient: str
    text: str


class Post(Private, frozen=True, kw_only=True):
    """A signed callback, ready to be posted."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's API. Clocks and ids are handed in, so that every function says the same twice.

    ``sends``: which requests, as ``METHOD /path``, hand over a text. ``take``: the text of such a request, validated as
    the provider would, or its refusal. ``other``: tokens and queries. ``answer``: to a text that was accepted;
    ``refuse``: an error by number and status. ``report`` and ``inbound``: callbacks, signed at a time (seconds).
    """

    name: str
    sends: re.Pattern[str]
    take: Callable[[Received, Account, str], Taken | Reply]
    answer: Callable[[Taken], Reply]
    refuse: Callable[[int, int], Reply]
    report: Callable[[Taken, Report, Account, int], Post]
    inbound: Callable[[Inbound, Account, int], Post]
    other: Callable[[Received, Account, Sequence[Taken]], Reply]
    throttled: int = 0


def reply(status: int, body: Json, **headers: str) -> Reply:
    """A reply in JSON."""
    return Reply(status=status, body=msgspec.json.encode(body), headers=headers)


def nothing_here(_received: Received, _account: Account, _accepted: Sequence[Taken]) -> Reply:
    """404, for providers of which nothing but sending is played."""
    return reply(404, {})
