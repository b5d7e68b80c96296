"""From a request's bytes to a governed delivery: verify, decode, parse, drop what is foreign, govern. CPU only.

Every step is a plain function of what it is given, so that a large body can be worked on in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec.structs import replace

from connectors.contract import (
    Connector,
    Credentials,
    SignatureRefused,
    SignedRequest,
    WebhookAnswer,
    WebhookRequest,
)
from connectors.decode import MalformedPayload
from policies.event import DeliveryReported, Event, MessageEdited, MessageReceived, Noted, Unrecognised
from policies.message import Instant, Json, Private
from policies.tenant import Facts
from worker.govern import govern
from worker.inbound import Delivery, Governed, Posted
from worker.log.lines import Refusal
from worker.tenants.loading import Tenant, TenantConnector, Tenants

INTERNAL: Final = "internal"
"""Why of an authentic delivery that this code failed on: counted, answered 200, and a fault in the log."""

TOO_MANY: Final = "too_many"
"""Why of what stands for all that a delivery held beyond MOST_EMPTY."""

MOST_EMPTY: Final = 1000
"""Events without content that are told one by one: Meta's largest batch. Two bytes of a body are enough for one."""

_PREFIX = "/webhooks/"
_MOST_QUERY_FIELDS = 16
_NOTHING: Mapping[str, str] = {}
_our_id = re.compile("[0-9a-f]{32}")

Report = Callable[[Exception], None]


class Kind(StrEnum):
    """What is posted to a route. The last two are what Meta calls its callbacks."""

    DELIVERIES = "deliveries"
    DEAUTHORIZE = "deauthorize"
    DATA_DELETION = "data-deletion"


class Route(Private, frozen=True, kw_only=True):
    """What answers on one path.

    ``source`` is None while the tenant or connector is known and out of service; ``tenant`` is None for a
    stranger, whose requests are checked against secrets that nobody has: so they take their time too.
    ``headers`` are those that a signature is read from; ``url`` is the public address, where signatures cover it.
    """

    tenant_id: str
    connector: str
    kind: Kind = Kind.DELIVERIES
    tenant: Tenant | None = None
    source: TenantConnector | None = None
    headers: tuple[tuple[bytes, str], ...] = ()
    url: str = ""

    @property
    def is_stranger(self) -> bool:
        """Whether nobody configured this path."""
        return not self.tenant_id


def route_table(
    tenants: Tenants, connectors: Mapping[str, Connector], public_url: str = ""
) -> dict[bytes, Route]:
    """Every path that is known, exactly as it stands in a request line. ``public_url``: what platforms put before it."""
    routes: dict[bytes, Route] = {}
    for version in tenants.versions.values():
        tenant = version.tenant
        for source in tenant.connectors.values():
            routes |= {_path(route): route for route in _routes(source, tenant, public_url)}
        for name in version.out_of_service:
            routes |= {_path(route): route for route in _closed(tenant.id, connectors[name])}
    for id_ in tenants.refused:
        for connector in connectors.values():
            routes |= {_path(route): route for route in _closed(id_, connector)}
    return routes


def strangers(connectors: Mapping[str, Connector], public_url: str = "") -> dict[str, Route]:
    """By connector, the route of whoever asks for a tenant that does not exist."""
    nobody = Credentials(signing_secrets=(os.urandom(32),), verify_tokens=(os.urandom(32).hex().encode(),))
    sources = (
        TenantConnector(connector=connector, accounts=frozenset(), credentials=nobody)
        for connector in connectors.values()
    )
    return {source.connector.name: next(_routes(source, None, public_url)) for source in sources}


def _kinds(connector: Connector) -> tuple[Kind, ...]:
    return tuple(Kind) if connector.signed_request is not None else (Kind.DELIVERIES,)


def _routes(source: TenantConnector, tenant: Tenant | None, public_url: str) -> Iterator[Route]:
    connector = source.connector
    for kind in _kinds(connector):
        route = Route(
            tenant_id=tenant.id if tenant else "",
            connector=connector.name,
            kind=kind,
            tenant=tenant,
            source=source,
            headers=tuple((name.encode(), name) for name in connector.signature_headers),
        )
        yield replace(route, url=public_url + _path(route).decode()) if public_url else route


def _closed(tenant_id: str, connector: Connector) -> Iterator[Route]:
    for kind in _kinds(connector):
        yield Route(tenant_id=tenant_id, connector=connector.name, kind=kind)


def _path(route: Route) -> bytes:
    suffix = "" if route.kind is Kind.DELIVERIES else f"/{route.kind}"
    return f"{_PREFIX}{route.tenant_id}/{route.connector}{suffix}".encode()


def greet(source: TenantConnector, query: bytes) -> WebhookAnswer | None:
    """Answer a platform's challenge, or None where there is none."""
    request = WebhookRequest(method="GET", headers=_NOTHING, query=_fields(query))
    return source.connector.handshake(request, source.credentials)


def asked(
    route: Route, headers: Mapping[bytes, bytes], query: bytes, body: bytes, now: Instant
) -> WebhookRequest:
    """A delivery as its connector may see it: no header is copied but those that a signature is read from."""
    return WebhookRequest(
        method="POST",
        headers={name: headers[raw].decode("latin-1") for raw, name in route.headers if raw in headers},
        query=_fields(query) if query else _NOTHING,
        body=body,
        url=f"{route.url}?{query.decode('latin-1')}" if query and route.url else route.url,
        received_at=now,
    )


def admit(route: Route, request: WebhookRequest, token: Any, report: Report) -> Posted | Refusal:
    """The request when it is authentic, or why it is refused. Never raises; ``report`` is told of faults."""
    source, tenant = route.source, route.tenant
    if source is None:
        return Refusal.OUT_OF_SERVICE
    if not _is_authentic(source, request, report):
        return Refusal.UNKNOWN_ROUTE if tenant is None else Refusal.SIGNATURE
    if tenant is None:
        return Refusal.UNKNOWN_ROUTE
    return Posted(
        tenant=tenant,
        source=source,
        received_at=request.received_at,
        body=request.body,
        ours=_ours(source.connector, request),
        token=token,
    )


def examine(posted: Posted, report: Report) -> Delivery | None:
    """The governed delivery in a request's body, None when it is not JSON. Never raises.

    ``report`` is told of what should not have happened; what is authentic is a delivery all the same.
    """
    try:
        payload, replaced = posted.source.connector.decode(posted.body)
    except MalformedPayload:
        return None
    except Exception as error:  # noqa: BLE001 - a decoder that fails in another way found no JSON either
        report(error)
        return None
    now = posted.received_at
    facts = Facts(now=now, policy=posted.tenant.policy)
    events, foreign = _collect(posted, payload, facts, report)
    return Delivery(
        tenant=posted.tenant,
        source=posted.source,
        received_at=now,
        size=len(posted.body),
        events=events,
        foreign=foreign,
        replaced_characters=replaced,
        token=posted.token,
    )


def admit_large(route: Route, request: WebhookRequest, token: Any, report: Report) -> Delivery | Refusal:
    """Both steps at once, for a thread: a large body keeps neither the event loop nor the writer."""
    posted = admit(route, request, token, report)
    if isinstance(posted, Refusal):
        return posted
    return examine(posted, report) or Refusal.NOT_JSON


def verify_callback(route: Route, body: bytes, now: Instant, report: Report) -> SignedRequest | Refusal:
    """The verified request in the body of a deauthorise or data-deletion callback, or why there is none."""
    if route.source is None or route.source.connector.signed_request is None:
        return Refusal.OUT_OF_SERVICE
    try:
        return route.source.connector.signed_request(body, route.source.credentials, now)
    except SignatureRefused:
        return Refusal.SIGNATURE
    except Exception as error:  # noqa: BLE001 - what cannot be verified is not authentic
        report(error)
        return Refusal.SIGNATURE


def _is_authentic(source: TenantConnector, request: WebhookRequest, report: Report) -> bool:
    try:
        source.connector.verify(request, source.credentials)
    except SignatureRefused:
        return False
    except Exception as error:  # noqa: BLE001 - what cannot be verified is not authentic
        report(error)
        return False
    return True


def _ours(connector: Connector, request: WebhookRequest) -> str:
    """Our id in the address that the platform was given to report to; only a signed address is believed."""
    named = request.query.get("ref", "") if connector.signs_url else ""
    return named if _our_id.fullmatch(named) else ""


def _collect(posted: Posted, payload: Json, facts: Facts, report: Report) -> tuple[list[Governed], int]:
    """The tenant's own events, governed, and how many were somebody else's."""
    events: list[Governed] = []
    foreign = empty = 0
    accounts = posted.source.accounts
    try:
        for parsed in posted.source.connector.parse(payload, facts.now):
            event = _referred(parsed, posted.ours) if posted.ours else parsed
            own = event if event.account in accounts else _adopted(event, accounts)
            if own is None:
                foreign += 1
                continue
            is_empty = isinstance(own, (Noted, Unrecognised))
            empty += is_empty
            if empty <= MOST_EMPTY or not is_empty:
                events.append(govern(own, facts))
    except Exception as error:  # noqa: BLE001 - one bad item never fails its batch
        report(error)
        events.append(_counted(INTERNAL))
    if empty > MOST_EMPTY:
        events.append(_counted(TOO_MANY, f"x{empty - MOST_EMPTY}"))
    return events, foreign


def _referred(event: Event, ours: str) -> Event:
    return replace(event, ours=ours) if isinstance(event, DeliveryReported) and not event.ours else event


def _adopted(event: Event, accounts: frozenset[str]) -> Event | None:
    """What names no account is the tenant's, whose path and secret it came by, when it has but one.

    With several accounts it is nobody's: what holds no content may be counted, everything else is dropped.
    """
    if event.account:
        return None
    if len(accounts) == 1:
        (account,) = accounts
        if isinstance(event, (MessageReceived, MessageEdited)):
            return replace(event, account=account, message=replace(event.message, account=account))
        return replace(event, account=account)
    return event if isinstance(event, (Unrecognised, Noted)) else None


def _counted(why: str, shape: str = "") -> Governed:
    return Governed(Unrecognised(account="", shape=shape, why=why))


def _fields(query: bytes) -> dict[str, str]:
    try:
        text = query.decode("latin-1")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS))
    except ValueError:
        return {}
