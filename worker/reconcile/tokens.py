"""When access tokens end: asked for once a day where a tenant configured it, told while there is time to renew them."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.instagram.conversations import Expiry, debug_token, graph_trouble, read_token
from policies.message import Instant
from worker.jobs import Stop
from worker.reconcile.run import Case, Tally, Tools, advance, asker, cursor_name, whole
from worker.store import cursors

ABOUT: Final = "token"
DAY: Final = 86_400 * 1_000_000
WARNING: Final = 7 * DAY

_decoder: Final = msgspec.msgpack.Decoder(Expiry)


def check(tools: Tools, case: Case, stop: Stop) -> tuple[Tally, Expiry | None]:
    """What the platform says of the token, where it is time to ask."""
    tally, told = Tally(about=ABOUT), list[Expiry]()
    asking = asker(tools, case, stop, judge=graph_trouble)

    def work() -> None:
        secrets = case.asking.secrets
        request = debug_token(case.asking, secrets["access_token"][0], secrets["app_token"][0])
        expiry = read_token(asking.ask(request))
        if expiry is not None:
            told.append(expiry)
            advance(tools, case, ABOUT, msgspec.msgpack.encode(expiry))

    if case.asking.options["debug_url"] and _is_time(tools, case):
        whole(tally, asking, work)
    return tally, told[0] if told else None


def last_told(tools: Tools, case: Case) -> Expiry | None:
    """What was told last, None where nobody asked."""
    with tools.store.reading() as tx:
        found = cursors.read(tx, case.tenant.id, cursor_name(case, ABOUT))
    return _decoder.decode(found.value) if found else None


def seconds_left(expiry: Expiry, now: Instant) -> int | None:
    """Until somebody has to renew it; None while there is time. 0 where it is worth nothing already."""
    if not expiry.valid:
        return 0
    if expiry.ends_at is None or expiry.ends_at - now > WARNING:
        return None
    return max((expiry.ends_at - now) // 1_000_000, 0)


def _is_time(tools: Tools, case: Case) -> bool:
    with tools.store.reading() as tx:
        last = cursors.read(tx, case.tenant.id, cursor_name(case, ABOUT))
    return last is None or not 0 <= tools.clock() - last.moved_at < DAY
