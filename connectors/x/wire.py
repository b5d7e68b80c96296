"""What every reader of X's payloads needs: ids, instants, users, and the isolation of bad items."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Final

from connectors import wild
from connectors.shape import shape
from connectors.x.vocabulary import KEYS, Note, Why
from policies.event import Event, Noted, Unrecognised
from policies.message import Identifier, IdentifierKind, Instant, Json, Private

_EXACT: Final = 2**53
_EPOCH_MS: Final = 1_288_834_974_657
_FIRST_SNOWFLAKE: Final = 1 << 48
_id = re.compile(r"[0-9]{1,20}\Z")
_status_time = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4}) ([0-9]{4})\Z"
)
_MONTHS = dict(zip("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), range(1, 13), strict=True))


class NotUnderstood(Exception):
    """A part of a delivery cannot be read; ``why`` is a word of the closed table."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Envelope(Private, frozen=True, kw_only=True):
    """What all items of one delivery share: the ``account``, expanded users and media by id, the clock."""

    account: str
    now: Instant
    users: Mapping[str, Mapping[str, Json]] = {}
    media: Mapping[str, dict[str, Json]] = {}


Reader = Callable[[dict[str, Json], Envelope], Iterable[Event]]
"""Reads one item; raises NotUnderstood where it cannot."""


def read(reader: Reader, value: Json, envelope: Envelope) -> Iterator[Event]:
    """Read every item of a list, or the lone item. What one item does never reaches another."""
    for item in items(value):
        yield from read_one(reader, item, envelope)


def items(value: Json) -> Iterator[Json]:
    """The entries of a list, or the lone value that some senders write instead; null is none."""
    return (item for item in (value if isinstance(value, list) else (value,)) if item is not None)


def read_one(reader: Reader, item: Json, envelope: Envelope) -> Iterable[Event]:
    """All events of one item, or what remains of it: its shape."""
    if not isinstance(item, dict):
        return (unrecognised(item, Why.ITEM, envelope.account),)
    try:
        return tuple(reader(item, envelope))
    except NotUnderstood as problem:
        return (unrecognised(item, problem.why, envelope.account),)
    except Exception:  # noqa: BLE001 - one bad item never fails its batch
        return (unrecognised(item, Why.PARSER_ERROR, envelope.account),)


def unrecognised(value: Json, why: Why, account: str = "") -> Unrecognised:
    """The shape of what was not understood."""
    return Unrecognised(account=account, shape=shape(value, KEYS), why=why.value)


def noted(note: Note) -> Reader:
    """A reader that keeps nothing of its items but that they came."""
    return lambda _item, envelope: (Noted(account=envelope.account, what=note.value),)


def platform_id(node: Mapping[str, Json], key: str) -> str | None:
    """The id under ``key_str`` or ``key``: a string of digits.

    A number stands only below 2**53. Above, JavaScript rounds it (X's own samples do) and it names another
    post or person, so that it counts as absent.
    """
    for value in (node.get(f"{key}_str"), node.get(key)):
        if (found := _as_id(value)) is not None:
            return found
    return None


def _as_id(value: Json) -> str | None:
    if isinstance(value, str):
        return value if _id.match(value) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _EXACT:
        return str(value)
    return None


def platform_ids(value: Json) -> Iterator[str]:
    """The readable ids of a list."""
    return (found for item in (value if isinstance(value, list) else ()) if (found := _as_id(item)))


def derived_id(item: Json) -> str:
    """An id for what came without one: the same item always gives the same."""
    canonical = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return "derived:" + hashlib.sha256(canonical.encode()).hexdigest()[:32]


def person(user_id: str) -> tuple[Identifier, ...]:
    """Somebody who is known by an X id."""
    return (Identifier(kind=IdentifierKind.X_ID, value=user_id),)


def moment(node: Mapping[str, Json], *keys: str) -> Instant | None:
    """The first readable instant under ``keys``, in microseconds."""
    for key in keys:
        value = node.get(key)
        if isinstance(value, str) and (match := _status_time.match(value)):
            value = _iso(match)
        if (found := wild.instant(value)) is not None:
            return found
    return None


def _iso(match: re.Match[str]) -> str:
    """``Wed Aug 16 18:29:02 +0000 2023`` as ISO 8601; strptime would read the names in the host's locale."""
    month, day, clock, offset, year = match.groups()
    return f"{year}-{_MONTHS.get(month, 0):02}-{day}T{clock}{offset}"


def born(snowflake: str) -> Instant | None:
    """When X minted an id, to the millisecond; None for the sequential ids of before November 2010.

    A DM's ``created_timestamp`` is the same millisecond or some tens of milliseconds later.
    """
    number = int(snowflake)
    return None if number < _FIRST_SNOWFLAKE else wild.instant((number >> 22) + _EPOCH_MS)


def directory(*sources: Json) -> dict[str, Mapping[str, Json]]:
    """Users by id, from an object keyed by id, a list or a lone user, each flat or wrapped in ``data``.

    A user object that contradicts its key is left out: whose name it holds is not certain.
    """
    users: dict[str, Mapping[str, Json]] = {}
    for source in sources:
        keyed = isinstance(source, dict) and "id" not in source
        for key, entry in source.items() if keyed else zip(repeat(None), wild.listing(source)):
            user = wild.mapping(entry)
            user = wild.mapping(user.get("data", user))
            user_id = platform_id(user, "id") or key
            if user and user_id is not None and key in (None, user_id):
                users[user_id] = user
    return users


def profile(user: Mapping[str, Json]) -> dict[str, str]:
    """How somebody calls themselves: name and handle."""
    name = wild.text(user.get("name"))
    username = wild.text(user.get("screen_name")) or wild.text(user.get("username"))
    return ({"name": name} if name else {}) | ({"username": username} if username else {})
