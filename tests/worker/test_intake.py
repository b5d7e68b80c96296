"""The public listener over real sockets: what is taken, what is refused and how, and that nothing is shown.

The ledger is a stand-in that answers as a case wants it; tests/worker/test_runtime.py has the real one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec
import pytest

from connectors import meta, registry, sample
from connectors.contract import Connector, Credentials, SignedRequest, WebhookAnswer, WebhookRequest
from policies.event import (
    AccountAspect,
    AccountChanged,
    AccountState,
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageReceived,
    Noted,
    Unrecognised,
)
from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Message,
    MessageKind,
)
from policies.tenant import TenantPolicy
from tests.collected import Collected
from worker.inbound import Answer, Answers, Delivery, Posted
from worker.intake import protocol
from worker.intake.admission import MOST_EMPTY, TOO_MANY, Route, admit, asked, examine
from worker.intake.app import LARGE_BODY, SMALL_BODY, Found, Intake, Limits, Listeners
from worker.intake.protocol import Guard, GuardedConfig
from worker.log.lines import FaultLine, HandshakeLine, Place, Refusal, RefusalLine
from worker.metrics import Metrics
from worker.observe import Observer
from worker.tenants.loading import Tenant, TenantConnector, Tenants, Version

SECRET, PREVIOUS, TOKEN = b"current-secret", b"previous-secret", b"verify-me"
CANARY = "canary-8d1f"
NOW = 1_795_253_400_000_000


def _message(account: str, text: str) -> MessageReceived:
    message = Message(
        channel=Channel.WHATSAPP,
        account=account,
        id=f"id-{text}",
        direction=Direction.INBOUND,
        kind=MessageKind.TEXT,
        person=(Identifier(kind=IdentifierKind.PHONE, value="0"),),
        occurred_at=NOW,
        content=Content(text=text),
    )
    return MessageReceived(account=account, message=message)


PARSED_ON: list[str] = []


def parse(payload: Any, _now: int) -> Iterator[Event]:
    """A wire format for tests: a list of [account, text]; some texts ask for other things."""
    PARSED_ON.append(threading.current_thread().name)
    for account, text in payload:
        if text == "raise":
            raise ValueError(CANARY)
        if text == "shape":
            yield Unrecognised(account=account, shape="{}", why="unknown_item")
        elif text == "noted":
            yield Noted(account=account, what="typing")
        elif text == "account":
            aspect, state = AccountAspect.ACCOUNT, AccountState.ACTIVE
            yield AccountChanged(account=account, aspect=aspect, state=state, occurred_at=NOW)
        else:
            yield _message(account, text)


def _failing_verify(_request: WebhookRequest, _credentials: object) -> None:
    raise RuntimeError(CANARY)


def _failing_handshake(_request: WebhookRequest, _credentials: object) -> WebhookAnswer | None:
    raise RuntimeError(CANARY)


WHATSAPP = Connector(
    name="whatsapp",
    channel=Channel.WHATSAPP,
    handshake=meta.handshake,
    verify=meta.verify,
    parse=parse,
    signature_headers=(meta.SIGNATURE_HEADER,),
    sample_signature=meta.sample_signature,
    signed_request=meta.signed_request,
)
X = msgspec.structs.replace(
    WHATSAPP,
    name="x",
    channel=Channel.X,
    verify=_failing_verify,
    handshake=_failing_handshake,
    signed_request=None,
)
TWILIO = registry.CONNECTORS["sms-twilio"]
CONNECTORS = {"whatsapp": WHATSAPP, "x": X, "sms-twilio": TWILIO}
PUBLIC_URL = "https://hooks.example.org"

CREDENTIALS = Credentials(signing_secrets=(SECRET, PREVIOUS), verify_tokens=(TOKEN,))


def _tenant(id_: str, *accounts: str) -> Tenant:
    sources = {
        connector.name: TenantConnector(
            connector=connector, accounts=frozenset(accounts), credentials=CREDENTIALS
        )
        for connector in CONNECTORS.values()
    }
    return Tenant(id=id_, name=id_, policy=TenantPolicy(), policy_digest="digest", connectors=sources)


TENANTS = Tenants(
    versions={
        "acme": Version(tenant=_tenant("acme", "1", "3")),
        "small": Version(tenant=_tenant("small", "1")),
        "half": Version(
            tenant=msgspec.structs.replace(_tenant("half"), connectors={}), out_of_service=frozenset({"x"})
        ),
    },
    refused=frozenset({"broken"}),
)


class Ledger:
    """Takes what is posted, looks into it as the writer does, and answers as told."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.accept = True
        self.answer: Answer | None = Answer.COMMITTED
        self.answers: Answers = lambda _batch: None
        self.report: Callable[[Exception], None] = lambda _error: None

    def submit(self, posted: Delivery | Posted) -> bool:
        if not self.accept:
            return False
        threading.Thread(target=self.write, args=(posted,), name="ledger").start()
        return True

    def write(self, posted: Delivery | Posted) -> None:
        delivery = examine(posted, self.report) if isinstance(posted, Posted) else posted
        if delivery is None:
            self.answers([(posted, Answer.NOT_JSON)])
            return
        self.taken.append(delivery)
        if self.answer is not None:
            self.answers([(delivery, self.answer)])


class Callbacks:
    """Keeps callbacks in memory."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, str, str]] = []
        self.failing = False

    def record(self, route: Route, signed: SignedRequest, now: int) -> str:
        if self.failing:
            raise OSError(CANARY)
        self.recorded.append((route.tenant_id, str(route.kind), signed.user_id))
        return "c0de"

    def find(self, tenant: str, code: str) -> Found | None:
        if self.failing:
            raise OSError(CANARY)
        return Found(status="<received>", received_at=NOW) if (tenant, code) == ("acme", "c0de") else None


class House:
    """A listener with everything around it."""

    def __init__(self, **changed: Any) -> None:
        self.log = Collected()
        self.metrics = Metrics("test")
        self.observer = Observer(self.log, self.metrics, lambda: NOW)
        self.ledger = Ledger()
        self.callbacks = Callbacks()
        limits = Limits(
            body_bytes=changed.get("body_bytes", 1 << 20),
            bytes_in_flight=changed.get("bytes_in_flight", 8 << 20),
            answer_seconds=changed.get("answer_seconds", 5),
            retry_after_seconds=7,
        )
        self.intake = Intake(CONNECTORS, limits, self.observer, self.callbacks, lambda: NOW, PUBLIC_URL)
        self.intake.submit = self.ledger.submit
        self.ledger.report = partial(self.observer.fault, Place.INTAKE)
        self.ledger.answers = self.intake.answers
        self.intake.serve(TENANTS)
        guard = Guard(
            max_connections=changed.get("max_connections", 50),
            max_header_bytes=4096,
            header_seconds=changed.get("header_seconds", 5),
            request_seconds=changed.get("request_seconds", 5),
            refused=lambda refusal: self.observer.refused(refusal, 0),
        )
        self.socket = _listening()
        self.port = self.socket.getsockname()[1]
        config = GuardedConfig(
            self.intake, guard, idle_seconds=5, drain_seconds=changed.get("drain_seconds", 5)
        )
        other = GuardedConfig(self.intake, guard, idle_seconds=5, drain_seconds=5)
        self.listeners = Listeners(
            self.intake, (config, self.socket), (other, _listening()), lambda _loop: None
        )
        self.listeners.start()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=10)

    def close(self) -> None:
        self.client.close()
        assert self.listeners.drain(10)
        assert self.listeners.stop(10)

    def post(
        self, items: Any = (("1", "hello"),), path: str = "/webhooks/acme/whatsapp", **more: Any
    ) -> httpx.Response:
        body = items if isinstance(items, bytes) else json.dumps(items).encode()
        headers = {**signature(body), **more.pop("headers", {})}
        return self.client.post(path, content=body, headers=headers, **more)

    def raw(self, data: bytes) -> bytes:
        """What comes back for these bytes until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            return _read_answer(connection)

    @property
    def refusals(self) -> list[Refusal]:
        return [line.refusal for line in self.log.lines if isinstance(line, RefusalLine)]

    @property
    def faults(self) -> list[FaultLine]:
        return [line for line in self.log.lines if isinstance(line, FaultLine)]


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _read_answer(connection: socket.socket) -> bytes:
    """One answer with its body, or what came until the end."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if length and len(body) >= int(length[0].split(b":")[1]):
            break
    return data


def signature(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret, body, "sha256").hexdigest()}


@contextmanager
def running(**changed: Any) -> Iterator[House]:
    house = House(**changed)
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    with running() as house:
        yield house


@pytest.fixture
def house(shared: House) -> House:
    """The module's listener, with nothing left over from another test."""
    shared.log.lines.clear()
    shared.ledger.taken.clear()
    shared.ledger.accept, shared.ledger.answer = True, Answer.COMMITTED
    shared.callbacks.failing = False
    return shared


# -- what is taken -----------------------------------------------------------------------------------------------


def test_an_authentic_delivery_is_answered_after_its_commit(house: House) -> None:
    """200 and two letters; the ledger got the governed events of the tenant that the path names."""
    answer = house.post()
    (delivery,) = house.ledger.taken
    assert (answer.status_code, answer.text) == (200, "ok")
    assert (delivery.tenant.id, delivery.source.connector.name) == ("acme", "whatsapp")
    assert (delivery.received_at, delivery.size) == (NOW, len(json.dumps([["1", "hello"]])))
    assert [type(item.event) for item in delivery.events] == [MessageReceived]
    assert house.intake.bytes_in_flight == 0
    assert "server" not in answer.headers


OURS = "0123456789abcdef0123456789abcdef"
ECHO = f"/webhooks/small/sms-twilio?ref={OURS}"


def post_form(house: House, path: str, signed_for: str = "", **fields: str) -> httpx.Response:
    """A report of Twilio's about a text of account "1", signed for the public address (or another)."""
    given = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "1", "To": "+12025550123"} | fields
    body = urlencode(given).encode()
    headers = sample.signed(TWILIO, body, SECRET, url=signed_for or PUBLIC_URL + path)
    return house.client.post(path, content=body, headers=headers)


def test_twilio_is_answered_without_a_word(house: House) -> None:
    """What stands in the answer to a text is sent to its sender as a text."""
    answer = post_form(
        house, "/webhooks/small/sms-twilio", Body="hello", SmsStatus="received", MessageStatus="", To="1"
    )
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")


def test_a_signature_over_the_address_is_checked_with_the_public_one(house: House) -> None:
    """Not with the one that this listener was called by, nor with a Host that the sender chose."""
    assert post_form(house, ECHO).status_code == 200
    for wrong in (f"http://127.0.0.1:{house.port}{ECHO}", f"{PUBLIC_URL}/webhooks/acme/sms-twilio"):
        assert post_form(house, ECHO, signed_for=wrong).status_code == 401


@pytest.mark.parametrize(
    ("query", "ours"),
    [
        (f"?ref={OURS}", OURS),
        (f"?a=b&ref={OURS}", OURS),
        ("", ""),
        ("?ref=", ""),
        (f"?ref={OURS.upper()}", ""),
        (f"?ref={OURS}0", ""),
        ("?ref=%00", ""),
        ("?" + "a=b&" * 40 + f"ref={OURS}", ""),
    ],
)
def test_our_id_comes_back_in_a_signed_address(house: House, query: str, ours: str) -> None:
    """A report names our text by the address that Twilio was given for it; anything else there is nothing."""
    assert post_form(house, "/webhooks/small/sms-twilio" + query).status_code == 200
    (delivery,) = house.ledger.taken
    (event,) = (item.event for item in delivery.events)
    assert isinstance(event, DeliveryReported)
    assert event.ours == ours


def test_an_address_that_is_not_signed_names_nothing() -> None:
    """Anybody can add a parameter to it."""
    source = TenantConnector(
        connector=msgspec.structs.replace(
            TWILIO, signs_url=False, verify=lambda _request, _credentials: None
        ),
        accounts=frozenset({"1"}),
        credentials=CREDENTIALS,
    )
    tenant = msgspec.structs.replace(_tenant("acme"), connectors={"sms-twilio": source})
    route = Route(tenant_id="acme", connector="sms-twilio", tenant=tenant, source=source)
    request = asked(route, {}, f"ref={OURS}".encode(), b"MessageSid=SM1&MessageStatus=sent&From=1", NOW)
    posted = admit(route, request, None, _raise)
    assert isinstance(posted, Posted)
    delivery = examine(posted, _raise)
    assert delivery is not None
    assert [item.event for item in delivery.events] == [
        DeliveryReported(account="1", message_id="SM1", status=DeliveryStatus.SENT, occurred_at=NOW)
    ]


def _raise(error: Exception) -> None:
    raise error


def test_the_previous_secret_of_the_ring_still_signs(house: House) -> None:
    """A rotation loses no delivery."""
    body = b"[]"
    assert house.post(body, headers=signature(body, PREVIOUS)).status_code == 200


def test_other_peoples_events_are_dropped_before_the_ledger(house: House) -> None:
    """Only the tenant's own accounts pass; what names no account passes only when it holds nothing."""
    items = [
        ("2", "theirs"),
        ("1", "ours"),
        ("", "nobodys"),
        ("", "shape"),
        ("", "noted"),
        ("", "account"),
        ("2", "shape"),
    ]
    assert house.post(items).status_code == 200
    (delivery,) = house.ledger.taken
    assert delivery.foreign == 4
    assert [type(item.event) for item in delivery.events] == [MessageReceived, Unrecognised, Noted]


def test_what_names_no_account_belongs_to_a_tenant_that_has_but_one(house: House) -> None:
    """It came by this tenant's path under this tenant's secret: there is nobody else whose it could be."""
    items = [("", "ours"), ("2", "theirs"), ("", "account")]
    assert house.post(items, path="/webhooks/small/whatsapp").status_code == 200
    (delivery,) = house.ledger.taken
    assert delivery.foreign == 1
    assert [item.event.account for item in delivery.events] == ["1", "1"]
    message, _account = (item.event for item in delivery.events)
    assert isinstance(message, MessageReceived)
    assert message.message.account == "1"


def test_a_delivery_of_nothing_but_foreign_events_is_answered_200(house: House) -> None:
    """The platform did its part; what it sent is counted and dropped."""
    assert house.post([("2", "theirs")]).status_code == 200
    assert [(d.foreign, list(d.events)) for d in house.ledger.taken] == [(1, [])]


def test_one_bad_item_never_fails_its_batch(house: House) -> None:
    """What came before a failure of ours is kept, the failure is counted, and nothing of it is shown."""
    assert house.post([("1", "before"), ("1", "raise"), ("1", "after")]).status_code == 200
    (delivery,) = house.ledger.taken
    kept = [item.event for item in delivery.events]
    assert isinstance(kept[0], MessageReceived)
    assert isinstance(kept[1], Unrecognised)
    assert (kept[1].why, len(kept)) == ("internal", 2)
    assert house.faults[0].exception == "ValueError"
    assert CANARY not in str(house.log.lines)


def test_what_holds_nothing_is_told_one_by_one_up_to_a_thousand(house: House) -> None:
    """Two bytes could ask for a decision and a line each; what has content is kept however much stands before it."""
    nothing = [("1", "shape"), ("", "noted")] * 700
    assert house.post([*nothing, ("1", "hello")]).status_code == 200
    (delivery,) = house.ledger.taken
    *told, message, rest = [item.event for item in delivery.events]
    assert len(told) == MOST_EMPTY
    assert isinstance(message, MessageReceived)
    assert isinstance(rest, Unrecognised)
    assert (rest.account, rest.why, rest.shape) == ("", TOO_MANY, "x400")


@pytest.mark.parametrize("length", [LARGE_BODY - 1000, LARGE_BODY + 1000])
def test_a_large_body_keeps_neither_the_loop_nor_the_writer(length: int, house: House) -> None:
    """Nobody else waits for it; small ones are looked into by the writer, a batch at a time."""
    PARSED_ON.clear()
    assert house.post([("1", "x" * length)]).status_code == 200
    assert PARSED_ON[0].startswith("large-body" if length > LARGE_BODY else "ledger")


def _chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _signed_head(body: bytes, *lines: bytes, path: bytes = b"/webhooks/acme/whatsapp") -> bytes:
    signed = signature(body)["x-hub-signature-256"].encode()
    return b"\r\n".join(
        (b"POST %b HTTP/1.1" % path, b"host: h", b"x-hub-signature-256: " + signed, *lines, b"", b"")
    )


def test_a_body_in_chunks_is_one_body(house: House) -> None:
    """Proxies may not know the length beforehand."""
    body = json.dumps([("1", "hello")]).encode()
    answer = house.raw(_signed_head(body, b"transfer-encoding: chunked") + _chunked(body[:3], body[3:]))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert house.intake.bytes_in_flight == 0


def test_requests_that_come_together_are_answered_in_order(house: House) -> None:
    """Pipelining is allowed; the answers keep the order of the requests."""
    good = json.dumps([("1", "hello")]).encode()
    first = _signed_head(good, b"content-length: %d" % len(good)) + good
    second = b"POST /webhooks/acme/whatsapp HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]"
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(first + second)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert re.findall(rb"HTTP/1\.1 (\d+)", data) == [b"200", b"401"]


# -- what is refused ---------------------------------------------------------------------------------------------

BAD_SIGNATURES = {
    "absent": {"x-hub-signature-256": ""},
    "another secret": signature(b"[]", b"somebody else's"),
    "another body": signature(b"[ ]"),
    "no prefix": {"x-hub-signature-256": hmac.new(SECRET, b"[]", "sha256").hexdigest()},
    "cut off": {"x-hub-signature-256": signature(b"[]")["x-hub-signature-256"][:-1]},
    "upper case": {"x-hub-signature-256": signature(b"[]")["x-hub-signature-256"].upper()},
    "not ASCII": {"x-hub-signature-256": "sha256=\xe9"},
}


@pytest.mark.parametrize("name", BAD_SIGNATURES)
def test_a_bad_signature_is_401(name: str, house: House) -> None:
    """One answer for every way in which a signature is wrong, and nothing reaches the ledger."""
    headers = {key: value.encode("latin-1") for key, value in BAD_SIGNATURES[name].items()}
    answer = house.client.post("/webhooks/acme/whatsapp", content=b"[]", headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.text) == (401, "signature refused\n")
    assert house.ledger.taken == []
    assert house.refusals == [Refusal.SIGNATURE]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("GET", "/webhooks", 404),
        ("POST", "/webhooks/nobody/whatsapp", 404),
        ("POST", "/webhooks/acme/fax", 404),
        ("POST", "/webhooks/acme/whatsapp/", 404),
        ("POST", "/webhooks/acme/whatsapp/x", 404),
        ("POST", "/webhooks/ACME/whatsapp", 404),
        ("POST", "/webhooks/%61cme/whatsapp", 404),
        ("POST", "/webhooks/../webhooks/acme/whatsapp", 404),
        ("POST", "/webhooks/acme%2Fwhatsapp", 404),
        ("POST", "//webhooks/acme/whatsapp", 404),
        ("POST", "/webhooks/acme\u00e9/whatsapp", 404),
        ("GET", "/webhooks/nobody/whatsapp", 404),
        ("DELETE", "/webhooks/nobody/whatsapp", 404),
        ("DELETE", "/webhooks/acme/whatsapp", 405),
        ("PUT", "/webhooks/acme/whatsapp", 405),
        ("HEAD", "/webhooks/acme/whatsapp", 405),
        ("GET", "/webhooks/acme/whatsapp/data-deletion", 405),
        ("POST", "/data-deletion/acme/c0de", 404),
        ("POST", "/webhooks/half/x", 503),
        ("GET", "/webhooks/half/x", 503),
        ("POST", "/webhooks/half/whatsapp", 404),
        ("POST", "/webhooks/broken/whatsapp", 503),
        ("POST", "/webhooks/broken/x", 503),
        ("POST", "/webhooks/broken/fax", 404),
    ],
)
def test_paths_and_methods(method: str, path: str, status: int, house: House) -> None:
    """A path is known exactly as it is configured, or not at all; a tenant out of service asks to come back."""
    line = f"{method} {quote(path, safe='/%.')} HTTP/1.1\r\n"
    answer = house.raw(line.encode() + b"host: h\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    assert int(answer.split()[1]) == status
    assert (b"retry-after: 7" in answer) == (status == 503)
    assert house.ledger.taken == []


def test_a_stranger_is_checked_like_everybody_else(house: House) -> None:
    """The signature of a request for an unknown tenant is computed all the same: it takes its time."""
    assert house.post(path="/webhooks/nobody/x").status_code == 404
    assert house.client.get("/webhooks/nobody/x").status_code == 503
    assert len(house.faults) == 2  # this connector's verify and handshake raise: they were asked


def test_no_secret_opens_a_strangers_path(house: House) -> None:
    """Secrets of tenants are worth nothing where there is no tenant."""
    for secret in (SECRET, PREVIOUS, b""):
        body = b"[]"
        assert (
            house.post(body, path="/webhooks/nobody/whatsapp", headers=signature(body, secret)).status_code
            == 404
        )
    assert house.ledger.taken == []


@pytest.mark.parametrize("encoding", ["gzip", "identity", "br", ""])
def test_an_encoded_body_is_415(encoding: str, house: House) -> None:
    """Signatures are over the bytes that came; nobody unpacks anything here."""
    assert house.post(headers={"content-encoding": encoding}).status_code == 415


def test_a_declared_length_above_the_cap_is_413_unread(house: House) -> None:
    """The refusal comes before the body."""
    answer = house.raw(_signed_head(b"", b"content-length: 1048577"))
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_chunks_above_the_cap_are_413(house: House) -> None:
    """A length that is not declared is counted as it comes."""
    answer = house.raw(_signed_head(b"", b"transfer-encoding: chunked") + _chunked(*[b"x" * 65536] * 17))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert house.intake.bytes_in_flight == 0


def test_a_body_that_is_not_json_is_400(house: House) -> None:
    """Authentic, and no JSON at all: said as it is."""
    assert house.post(CANARY.encode()).status_code == 400
    assert house.post(b"[" * 100_000).status_code == 400
    assert house.refusals == [Refusal.NOT_JSON] * 2


def test_a_verification_that_fails_unexpectedly_is_401(house: House) -> None:
    """What cannot be verified is not authentic, whatever the reason."""
    assert house.post(path="/webhooks/acme/x").status_code == 401
    assert house.faults[0].exception == "RuntimeError"


def test_a_handshake_that_fails_unexpectedly_is_503(house: House) -> None:
    """Never a 500, and nothing of the failure in the answer."""
    answer = house.client.get("/webhooks/acme/x")
    assert (answer.status_code, answer.text) == (503, "come back later\n")


def test_a_full_queue_is_503_with_retry_after(house: House) -> None:
    """The platform is the queue in front of the queue."""
    house.ledger.accept = False
    answer = house.post()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert house.refusals == [Refusal.QUEUE_FULL]


def test_a_failed_commit_is_503_with_retry_after(house: House) -> None:
    """200 means on disk; anything else means come back."""
    house.ledger.answer = Answer.UNAVAILABLE
    answer = house.post()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert house.refusals == [Refusal.NOT_COMMITTED]


def test_a_commit_that_takes_too_long_is_503() -> None:
    """Platforms hang up after ten seconds; it is better to have told them to come back."""
    with running(answer_seconds=0.5) as house:
        house.ledger.answer = None
        assert house.post().status_code == 503
        # The late answer finds nobody waiting, and that is no fault.
        house.intake.answers([(house.ledger.taken[0], Answer.COMMITTED)])
        house.ledger.answer = Answer.COMMITTED
        assert house.post().status_code == 200
        assert house.faults == []


def test_more_bytes_than_may_be_in_flight_are_503() -> None:
    """All large bodies together have a bound, declared or not, and it is free again afterwards."""
    with running(bytes_in_flight=2 * SMALL_BODY) as house:
        body = b"[" + b" " * 2 * SMALL_BODY + b"]"
        assert house.post(body).status_code == 503
        answer = house.raw(_signed_head(body, b"transfer-encoding: chunked") + _chunked(body))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert house.intake.bytes_in_flight == 0
        assert house.post(body[:1] + body[-SMALL_BODY:]).status_code == 200
        assert house.refusals == [Refusal.BUSY] * 2


def test_announced_bodies_keep_nobody_out() -> None:
    """Room is taken by what came, not by what was promised: a head costs nothing."""
    with running(bytes_in_flight=2 * SMALL_BODY) as house:
        promises = [_begun(house, _signed_head(b"", b"content-length: 131072")) for _ in range(20)]
        assert house.post(b"[" + b" " * (SMALL_BODY + 1) + b"]").status_code == 200
        _end(promises)


def test_large_bodies_that_never_end_keep_no_small_one_out() -> None:
    """Whoever holds all the room there is holds it against other large bodies alone."""
    with running(bytes_in_flight=2 * SMALL_BODY) as house:
        begin = _signed_head(b"", b"transfer-encoding: chunked") + b"fffff\r\n" + b" " * (SMALL_BODY - 1)
        held = [_begun(house, begin) for _ in range(3)]
        _until(lambda: house.intake.bytes_in_flight > 2 * SMALL_BODY)
        assert house.post(b"[" + b" " * SMALL_BODY + b"]").status_code == 503
        assert house.post(b"[" + b" " * (SMALL_BODY - 2) + b"]").status_code == 200
        _end(held)
        _until(lambda: house.intake.bytes_in_flight == 0)
        assert house.post(b"[" + b" " * SMALL_BODY + b"]").status_code == 200


def _begun(house: House, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", house.port), timeout=10)
    connection.sendall(data)
    return connection


def _end(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def test_a_sender_that_hangs_up_in_its_body_frees_what_it_held(house: House) -> None:
    """Nothing stays behind of a request that never came to its end."""
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(_signed_head(b"", b"content-length: 100000") + b"[")
        _until(lambda: house.intake.bytes_in_flight == 1)
    _until(lambda: house.intake.bytes_in_flight == 0)
    assert house.refusals == [Refusal.DISCONNECTED]


def _until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- HTTP that is none ---------------------------------------------------------------------------------------------

BODY = b"[]"
SIGNED = b"x-hub-signature-256: " + signature(BODY)["x-hub-signature-256"].encode()
LINE = b"POST /webhooks/acme/whatsapp HTTP/1.1\r\nhost: h\r\n" + SIGNED + b"\r\n"

MALFORMED = {
    "both lengths": LINE + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n" + _chunked(BODY),
    "both lengths the other way": LINE
    + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n"
    + _chunked(BODY),
    "two lengths": LINE + b"content-length: 2\r\ncontent-length: 3\r\n\r\n[]",
    "two lengths in one": LINE + b"content-length: 2, 2\r\n\r\n[]",
    "signed length": LINE + b"content-length: +2\r\n\r\n[]",
    "hexadecimal length": LINE + b"content-length: 0x2\r\n\r\n[]",
    "length beyond 64 bits": LINE + b"content-length: 99999999999999999999999\r\n\r\n[]",
    "gzip and chunked": LINE + b"transfer-encoding: gzip, chunked\r\n\r\n" + _chunked(BODY),
    "chunked twice": LINE
    + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"
    + _chunked(BODY),
    "chunked not last": LINE + b"transfer-encoding: chunked, identity\r\n\r\n" + _chunked(BODY),
    "odd chunked": LINE + b"transfer-encoding: xchunked\r\n\r\n" + _chunked(BODY),
    "space before the colon": LINE + b"transfer-encoding : chunked\r\n\r\n" + _chunked(BODY),
    "folded header": LINE + b"content-length: 2\r\nx: a\r\n b\r\n\r\n[]",
    "bare carriage return": LINE + b"x: a\rcontent-length: 2\r\n\r\n[]",
    "NUL in a header": LINE + b"x: a\0b\r\ncontent-length: 2\r\n\r\n[]",
    "bad chunk size": LINE + b"transfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
    "negative chunk size": LINE + b"transfer-encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
    "field after the body": LINE + b"transfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nx: y\r\n\r\n",
    "signature after the body": LINE.partition(b"x-hub")[0]
    + b"transfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n"
    + SIGNED
    + b"\r\n\r\n",
    "no such method": b"BREW /webhooks/acme/whatsapp HTTP/1.1\r\n\r\n",
    "no such protocol": b"POST /webhooks/acme/whatsapp HTCPCP/1.0\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "tunnel": b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n",
    "path that is not ASCII": b"POST /webhooks/acm\xe9/whatsapp HTTP/1.1\r\nhost: h\r\n\r\n",
    "upgrade": LINE + b"connection: Upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n[]",
    "nonsense": b"\r\n\r\n\x00\xff" + CANARY.encode() + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_request_that_could_be_read_in_two_ways_is_400(name: str, house: House) -> None:
    """Whatever a proxy in front might read differently is not read at all, and the connection ends."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(MALFORMED[name])
        answer = _read_answer(connection)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.endswith(b"bad request\n")
        assert connection.recv(1) == b""
    assert house.ledger.taken == []
    _until(lambda: house.intake.bytes_in_flight == 0)
    assert set(house.refusals) <= {Refusal.MALFORMED_HTTP, Refusal.DISCONNECTED}
    assert CANARY not in str(house.log.lines)


def test_what_is_malformed_after_a_good_request_is_not_taken_for_its_answer(house: House) -> None:
    """While the first answer is outstanding, no other is written in its place."""
    house.ledger.answer = None
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(LINE + b"content-length: 2\r\n\r\n[]")
        _until(lambda: len(house.ledger.taken) == 1)
        connection.sendall(b"nonsense\r\n\r\n")
        assert _read_answer(connection) == b""
    house.intake.answers([(house.ledger.taken[0], Answer.COMMITTED)])


_CHUNKED_HEAD = (
    b"POST /webhooks/acme/whatsapp HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n"
)

ENDLESS = {
    "header": b"POST / HTTP/1.1\r\nx: ",
    "target": b"GET /",
    "trailer": _CHUNKED_HEAD + b"0\r\nx: ",
    "chunk extension": _CHUNKED_HEAD + b"2;x=",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_field_is_431(name: str, house: House) -> None:
    """The parser would collect it for ever."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(ENDLESS[name] + b"y" * 1000)
        time.sleep(0.05)
        connection.sendall(b"y" * 5000)
        assert _read_answer(connection).startswith(b"HTTP/1.1 431 ")
    _until(lambda: house.intake.bytes_in_flight == 0)
    assert set(house.refusals) - {Refusal.DISCONNECTED} == {Refusal.HEADERS_TOO_LARGE}


def test_a_header_above_the_cap_is_431_however_it_is_cut(house: House) -> None:
    """The same header gets the same answer in one piece and in many; a large body beside a small header is none."""
    fields = b"x: " + b"y" * 4000 + b"\r\n"
    assert house.raw(LINE + fields + b"content-length: 2\r\n\r\n[]").startswith(b"HTTP/1.1 431 ")
    body = b"[" + b" " * 20_000 + b"]"
    assert house.raw(_signed_head(body, b"content-length: %d" % len(body)) + body).startswith(
        b"HTTP/1.1 200 "
    )


def test_requests_in_advance_are_bounded(house: House) -> None:
    """Each that waits for the one before it costs a hundred times the bytes that it was sent in."""
    house.ledger.answer = None
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(LINE + b"content-length: 2\r\n\r\n[]" + b"GET / HTTP/1.1\r\n\r\n" * 100)
        assert _read_answer(connection) == b""
    assert house.refusals == [Refusal.MALFORMED_HTTP]


def test_answers_that_nobody_reads_end_the_connection() -> None:
    """Whoever asks and does not listen would keep a connection for ever."""
    with running(request_seconds=1.2) as house, socket.socket() as connection:
        house.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(0.5)
        connection.connect(("127.0.0.1", house.port))
        server, asked = house.listeners._webhooks.server_state, 0
        while server.total_requests == asked:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 16)
            asked += 16
            with suppress(AssertionError):  # until no answer goes out any more
                _until(lambda: server.total_requests == asked, 0.5)  # noqa: B023 - asked in this round
        assert len(server.connections) == 1
        _until(lambda: not server.connections)
        assert house.refusals[-1] is Refusal.TOO_SLOW


SLOW = {
    "says nothing": (b"", b""),
    "drips line ends": (b"", b"\r\n"),
    "drips headers": (b"POST /webhooks/acme/whatsapp HTTP/1.1\r\n", b"x: y\r\n"),
    "drips a second request": (LINE + b"content-length: 2\r\n\r\n[]POST / HTTP/1.1\r\n", b"x: y\r\n"),
    "drips line ends after a request": (LINE + b"content-length: 2\r\n\r\n[]", b"\r\n"),
    "drips its body": (LINE + b"content-length: 1000\r\n\r\n", b" "),
    "drips chunks": (LINE + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "drips after its refusal": (b"POST /nowhere HTTP/1.1\r\ncontent-length: 1000\r\n\r\n", b" "),
}


def test_slow_senders_are_cut_off() -> None:
    """Each keeps its connection for the time that it is given, however busy it looks; others are served."""
    with running(header_seconds=0.6, request_seconds=1.2) as house:
        drips = {name: socket.create_connection(("127.0.0.1", house.port), timeout=0.05) for name in SLOW}
        for name, connection in drips.items():
            connection.sendall(SLOW[name][0])
        ended: set[str] = set()
        deadline = time.monotonic() + 6
        while len(ended) < len(drips) and time.monotonic() < deadline:
            ended |= {name for name, connection in drips.items() if _is_cut_off(connection, SLOW[name][1])}
            assert house.post().status_code == 200
        assert ended == set(SLOW)
        assert house.refusals.count(Refusal.TOO_SLOW) == len(SLOW)
        for connection in drips.values():
            connection.close()


def _is_cut_off(connection: socket.socket, drip: bytes) -> bool:
    try:
        if drip:
            connection.sendall(drip)
        while chunk := connection.recv(65536):
            del chunk
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_too_many_connections_are_turned_away() -> None:
    """Those that have begun with something go on."""
    with running(max_connections=3) as house:
        others = [_begun(house, LINE) for _ in range(3)]
        connections: set[Any] = house.listeners._webhooks.server_state.connections
        _until(lambda: all(one._overhead for one in connections))
        others.append(_begun(house, b""))
        assert _read_answer(others[-1]).startswith(b"HTTP/1.1 503 ")
        others[0].sendall(b"content-length: 2\r\n\r\n[]")
        assert _read_answer(others[0]).startswith(b"HTTP/1.1 200 ")
        assert house.refusals == [Refusal.TOO_MANY_CONNECTIONS]
        _end(others)


@pytest.mark.parametrize("said", [b"", LINE + b"content-length: 2\r\n\r\n[]"])
def test_who_has_nothing_to_say_keeps_nobody_out(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent connections, before a request and after one, make room for whoever comes."""
    monkeypatch.setattr(protocol, "_IDLE_SECONDS", 0.5)
    with running(max_connections=3, header_seconds=60) as house:
        idle = [_begun(house, said) for _ in range(3)]
        assert not said or [_read_answer(one)[9:12] for one in idle] == [b"200"] * 3
        newcomer = _begun(house, b"")
        assert _read_answer(newcomer).startswith(b"HTTP/1.1 503 ")  # a moment is granted to everybody
        time.sleep(0.6)
        assert [house.post().status_code for _ in range(3)] == [200] * 3
        busy = [_begun(house, LINE) for _ in range(2)]
        assert house.post().status_code == 200
        assert len([one for one in idle if _is_cut_off(one, b"")]) == 3
        _end([*idle, *busy, newcomer])


# -- handshakes, callbacks, pages ----------------------------------------------------------------------------------


def _hub(**changed: str) -> dict[str, str]:
    fields = {"mode": "subscribe", "verify_token": TOKEN.decode(), "challenge": "1158201444"} | changed
    return {f"hub.{name}": value for name, value in fields.items()}


def test_a_handshake_is_answered_without_store_or_ledger(house: House) -> None:
    """The bare challenge; the store may be down."""
    house.ledger.accept = False
    house.callbacks.failing = True
    answer = house.client.get("/webhooks/acme/whatsapp", params=_hub())
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert [type(line) for line in house.log.lines] == [HandshakeLine]
    assert house.observer.handshakes == {("acme", "whatsapp"): NOW}


@pytest.mark.parametrize(
    ("params", "status"),
    [
        (_hub(verify_token="wrong"), 403),
        (_hub(mode="unsubscribe"), 403),
        (_hub(challenge="<script>"), 403),
        ({}, 400),
        ({f"field{number}": "x" for number in range(100)}, 400),
    ],
)
def test_a_wrong_handshake_is_refused(params: dict[str, str], status: int, house: House) -> None:
    """A wrong token is 403, no handshake at all 400; nothing that was sent is repeated."""
    answer = house.client.get("/webhooks/acme/whatsapp", params=params)
    assert answer.status_code == status
    assert "script" not in answer.text


def _signed_request(user: str = "app-scoped-77", secret: bytes = SECRET) -> bytes:
    claims = {"algorithm": "HMAC-SHA256", "issued_at": NOW // 1_000_000, "user_id": user}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    digest = base64.urlsafe_b64encode(hmac.digest(secret, payload, hashlib.sha256)).rstrip(b"=")
    return b"signed_request=" + digest + b"." + payload


def test_a_data_deletion_callback_is_recorded_and_confirmed(house: House) -> None:
    """The answer is the JSON that Meta asks for, with the page's public address."""
    house.callbacks.recorded.clear()
    answer = house.client.post("/webhooks/acme/whatsapp/data-deletion", content=_signed_request())
    assert answer.json() == {
        "url": "https://hooks.example.org/data-deletion/acme/c0de",
        "confirmation_code": "c0de",
    }
    assert house.callbacks.recorded == [("acme", "data-deletion", "app-scoped-77")]
    assert "app-scoped-77" not in str(house.log.lines)


def test_a_deauthorise_callback_is_recorded(house: House) -> None:
    """Nothing is confirmed but that it was received."""
    house.callbacks.recorded.clear()
    answer = house.client.post("/webhooks/acme/whatsapp/deauthorize", content=_signed_request())
    assert (answer.status_code, answer.text) == (200, "ok")
    assert house.callbacks.recorded == [("acme", "deauthorize", "app-scoped-77")]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/webhooks/acme/whatsapp/data-deletion", _signed_request(secret=b"theirs"), 401),
        ("/webhooks/acme/whatsapp/data-deletion", b"", 401),
        ("/webhooks/acme/whatsapp/deauthorize", b"signed_request=a.b", 401),
        ("/webhooks/acme/whatsapp/deauthorize", b"x" * 65537, 413),
        ("/webhooks/nobody/whatsapp/deauthorize", _signed_request(), 404),
        ("/webhooks/acme/x/deauthorize", _signed_request(), 404),
        ("/webhooks/broken/whatsapp/deauthorize", _signed_request(), 503),
    ],
)
def test_a_callback_that_is_not_authentic_is_refused(
    path: str, body: bytes, status: int, house: House
) -> None:
    """Nothing is recorded for it."""
    house.callbacks.recorded.clear()
    assert house.client.post(path, content=body).status_code == status
    assert house.callbacks.recorded == []


def test_a_callback_that_cannot_be_recorded_is_503(house: House) -> None:
    """Meta sends it again."""
    house.callbacks.failing = True
    assert (
        house.client.post("/webhooks/acme/whatsapp/deauthorize", content=_signed_request()).status_code == 503
    )
    assert CANARY not in str(house.log.lines)


def test_the_status_page_is_inert(house: House) -> None:
    """What stands in it is escaped, and nothing in it may run, load or be framed."""
    answer = house.client.get("/data-deletion/acme/c0de")
    assert answer.status_code == 200
    assert "&lt;received&gt;" in answer.text
    assert "2026-11-21 09:30 UTC" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("code", ["other", "", "<script>", "a" * 65, "c0de/", "%00", "\u00e9"])
def test_an_unknown_code_is_404(code: str, house: House) -> None:
    """And is not repeated on the page."""
    answer = house.client.get("/data-deletion/acme/" + code)
    assert (answer.status_code, answer.text) == (404, "not found\n")


def test_a_page_that_cannot_be_looked_up_is_503(house: House) -> None:
    """A store that is down is no 500."""
    house.callbacks.failing = True
    assert house.client.get("/data-deletion/acme/c0de").status_code == 503


# -- the end ---------------------------------------------------------------------------------------------------------


def test_draining_finishes_what_is_in_flight_and_takes_nothing_new() -> None:
    """The request that waits for its commit gets its 200; who comes later finds nobody."""
    house = House()
    house.ledger.answer = None
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(house.post().status_code))
    waiting.start()
    _until(lambda: len(house.ledger.taken) == 1)
    threading.Timer(0.3, lambda: house.intake.answers([(house.ledger.taken[0], Answer.COMMITTED)])).start()
    assert house.listeners.drain(10)
    waiting.join()
    assert answers == [200]
    with pytest.raises(OSError):  # noqa: PT011
        socket.create_connection(("127.0.0.1", house.port), timeout=1)
    assert house.listeners.stop(10)
    house.intake.answers(
        [(house.ledger.taken[0], Answer.COMMITTED)]
    )  # after the end: nobody is there, no failure
    house.client.close()


def test_who_waits_when_the_time_for_draining_is_over_is_told_to_come_again() -> None:
    """Never a 500: the delivery may or may not be committed, and sending it again is right in both cases."""
    house = House(drain_seconds=1)
    house.ledger.answer = None
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(house.post().status_code))
    waiting.start()
    _until(lambda: len(house.ledger.taken) == 1)
    assert house.listeners.drain(10)
    waiting.join()
    assert answers == [503]
    assert house.listeners.stop(10)
    house.client.close()


def test_a_slow_sender_does_not_keep_anybody_from_stopping() -> None:
    """Who has begun has a moment for the rest; who takes longer is cut off, and that is no failure to drain."""
    house = House(request_seconds=60)
    head = LINE + b"content-length: 2\r\n\r\n"
    stalled, hurrying = _begun(house, head + b"["), _begun(house, head + b"[")
    _until(lambda: house.intake.bytes_in_flight == 2)
    threading.Timer(0.3, lambda: hurrying.sendall(b"]")).start()
    started = time.monotonic()
    assert house.listeners.drain(10)
    assert time.monotonic() - started < 5
    assert _read_answer(hurrying).startswith(b"HTTP/1.1 200 ")
    assert _read_answer(stalled).startswith(b"HTTP/1.1 408 ")
    _end([stalled, hurrying])
    assert house.listeners.stop(10)
    house.client.close()


def test_one_call_wakes_a_whole_batch(house: House) -> None:
    """The loop is interrupted once per batch, not once per delivery."""
    calls: list[Any] = []
    loop = house.intake._loop or asyncio.new_event_loop()
    house.ledger.answer = None
    threads = [threading.Thread(target=house.post) for _ in range(5)]
    for thread in threads:
        thread.start()
    _until(lambda: len(house.ledger.taken) == 5)

    class Spy:
        def is_closed(self) -> bool:
            return False

        def call_soon_threadsafe(self, *call: Any) -> None:
            calls.append(call)
            loop.call_soon_threadsafe(*call)

    house.intake._loop = Spy()  # type: ignore[assignment]
    try:
        house.intake.answers([(delivery, Answer.COMMITTED) for delivery in house.ledger.taken])
    finally:
        house.intake._loop = loop
    for thread in threads:
        thread.join()
    assert len(calls) == 1
