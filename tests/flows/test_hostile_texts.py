"""Attacks on texts: by whoever holds a key, whoever can write to a tenant's number, and a provider that means ill."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Credentials, HttpRequest
from connectors.registry import CONNECTORS
from policies.event import DeliveryReported, DeliveryStatus, MessageReceived
from policies.screening.action import Action
from policies.screening.context import ScreenContext
from policies.screening.screen import screen
from policies.sms.policy import Prepared, SmsPolicy
from policies.sms.purpose import Purpose
from policies.sms.recipients import objection
from policies.tenant import TenantPolicy
from policies.verdict import ReasonCode
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, replicas
from tests.worker.loopback import serving
from worker.egress.client import CallFailed, Client, Why
from worker.sms.message import message_of
from worker.sms.optouts import MOST_CONFIRMATIONS
from worker.sms.payload import SUPPRESSION, Payload, suppression_references
from worker.store import outbox, suppressions
from worker.store.outbox import OutboxState
from worker.tenants.loading import Tenant, TenantConnector
from worker.transcripts import export

# One telephone each, in its one spelling and in others that numbering plans read as the same.
SPELLINGS: Final = {
    "+12025550143": ("+112025550143",),
    "+447911123456": ("+4407911123456",),
    "+33612345678": ("+330612345678",),
    "+4915112345678": ("+49015112345678",),
    "+61412345678": ("+610412345678",),
    "+819012345678": ("+8109012345678",),
    "+5491123456789": ("+54111523456789",),
}
OTHERS: Final = [(right, other) for right, others in SPELLINGS.items() for other in others]


SENDER: Final = "+12025550123"
NUMBER: Final = "+12025550177"
ACME: Final = Tenant(
    id="acme",
    name="Acme",
    policy=TenantPolicy(),
    policy_digest="0" * 16,
    connectors={
        name: TenantConnector(
            connector=CONNECTORS[name],
            accounts=frozenset({SENDER}),
            credentials=Credentials(signing_secrets=(b"s",)),
        )
        for name in ("sms-twilio", "sms-http")
    },
    sms=Prepared.of(SmsPolicy()),
)


# --- a key's holder and whoever opted out --------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "other"), OTHERS)
def test_no_spelling_of_a_number_leads_past_its_opt_out(right: str, other: str) -> None:
    """A national prefix behind the country's code is dropped by networks, so that the text would arrive."""
    assert objection(right) is None
    assert objection(other) is ReasonCode.RECIPIENT_MALFORMED
    key = bytes(32)
    assert suppression_references(key, other, "s", "c") == suppression_references(key, right, "s", "c")


@given(st.sampled_from(sorted(SPELLINGS)), st.text("0123456789", min_size=1, max_size=3))
def test_digits_put_in_make_another_number_or_none(right: str, put_in: str) -> None:
    """Wherever they stand behind the country's code: what may be sent to is nobody who opted out."""
    key = bytes(32)
    against = set(suppression_references(key, right, "s", "c"))
    for at in range(2, 5):
        other = right[:at] + put_in + right[at:]
        if other != right and objection(other) is None:
            assert against.isdisjoint(suppression_references(key, other, "s", "c"))


def judged(said: str) -> tuple[Action, tuple[ReasonCode, ...]]:
    """What the screen says of it."""
    screening = screen(said, ScreenContext(sender=SENDER, recipient=NUMBER, purpose=Purpose.TRANSACTIONAL))
    return screening.action, screening.codes


@pytest.mark.parametrize("override", ["\u202e", "\u202d"], ids=["right to left", "left to right"])
@pytest.mark.parametrize("before", ["", "Your parcel: "])
def test_letters_that_are_made_to_run_backwards_are_held(override: str, before: str) -> None:
    """A handset shows them forwards again, and no rule has read what it shows."""
    said = before + override + "Verify your account at evil-bank.example"[::-1] + "\u202c"
    assert judged(said) == (Action.QUARANTINE, (ReasonCode.URL_HIDDEN,))


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("visit пример.рф", {ReasonCode.URL_FOREIGN, ReasonCode.URL_PUNYCODE}),
        ("visit www.пример.бел/a now", {ReasonCode.URL_FOREIGN, ReasonCode.URL_PUNYCODE}),
        ("Конец.слово", set()),
        ("谢谢。公司，你好", set()),
        ("Wir sind im Haus.Öffnen Sie bitte", set()),
    ],
)
def test_a_link_below_a_top_of_another_script_is_one(said: str, codes: set[ReasonCode]) -> None:
    """Handsets make it one to tap on; a sentence without a space behind its full stop is none."""
    assert set(judged(said)[1]) == codes


# --- whoever writes to a tenant's number, or plays back what was written --------------------------------------------------


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def form(said: str, id_: str, **more: str) -> bytes:
    """What Twilio posts of a text: it names no time."""
    told = {"MessageSid": id_, "From": NUMBER, "To": SENDER, "Body": said, "SmsStatus": "received"}
    return urlencode(told | more).encode()


def post(replica: Replica, body: bytes) -> None:
    """Have it committed as it arrives now."""
    twilio = CONNECTORS["sms-twilio"]
    events = list(twilio.parse(twilio.decode(body)[0], replica.clock()))
    replica.tell(ACME, *events, connector="sms-twilio")


def gateway(replica: Replica, said: str, id_: str, moment: str) -> None:
    """The same from a gateway that tells a time."""
    told = {"event": "message", "id": id_, "from": NUMBER, "to": SENDER, "text": said, "time": moment}
    events = list(CONNECTORS["sms-http"].parse(told, replica.clock()))
    replica.tell(ACME, *events, connector="sms-http")


def stands(replica: Replica) -> bool:
    """Whether the recipient's opt-out stands."""
    names = suppression_references(replica.keyring.tenant_key("acme", SUPPRESSION), NUMBER, SENDER, "")
    with replica.store.reading() as tx:
        return bool(suppressions.standing(tx, "acme", names))


@pytest.mark.parametrize("more", [{}, {"OptOutType": "START"}], ids=["a word", "the provider's own word"])
def test_a_start_that_is_played_back_lifts_no_later_stop(replica: Replica, more: dict[str, str]) -> None:
    """Twilio signs no time and tries again what was not answered."""
    again = form("START", "SM1", **more)
    post(replica, again)
    post(replica, form("STOP", "SM2"))
    post(replica, again)
    assert stands(replica)
    post(replica, form("START", "SM3", **more))
    assert not stands(replica)


def test_a_start_from_the_future_does_not_outlast_a_stop(replica: Replica) -> None:
    gateway(replica, "START", "1", "2099-01-01T00:00:00Z")
    post(replica, form("STOP", "SM1"))
    assert stands(replica)


def test_forged_stops_and_starts_flood_nobody_with_confirmations(replica: Replica) -> None:
    """Senders of texts can be forged: what comes in as from somebody's number is answered to that number."""
    for number in range(8):
        post(replica, form("STOP", f"SM{number}"))
        assert stands(replica)
        post(replica, form("START", f"SN{number}"))
    with replica.store.reading() as tx:
        assert outbox.backlog(tx, "acme")[OutboxState.QUEUED].count == MOST_CONFIRMATIONS


# --- a provider that means ill -------------------------------------------------------------------------------------------


def interim(connection: socket.socket, _request: bytes) -> None:
    """Interim answers as fast as they are read, without an end."""
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)


def test_a_provider_that_never_stops_talking_ends_at_the_deadline() -> None:
    """Each read finds something, so that no read ever waits: the call as a whole has to end."""
    client = Client((ip_network("127.0.0.0/8"),), lambda _host, _port: ["127.0.0.1"])
    with serving(interim) as server:
        request = HttpRequest(method="POST", url=f"http://sms.example:{server.port}/", headers={}, body=b"a")
        began = time.monotonic()
        with pytest.raises(CallFailed) as caught:
            client.send(request, {"sms.example"}, 0.5)
        assert time.monotonic() - began < 2
        assert caught.value.why is Why.TIMEOUT
    client.close()


@pytest.mark.parametrize("other", ["+12025550188", NUMBER], ids=["another's", "the same recipient's"])
def test_one_id_for_two_texts_makes_neither_one_text_nor_one_person(replica: Replica, other: str) -> None:
    """What is exported or erased for one person must never hold another's because their provider erred, or lied."""
    for id_, recipient in (("01" * 16, NUMBER), ("02" * 16, other)):
        payload = Payload(id=id_, sender=SENDER, recipient=recipient, text=id_, purpose=Purpose.TRANSACTIONAL)
        sent = message_of(payload, SENDER, NOW)
        replica.tell(ACME, MessageReceived(account=SENDER, message=sent), connector="sms-http")
    for id_ in ("01" * 16, "02" * 16):
        told = DeliveryReported(
            account=SENDER, message_id="same", status=DeliveryStatus.SENT, occurred_at=NOW, ours=id_
        )
        replica.tell(ACME, told, connector="sms-http")
    talks = export(replica.store, replica.keyring, "acme")["conversations"]
    assert len(talks) == len({NUMBER, other})
    assert not any(talk["linked"] for talk in talks)
    told_of = sorted((entry["text"], entry["status"]) for talk in talks for entry in talk["entries"])
    assert told_of == [("01" * 16, "sent"), ("02" * 16, "sent")]
