"""What is looked after on a schedule: callbacks that nobody took up, requests that a crash or a hold left, deadlines."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from policies.message import Private
from worker.acts import Operator
from worker.crypto import CryptoError
from worker.rights.deadlines import Due, Source, due
from worker.rights.desk import Arrival, Desk, Resumed
from worker.rights.errors import RightsRefused
from worker.rights.outcome import Status
from worker.rights.request import Right, RightsRequest, Subject
from worker.rights.steps import Tools
from worker.store import callbacks, rights

_META: Final = Operator(name="Meta", why="data deletion callback")


class Attended(Private, frozen=True, kw_only=True):
    """What there was to do: requests that were gone on with, those that are due, how many are open by tenant."""

    resumed: tuple[Resumed, ...]
    due: tuple[Due, ...]
    open: dict[str, int]


def attend(desk: Desk, tools: Tools) -> Attended:
    """Look after everything once. Any replica may, at any time, several at once."""
    _take_up(desk, tools)
    desk.close()
    resumed = desk.resume()
    with tools.store.reading() as tx:
        late = due(tx, tools.clock(), tools.deadlines)
        open_ = Counter(tenant for tenant, _ in rights.unfinished(tx))
    return Attended(resumed=tuple(resumed), due=tuple(late), open=dict(open_))


def _take_up(desk: Desk, tools: Tools) -> None:
    """Make requests of Meta's data-deletion callbacks; their status pages follow.

    The id that Meta gives is the app's own: mostly nobody here is known by it, and then that is what is answered. Nobody
    guesses.
    """
    with tools.store.reading() as tx:
        waiting = callbacks.unfinished(tx, callbacks.DELETION)
    for row in waiting:
        status = _answered(desk, tools, row)
        with tools.store.transaction() as tx:
            callbacks.move(tx, row.tenant, row.reference, status)


def _answered(desk: Desk, tools: Tools, row: Any) -> str:
    try:
        user = callbacks.open_user(tools.keyring, row)
        request = RightsRequest(request_type=Right.DELETE, subject=Subject(external_id=user))
        arrival = Arrival(operator=_META, source=Source.META_CALLBACK, received_at=row.received_at)
        answer = desk.take(row.tenant, request, arrival)
    except (CryptoError, RightsRefused):
        return callbacks.IN_WORK
    return callbacks.COMPLETED if answer.status == Status.COMPLETED else callbacks.IN_WORK
