"""One call to a provider: with its access token where it wants one, through the one way out. Never more than one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

import msgspec
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from connectors.contract import (
    Grant,
    HttpAnswer,
    HttpRequest,
    Refused,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
)
from connectors.sms_console import outbound as console
from policies.event import Failure
from policies.message import Instant
from worker.egress.client import FORBIDDEN, MaybeSent, NotSent, Why
from worker.tenants.loading import Tenant, TenantConnector

_TRIES: Final = 3
_EARLIER: Final = 30.0
"""A token is not used in the last seconds of its life: it might end on its way."""

UNAUTHORISED: Final = 401


class Carrier(Protocol):
    """Carries requests out: ``worker.egress.client.Client``, or a test's own."""

    def send(self, request: HttpRequest, hosts: Collection[str], seconds: float) -> HttpAnswer:
        """The answer. Raises NotSent or MaybeSent."""


class Unreached(msgspec.Struct, frozen=True):
    """Nothing was written to the provider."""

    why: Why


class Renewed(msgspec.Struct, frozen=True):
    """The provider refused a token that it had given before: the text was not looked at. With a new one it may be."""


CallResult = SendResult | Unreached | Renewed


class Token(msgspec.Struct, frozen=True):
    """An access token, for whom it was asked, and when it is not used any longer (monotonic seconds)."""

    sending: Sending
    bearer: str
    until: float

    def __repr__(self) -> str:
        return "<Token>"


class Tokens:
    """Access tokens by tenant and connector, each asked for by one thread at a time and kept until it ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, str], threading.Lock] = {}
        self._tokens: dict[tuple[str, str], Token] = {}

    def token(
        self, place: tuple[str, str], sending: Sending, ask: Callable[[], Token | Refused | Unreached]
    ) -> tuple[Token | Refused | Unreached, bool]:
        """The token for ``sending`` as it is configured now, and whether it was kept from an earlier call."""
        with self._lock:
            asking = self._asking.setdefault(place, threading.Lock())
        with asking:
            kept = self._tokens.get(place)
            if kept is not None and kept.sending == sending and self._clock() < kept.until:
                return kept, True
            fresh = ask()
            if isinstance(fresh, Token):
                self._tokens[place] = fresh
            return fresh, False

    def forget(self, place: tuple[str, str], token: Token) -> None:
        """The token is worth nothing any longer; a newer one stays."""
        with self._lock:
            if self._tokens.get(place) is token:
                del self._tokens[place]


class Calls:
    """Calls providers, from any thread. ``show`` is given what the console connector would send."""

    def __init__(
        self,
        carrier: Carrier,
        seconds: float,
        show: Callable[[bytes], None] = lambda _body: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._carrier = carrier
        self._seconds = seconds
        self._show = show
        self._clock = clock
        self._tokens = Tokens(clock)
        # Only what was surely not written is tried again here, and shortly; longer waits stand in the row.
        self._persist = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, NotSent) and e.why not in FORBIDDEN),
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )

    @property
    def longest(self) -> float:
        """Seconds that a call with its token may take in all."""
        return 2 * _TRIES * (self._seconds + 1.0)

    def send(self, tenant: Tenant, source: TenantConnector, text: Text) -> CallResult:
        """Give a text to the provider, once. Raises what a connector raises while it builds its request."""
        outbound, sending = source.connector.outbound, source.sending
        if outbound is None or sending is None:
            return Unreached(Why.NOT_DECLARED)
        if outbound.grant is None:
            answer = self._answer(tenant, outbound.build_request(text, sending))
            return _read(outbound.read_result, answer, sending) if isinstance(answer, HttpAnswer) else answer
        token, kept = self._token(tenant, source, outbound.grant, sending)
        if not isinstance(token, Token):
            return token
        sending = msgspec.structs.replace(sending, bearer=token.bearer)
        answer = self._answer(tenant, outbound.build_request(text, sending))
        if not isinstance(answer, HttpAnswer):
            return answer
        if answer.status == UNAUTHORISED:
            self._tokens.forget(_place(tenant, source), token)
            if kept:
                return Renewed()
        return _read(outbound.read_result, answer, sending)

    def look_up(self, tenant: Tenant, source: TenantConnector, text: Text, tried_at: Instant) -> Sent | None:
        """What the provider knows of a text that it may have, None where it does not tell for sure."""
        outbound, sending = source.connector.outbound, source.sending
        if outbound is None or sending is None or outbound.lookup is None:
            return None
        try:
            answer = self._carry(tenant, outbound.lookup.build(text, tried_at, sending))
        except (NotSent, MaybeSent):
            return None
        return outbound.lookup.read(text, tried_at, answer)

    def _answer(self, tenant: Tenant, request: HttpRequest) -> HttpAnswer | Unreached | Unknown:
        try:
            return self._carry(tenant, request)
        except NotSent as error:
            return Unreached(error.why)
        except MaybeSent:
            return Unknown()

    def _carry(self, tenant: Tenant, request: HttpRequest) -> HttpAnswer:
        if request.url == console.URL:
            self._show(request.body)
            return console.SHOWN
        hosts = frozenset(one.host for one in tenant.egress)
        answer: HttpAnswer = self._persist(self._carrier.send, request, hosts, self._seconds)
        return answer

    def _token(
        self, tenant: Tenant, source: TenantConnector, grant: Grant, sending: Sending
    ) -> tuple[Token | Refused | Unreached, bool]:
        def ask() -> Token | Refused | Unreached:
            try:
                answer = self._carry(tenant, grant.build(sending))
            except NotSent as error:
                return Unreached(error.why)
            except MaybeSent:
                return Unreached(Why.BROKEN)
            granted = grant.read(answer)
            if granted is not None:
                bearer, life = granted
                return Token(sending, bearer, self._clock() + max(life - _EARLIER, life / 2))
            refused = 400 <= answer.status < 500 and answer.status not in {408, 429}
            return Refused(failure=Failure.ACCOUNT) if refused else Unreached(Why.BROKEN)

        return self._tokens.token(_place(tenant, source), sending, ask)


def _read(
    read_result: Callable[[HttpAnswer, Sending], SendResult], answer: HttpAnswer, sending: Sending
) -> SendResult:
    """What the answer says. It is read after the call: whatever goes wrong here, the text may have been sent."""
    try:
        return read_result(answer, sending)
    except Exception:  # noqa: BLE001 - see above
        return Unknown()


def _place(tenant: Tenant, source: TenantConnector) -> tuple[str, str]:
    return tenant.id, source.connector.name
