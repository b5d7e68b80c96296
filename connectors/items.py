"""One bad item is one ``Unrecognised``: the others of its delivery go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from policies.event import Event
from policies.message import Json

Read = Callable[[Json], Iterable[Event]]
"""From an item to its events; may raise whatever it likes."""


def isolated(payload: Json, read: Read, unread: Callable[[Json], Event]) -> Iterator[Event]:
    """Every event of a delivery, a list counting as several; ``unread`` stands for an item that ``read`` fails on."""
    for item in payload if isinstance(payload, list) and payload else (payload,):
        try:
            events = tuple(read(item))
        except Exception:  # noqa: BLE001 - whatever an item holds, its neighbours are not lost for it
            events = (unread(item),)
        yield from events
