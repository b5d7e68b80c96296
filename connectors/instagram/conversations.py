"""Instagram's Conversations API: which messages there still are. A message that was unsent in the web client raises no webhook.

developers.facebook.com/docs/messenger-platform/conversations and /docs/instagram-platform/…/conversations-api (read in
November 2026) say: a conversation's node lists **all** its message ids, newest first `[U]`; details are told of the 20
newest messages only, and for an older one the answer is an error *that the message has been deleted*. So no such error
proves anything by itself; what does is said at ``missing``. Two calls a second for each account. Conversations in the
Requests folder that were silent for 30 days are not listed.

`[U]` not told by a page of Meta's: that the answer for a message which is gone is code 100 with subcode 33 ("does not
exist, cannot be loaded due to missing permissions, or does not support this operation"); that the ids of webhooks and of
this API are the same. Where either is not so, nothing is ever found to be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from connectors import wild
from connectors.asking import Trouble, number, trouble
from connectors.contract import HttpAnswer, HttpRequest, Reconciliation, Sending
from connectors.sms import answered, base_url
from policies.message import Instant, Private

DETAILED: Final = 20
"""Of so many of a conversation's newest messages the API tells details."""

_PAGE: Final = 50
_GONE: Final = (100, 33)
_THROTTLED: Final = frozenset({4, 17, 32, 613, 80002, 80006})
_UNAUTHORISED: Final = frozenset({10, 102, 190, *range(200, 300)})

OPTIONS: Final = {
    "base_url": "https://graph.instagram.com",
    "version": "v26.0",
    "node": "me",
    "account": "",
    "days": "30",
    "calls": "200",
    "pace_ms": "600",
    "debug_url": "",
}


class Listed(Private, frozen=True):
    """A message that a conversation lists, and when it was sent."""

    id: str
    sent_at: Instant


class Page(Private, frozen=True, kw_only=True):
    """Some of a conversation's messages. ``after`` leads to the next page, "" at the end."""

    messages: tuple[Listed, ...]
    after: str


class Presence(StrEnum):
    """What the API says of one message. UNSURE: anything but a plain yes or the one error that may mean no."""

    THERE = "there"
    GONE = "gone"
    UNSURE = "unsure"


class Expiry(Private, frozen=True, kw_only=True):
    """When an access token ends: None where it does not, or nobody tells."""

    valid: bool
    ends_at: Instant | None


def addresses(sending: Sending) -> tuple[str, ...]:
    """Raises ValueError, without values, for the first option that is not right."""
    options = sending.options
    for name, least, most in (("days", 1, 3650), ("calls", 30, 100_000), ("pace_ms", 0, 60_000)):
        number(options, name, least, most)
    if options["debug_url"] and not sending.secrets.get("app_token"):
        raise ValueError("app_token beside debug_url")
    debug = (base_url(sending, "debug_url"),) if options["debug_url"] else ()
    return (base_url(sending), *debug)


RECONCILIATION: Final = Reconciliation(
    options=OPTIONS, secrets=("access_token",), optional=("app_token",), addresses=addresses
)


def find_conversation(person: str, sending: Sending, token: bytes) -> HttpRequest:
    """Ask for the conversation with somebody, by their Instagram-scoped id."""
    query = {"platform": "instagram", "user_id": person}
    return _get(sending, f"{quote(sending.options['node'], safe='')}/conversations", query, token)


def read_conversation(answer: HttpAnswer) -> str | None:
    """Its id, where exactly one is told."""
    found = list(wild.objects(answered(answer).get("data")))
    return wild.identifier(found[0].get("id")) if answer.status == 200 and len(found) == 1 else None


def list_messages(conversation: str, after: str, sending: Sending, token: bytes) -> HttpRequest:
    """Ask for a page of a conversation's messages, by its cursor: the next page's address, which is told too, holds the token."""
    query = {"fields": "id,created_time", "limit": str(_PAGE), **({"after": after} if after else {})}
    return _get(sending, f"{quote(conversation, safe='')}/messages", query, token)


def read_messages(answer: HttpAnswer) -> Page | None:
    """The page; None where any of it is not understood: then what is missing proves nothing."""
    body = answered(answer)
    data = body.get("data")
    if answer.status != 200 or not isinstance(data, list):
        return None
    listed = []
    for item in map(wild.mapping, data):
        id_, sent_at = wild.identifier(item.get("id")), wild.instant(item.get("created_time"))
        if id_ is None or sent_at is None:
            return None
        listed.append(Listed(id_, sent_at))
    paging = wild.mapping(body.get("paging"))
    after = wild.identifier(wild.mapping(paging.get("cursors")).get("after"))
    if "next" in paging and after is None:
        return None
    return Page(messages=tuple(listed), after=after or "" if "next" in paging else "")


def get_message(id_: str, sending: Sending, token: bytes) -> HttpRequest:
    """Ask for one message: its id and time, nothing of its content."""
    return _get(sending, quote(id_, safe=""), {"fields": "id,created_time"}, token)


def read_message(id_: str, answer: HttpAnswer) -> Presence:
    """Whether it is there."""
    body = answered(answer)
    if answer.status == 200:
        return Presence.THERE if body.get("id") == id_ else Presence.UNSURE
    error = wild.mapping(body.get("error"))
    code = (wild.integer(error.get("code")), wild.integer(error.get("error_subcode")))
    return Presence.GONE if answer.status in {400, 404} and code == _GONE else Presence.UNSURE


def debug_token(sending: Sending, token: bytes, app_token: bytes) -> HttpRequest:
    """Ask when an access token ends (developers.facebook.com/docs/graph-api/reference/debug_token)."""
    url = f"{base_url(sending, 'debug_url')}/{sending.options['version']}/debug_token"
    query = urlencode({"input_token": token.decode("latin-1")})
    return HttpRequest(method="GET", url=f"{url}?{query}", headers=_bearer(app_token))


def read_token(answer: HttpAnswer) -> Expiry | None:
    """The earlier of the token's end and the end of its access to data; 0 stands for never. None where it is not told."""
    data = wild.mapping(answered(answer).get("data"))
    if answer.status != 200 or not isinstance(data.get("is_valid"), bool):
        return None
    ends = [wild.instant(data.get(name)) for name in ("expires_at", "data_access_expires_at")]
    return Expiry(valid=data["is_valid"], ends_at=min((one for one in ends if one), default=None))


def graph_trouble(answer: HttpAnswer) -> Trouble | None:
    """Graph says most of it by error codes, with status 400."""
    code = wild.integer(wild.mapping(answered(answer).get("error")).get("code"))
    if code in _THROTTLED:
        return Trouble.THROTTLED
    if code in _UNAUTHORISED:
        return Trouble.UNAUTHORISED
    if code in {1, 2}:
        return Trouble.UNAVAILABLE
    return trouble(answer)


def missing(stored: Sequence[Listed], listed: Sequence[Listed]) -> tuple[str | None, list[Listed]]:
    """Stored messages that a conversation does not list any more, and a witness; (None, …) where nothing is proven.

    ``listed`` is the whole list, or its newest part. The witness is one of our messages that is listed among the newest
    ``DETAILED``: it shows that these are our ids, and that this token may read them. What is missing counts only where the
    list goes further back than it, and fewer than ``DETAILED`` listed ones are newer: then the API must tell it if it is there.
    """
    ids = {one.id for one in listed}
    newest = sorted(listed, key=lambda one: -one.sent_at)[: DETAILED - 1]
    ours = {one.id for one in stored}
    witness = next((one.id for one in newest if one.id in ours), None)
    oldest = min((one.sent_at for one in listed), default=None)
    if witness is None or oldest is None:
        return None, [one for one in stored if one.id not in ids]
    return witness, [
        one
        for one in stored
        if one.id not in ids and one.sent_at > oldest and _newer(listed, one.sent_at) < DETAILED - 1
    ]


def is_gone(one: Presence, witness: Presence) -> bool:
    """Whether a missing message was deleted: it is told to be gone, and its witness, asked after it, to be there."""
    return one is Presence.GONE and witness is Presence.THERE


def _newer(listed: Collection[Listed], than: Instant) -> int:
    return sum(one.sent_at >= than for one in listed)


def _get(sending: Sending, path: str, query: dict[str, str], token: bytes) -> HttpRequest:
    url = f"{base_url(sending)}/{quote(sending.options['version'], safe='')}/{path}?{urlencode(query)}"
    return HttpRequest(method="GET", url=url, headers=_bearer(token))


def _bearer(token: bytes) -> dict[str, str]:
    return {"authorization": f"Bearer {token.decode('latin-1')}"}
