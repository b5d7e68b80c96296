"""The stand-ins do what they promise: they check requests, note what counts as sent, and misbehave as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from connectors.contract import (
    Credentials,
    HttpAnswer,
    HttpRequest,
    Outbound,
    Refused,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
    WebhookRequest,
)
from connectors.registry import CONNECTORS
from policies.event import DeliveryReported, Event, Failure, MessageReceived
from policies.event import DeliveryStatus as Status
from worker.egress.client import Client
from worker.standins import telnyx
from worker.standins.callbacks import NotLoopback
from worker.standins.catalogue import STANDINS
from worker.standins.provider import Account, Behaviour, Conduct, Inbound, Report
from worker.standins.server import StandIn

KEY, SECRET = "AC" + "0" * 32, "made-up-secret"
SENDER, RECIPIENT = "+12025550100", "+12025550123"
TEXT = Text(id="0123456789abcdef" * 2, sender=SENDER, recipient=RECIPIENT, text='Café "12" & more\n👍 100 %')
TEMPLATE = '{"to": "{recipient}", "from": "{sender}", "text": "{text}", "id": "{id}"}'
ECHOING = {"sms-twilio", "sms-vonage", "sms-telnyx", "sms-http"}


UNSHARED = httpx.Limits(max_keepalive_connections=0)
NAMING_SENDERS = {"sms-twilio", "sms-vonage", "sms-telnyx"}


class Side(NamedTuple):
    """How a tenant of the stand-in's account configures its connector."""

    options: dict[str, str]
    ring: str


SIDES = {
    "sms-genesys": Side({"client_id": KEY}, "client_secret"),
    "sms-twilio": Side({"account_sid": KEY}, "auth_token"),
    "sms-vonage": Side({"api_key": KEY}, "api_secret"),
    "sms-telnyx": Side({}, "api_key"),
    "sms-http": Side({"body": TEMPLATE, "id_pattern": '"id":"([0-9a-f]+)"'}, "authorization"),
}

every_side = pytest.mark.parametrize("name", SIDES)


def account(**changed: Any) -> Account:
    given = {"key": KEY, "secret": SECRET, "signing": b"s" * 32, "senders": frozenset({SENDER})}
    return Account(**given | changed)


def outbound(name: str) -> Outbound:
    found = CONNECTORS[name].outbound
    assert found is not None
    return found


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=0.3, limits=UNSHARED) as made:
        yield made


def sending(name: str, standin: StandIn, callback_url: str = "", **more: str) -> Sending:
    options, ring = SIDES[name]
    given = {key: value or "" for key, value in outbound(name).options.items()} | options
    urls = {"url": f"{standin.url}/send", "base_url": standin.url, "login_url": standin.url}
    own = {option: url for option, url in urls.items() if option in given}
    secrets = {ring: (SECRET.encode(),)}
    return Sending(options=given | own | more, secrets=secrets, callback_url=callback_url)


def authorised(client: httpx.Client, name: str, configured: Sending) -> Sending:
    """With an access token, where the provider grants one."""
    grant = outbound(name).grant
    if grant is None:
        return configured
    token, _ = grant.read(carried(client, grant.build(configured))) or ("none", 0)
    return msgspec.structs.replace(configured, bearer=token)


def carried(client: httpx.Client, request: HttpRequest) -> HttpAnswer:
    answer = client.request(request.method, request.url, headers=request.headers, content=request.body)
    return HttpAnswer(status=answer.status_code, headers=dict(answer.headers), body=answer.content)


def sent(
    client: httpx.Client, name: str, standin: StandIn, text: Text = TEXT, callback_url: str = ""
) -> SendResult:
    configured = authorised(client, name, sending(name, standin, callback_url))
    request = outbound(name).build_request(text, configured)
    return outbound(name).read_result(carried(client, request), configured)


@every_side
def test_a_right_request_is_accepted_with_the_words_as_they_were(client: httpx.Client, name: str) -> None:
    """Over real HTTP: quotes, ampersands, line feeds and emoji arrive as they were written."""
    with StandIn(STANDINS[name], account()) as standin:
        result = sent(client, name, standin)
        [taken] = standin.accepted
    assert result == Sent(id=taken.id)
    assert (taken.text, taken.recipient) == (TEXT.text, RECIPIENT)


def test_a_token_that_was_taken_back_is_refused_until_another_is_granted(client: httpx.Client) -> None:
    """As after a rotation at the provider, in the middle of a token's life."""
    genesys = outbound("sms-genesys")
    with StandIn(STANDINS["sms-genesys"], account()) as standin:
        kept = authorised(client, "sms-genesys", sending("sms-genesys", standin))
        standin.revoke()
        answer = carried(client, genesys.build_request(TEXT, kept))
        assert genesys.read_result(answer, kept) == Refused(failure=Failure.ACCOUNT)
        assert isinstance(sent(client, "sms-genesys", standin), Sent)


def test_a_conversation_that_is_open_is_a_reason_to_wait(client: httpx.Client) -> None:
    """409 of Genesys Cloud."""
    with StandIn(STANDINS["sms-genesys"], account()) as standin:
        standin.then(Conduct(behaviour=Behaviour.ERROR, status=409))
        assert sent(client, "sms-genesys", standin) == Refused(failure=Failure.BUSY)


def test_twilio_lists_what_it_accepted(client: httpx.Client) -> None:
    """So that a text whose answer was lost is found, and one that never came is not."""
    twilio = outbound("sms-twilio")
    assert twilio.lookup is not None
    with StandIn(STANDINS["sms-twilio"], account()) as standin:
        configured, at = sending("sms-twilio", standin), time.time_ns() // 1000
        question = twilio.lookup.build(TEXT, at, configured)
        assert twilio.lookup.read(TEXT, at, carried(client, question)) is None
        standin.then(Conduct(behaviour=Behaviour.RESETTING_AFTER))
        with pytest.raises(httpx.TransportError):
            sent(client, "sms-twilio", standin)
        [taken] = standin.accepted
        assert twilio.lookup.read(TEXT, at, carried(client, question)) == Sent(id=taken.id)


def test_what_was_accepted_twice_shows_as_twice(client: httpx.Client) -> None:
    """The count by our id is what a test of at-most-once looks at."""
    with StandIn(STANDINS["sms-vonage"], account()) as standin:
        for _ in range(2):
            sent(client, "sms-vonage", standin)
        sent(client, "sms-vonage", standin, msgspec.structs.replace(TEXT, id="f" * 32))
        assert standin.texts() == {TEXT.id: 2, "f" * 32: 1}
        assert standin.requests == 3


@every_side
@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"secret": "another"}, TEXT),
        ({"senders": frozenset({"+12025550199"})}, TEXT),
        ({}, msgspec.structs.replace(TEXT, text="x" * 1601)),
        ({}, msgspec.structs.replace(TEXT, text="")),
        ({}, msgspec.structs.replace(TEXT, recipient="")),
    ],
    ids=["wrong secret", "another's sender", "too long", "empty", "to nobody"],
)
def test_what_the_provider_would_refuse_is_refused(
    client: httpx.Client, name: str, changed: dict[str, object], text: Text
) -> None:
    """And counts as nothing."""
    with StandIn(STANDINS[name], account(**changed)) as standin:
        result = sent(client, name, standin, text)
        assert standin.accepted == ()
    assert isinstance(result, Refused)
    if changed.get("secret"):
        assert result.failure is Failure.ACCOUNT
    if changed.get("senders") and name in NAMING_SENDERS:
        assert result.failure is Failure.SENDER


FATES: dict[str, tuple[Conduct, int, Any]] = {
    "slow": (Conduct(behaviour=Behaviour.SLOW, seconds=0.05), 1, Sent),
    "throttling": (Conduct(behaviour=Behaviour.THROTTLING, retry_after=7), 0, Refused),
    "error": (Conduct(behaviour=Behaviour.ERROR, code=999_999), 0, Refused),
    "failing before": (Conduct(behaviour=Behaviour.FAILING_BEFORE), 0, Unknown),
    "failing after": (Conduct(behaviour=Behaviour.FAILING_AFTER), 1, Unknown),
    "reset unread": (Conduct(behaviour=Behaviour.RESETTING_UNREAD), 0, httpx.TransportError),
    "reset before": (Conduct(behaviour=Behaviour.RESETTING_BEFORE), 0, httpx.TransportError),
    "reset after": (Conduct(behaviour=Behaviour.RESETTING_AFTER), 1, httpx.TransportError),
    "late": (Conduct(behaviour=Behaviour.LATE, seconds=30), 1, httpx.TransportError),
    "twice": (Conduct(behaviour=Behaviour.TWICE), 1, Sent),
}


@every_side
@pytest.mark.parametrize("fate", FATES)
def test_it_misbehaves_as_told_and_notes_what_was_sent_all_the_same(
    client: httpx.Client, name: str, fate: str
) -> None:
    """What is known afterwards is what can be known; the next text is treated as ever."""
    conduct, accepted, outcome = FATES[fate]
    with StandIn(STANDINS[name], account()) as standin:
        standin.then(conduct)
        if issubclass(outcome, httpx.TransportError):
            with pytest.raises(outcome):
                sent(client, name, standin)
        else:
            result = sent(client, name, standin)
            assert isinstance(result, outcome)
            if isinstance(result, Refused) and conduct.behaviour is Behaviour.THROTTLING:
                assert (result.failure, result.retry_after) == (Failure.THROTTLED, 7.0)
        assert len(standin.accepted) == accepted
        assert isinstance(sent(client, name, standin), Sent)


@every_side
def test_an_answer_that_comes_twice_is_not_taken_for_the_next_text_s(name: str) -> None:
    """The worker's own client, text upon text: each is known by the id that the provider gave to it."""
    client = Client(allowed=(ip_network("127.0.0.0/8"),))
    with StandIn(STANDINS[name], account()) as standin, closing(client):
        standin.conduct = Conduct(behaviour=Behaviour.TWICE)
        configured = sending(name, standin)
        grant = outbound(name).grant
        if grant is not None:
            granted = grant.read(client.send(grant.build(configured), {"127.0.0.1"}, 5.0))
            configured = msgspec.structs.replace(configured, bearer=granted[0] if granted else "none")
        results = []
        for number in range(8):
            text = msgspec.structs.replace(TEXT, id=f"{number:032x}")
            answer = client.send(outbound(name).build_request(text, configured), {"127.0.0.1"}, 5.0)
            results.append(outbound(name).read_result(answer, configured))
    assert results == [Sent(id=taken.id) for taken in standin.accepted]


@every_side
def test_an_answer_that_nobody_understands_is_no_success(client: httpx.Client, name: str) -> None:
    """A page of HTML with status 200, as captive portals answer; the template's tenant has to ask for more than 200."""
    with StandIn(STANDINS[name], account()) as standin:
        standin.then(Conduct(behaviour=Behaviour.GARBLED))
        more = {"success_pattern": '"id"'} if name == "sms-http" else {}
        configured = authorised(client, name, sending(name, standin, **more))
        answer = carried(client, outbound(name).build_request(TEXT, configured))
    assert outbound(name).read_result(answer, configured) == Unknown()


# --- callbacks ----------------------------------------------------------------------------------------------


class Worker(ThreadingHTTPServer):
    """Where callbacks go: it keeps them, and answers what it is told to, then 200."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Kept)
        self.got: list[WebhookRequest] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/webhooks/acme/sms"


class Kept(BaseHTTPRequestHandler):
    server: Worker

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = f"http://{headers['host']}{self.path}"
        query = dict(parse_qsl(urlsplit(url).query))
        at = time.time_ns() // 1000
        self.server.got.append(
            WebhookRequest(method="POST", headers=headers, query=query, body=body, url=url, received_at=at)
        )
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def events(name: str, standin: StandIn, worker: Worker) -> list[Event]:
    """What the connector makes of the callbacks, each verified first."""
    connector = CONNECTORS[name]
    secret = telnyx.public_key(standin.account) if name == "sms-telnyx" else standin.account.signing
    found: list[Event] = []
    for request in worker.got:
        connector.verify(request, Credentials(signing_secrets=(secret,)))
        found += connector.parse(connector.decode(request.body)[0], 0)
    return found


@every_side
def test_reports_are_signed_and_come_in_the_order_and_number_that_was_asked_for(
    client: httpx.Client, worker: Worker, name: str
) -> None:
    """Duplicates and a delivery before its sending too."""
    reports = tuple(map(Report, (Status.DELIVERED, Status.SENT, Status.DELIVERED)))
    with StandIn(STANDINS[name], account(webhook=worker.url)) as standin:
        standin.conduct = Conduct(reports=reports)
        result = sent(client, name, standin, callback_url=worker.url)
        assert standin.callbacks.settled()
        [taken] = standin.accepted
        told = events(name, standin, worker)
    assert [(type(one), one.status) for one in told if isinstance(one, DeliveryReported)] == [
        (DeliveryReported, report.status) for report in reports
    ]
    assert {one.message_id for one in told if isinstance(one, DeliveryReported)} == {taken.id}
    assert {one.account for one in told} == {SENDER}
    assert result == Sent(id=taken.id)
    assert taken.ours == (TEXT.id if name in ECHOING else "")


@every_side
def test_a_report_may_come_before_the_answer(client: httpx.Client, worker: Worker, name: str) -> None:
    """It is there when the answer comes, and names the text by our id where the platform echoes it."""
    with StandIn(STANDINS[name], account(webhook=worker.url)) as standin:
        standin.then(Conduct(reports=(Report(Status.FAILED, 1),), reports_first=True))
        sent(client, name, standin, callback_url=worker.url)
        [told] = events(name, standin, worker)
    assert isinstance(told, DeliveryReported)
    assert told.status is Status.FAILED


@every_side
def test_people_s_texts_are_posted_and_posted_again_until_they_are_taken(worker: Worker, name: str) -> None:
    """Three attempts, as long as the worker answers 5xx."""
    worker.answers = [503, 503]
    text = Inbound(id="inbound-1", sender=RECIPIENT, recipient=SENDER, text="STOP, bitte: ä & 👍")
    with StandIn(STANDINS[name], account(webhook=worker.url)) as standin:
        standin.receive(text)
        assert standin.callbacks.settled()
        assert standin.callbacks.statuses == [503, 503, 200]
        told = events(name, standin, worker)
    assert len(told) == 3
    assert all(one == told[0] for one in told)
    [received] = [one.message for one in told[:1] if isinstance(one, MessageReceived)]
    assert (received.account, received.person[0].value) == (SENDER, RECIPIENT)
    assert (received.id, received.content.text) == (text.id, text.text)


# --- where it is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "example.org", ""])
def test_it_binds_to_loopback_and_nowhere_else(address: str) -> None:
    """A stand-in that the network could reach would be an open relay of forged callbacks."""
    with pytest.raises(NotLoopback):
        StandIn(STANDINS["sms-http"], account(), address=address)


@pytest.mark.parametrize("url", ["http://192.0.2.1/x", "http://example.org/x", "http:///x", "x"])
def test_it_posts_to_loopback_and_nowhere_else(url: str) -> None:
    """Also where a request names the address."""
    with StandIn(STANDINS["sms-http"], account(webhook=url)) as standin, pytest.raises(NotLoopback):
        standin.receive(Inbound(id="1", sender=RECIPIENT, recipient=SENDER, text="hello"))


def test_it_stops_at_once_whatever_is_under_way(client: httpx.Client) -> None:
    """A waiting answer, an open connection: nobody waits for them, and no thread is left."""
    before = threading.active_count()
    with StandIn(STANDINS["sms-telnyx"], account()) as standin:
        sent(client, "sms-telnyx", standin)
        standin.then(Conduct(behaviour=Behaviour.LATE, seconds=60))
        with pytest.raises(httpx.TransportError):
            sent(client, "sms-telnyx", standin)
        idle = httpx.Client(base_url=standin.url, trust_env=False)
        idle.get("/")
        began = time.monotonic()
    assert time.monotonic() - began < 2
    idle.close()
    assert threading.active_count() == before


def test_what_it_holds_shows_nowhere() -> None:
    """Neither secrets nor texts, numbers or addresses stand in a representation."""
    shown = repr((account(), Inbound(id="1", sender=SENDER, recipient=RECIPIENT, text="words")))
    assert not any(secret in shown for secret in (SECRET, SENDER, RECIPIENT, "words"))
