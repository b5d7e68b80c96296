"""Opt-outs: they stand as soon as they are acknowledged, are confirmed once, and nothing that comes late undoes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Final

import msgspec
import pytest

from connectors.contract import Credentials
from connectors.registry import CONNECTORS
from policies.event import (
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    Failure,
    MessageReceived,
)
from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Message,
    MessageKind,
)
from policies.sms.policy import Prepared, Scope, SmsPolicy
from policies.tenant import TenantPolicy
from tests.databases import Databases
from tests.flows.harness import NOW, Replica, replicas
from worker.keyring import Keyring
from worker.sms.optouts import CONFIRMATIONS
from worker.sms.payload import SUPPRESSION, open_payload, suppression_references
from worker.store import outbox, reviews, suppressions
from worker.store.outbox import OutboxState
from worker.tenants.loading import Tenant, TenantConnector
from worker.transcripts import export

SENDER: Final = "+12025550123"
OTHER: Final = "+12025550124"
NUMBER: Final = "+12025550177"
CARRIER: Final = msgspec.structs.replace(
    CONNECTORS["x"], name="sms-test", channel=Channel.SMS, has_aliases=True
)


def tenant(**policy: object) -> Tenant:
    """A tenant with one provider of texts."""
    source = TenantConnector(
        connector=CARRIER,
        accounts=frozenset({SENDER, OTHER}),
        credentials=Credentials(signing_secrets=(b"s",)),
    )
    return Tenant(
        id="acme",
        name="Acme",
        policy=TenantPolicy(),
        policy_digest="0" * 16,
        connectors={"sms-test": source},
        sms=Prepared.of(SmsPolicy(**policy)),  # type: ignore[arg-type]
    )


ACME: Final = tenant()


def text(said: str, id_: str = "t1", *, at: Instant = NOW, to: str = SENDER) -> MessageReceived:
    """A text that a recipient wrote."""
    message = Message(
        channel=Channel.SMS,
        account=to,
        id=id_,
        direction=Direction.INBOUND,
        kind=MessageKind.TEXT,
        person=(Identifier(kind=IdentifierKind.PHONE, value=NUMBER),),
        occurred_at=at,
        content=Content(text=said),
    )
    return MessageReceived(account=to, message=message)


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def tell(replica: Replica, *events: Event, of: Tenant = ACME) -> None:
    """Have the events committed, one delivery each."""
    for event in events:
        replica.tell(of, event, connector="sms-test")


def stands(replica: Replica, sender: str = SENDER) -> bool:
    """Whether an opt-out stands against a text from this sender."""
    key = replica.keyring.tenant_key("acme", SUPPRESSION)
    with replica.store.reading() as tx:
        return bool(suppressions.standing(tx, "acme", suppression_references(key, NUMBER, sender, "")))


def waiting(replica: Replica) -> list[str]:
    """The texts in the outbox, opened."""
    with replica.store.reading() as tx:
        rows = list(tx.execute(outbox.outbox.select().order_by(outbox.outbox.c.id)))
    return [opened(replica.keyring, row.conversation, row.key, row.sealed) for row in rows]


def opened(keyring: Keyring, conversation: bytes, key: bytes, sealed: bytes) -> str:
    """What is sealed in the outbox."""
    cipher = keyring.keys("acme", [conversation])[conversation].cipher
    payload = open_payload(cipher, "acme", key, sealed)
    assert (payload.sender, payload.recipient) == (SENDER, NUMBER)
    return payload.text


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("STOP", "en"),
        ("please remove me", "en"),
        ("ne m'envoyez plus de sms", "fr"),
        ("no me envíen más mensajes", "es"),
    ],
)
def test_an_opt_out_stands_and_is_confirmed_once(replica: Replica, said: str, language: str) -> None:
    """In the language of whoever asked, and a text that comes twice or is repeated is not confirmed again."""
    tell(replica, text(said), text(said), text(said, "t2", at=NOW + 60_000_000))
    assert stands(replica)
    assert waiting(replica) == [CONFIRMATIONS[language]]


def test_the_confirmation_stands_in_the_transcript(replica: Replica) -> None:
    """Between the text that it answers and what comes later, in the direction in which it goes."""
    tell(replica, text("STOP"))
    (conversation,) = export(replica.store, replica.keyring, "acme")["conversations"]
    said = sorted((entry["direction"], entry["text"]) for entry in conversation["entries"])
    assert said == [("inbound", "STOP"), ("outbound", CONFIRMATIONS["en"])]


def test_a_decision_record_says_that_it_was_honoured(replica: Replica) -> None:
    tell(replica, text("STOP"))
    settled = [one for committed in replica.committed for one in committed.settled]
    assert ["opted_out" in [reason.code for reason in one.reasons] for one in settled] == [True, False]


def test_whoever_opts_in_again_gets_texts_again(replica: Replica) -> None:
    tell(replica, text("STOP"), text("START", "t2", at=NOW + 1))
    assert not stands(replica)
    tell(replica, text("STOP", "t3", at=NOW + 2))
    assert stands(replica)
    assert len(waiting(replica)) == 2


def test_a_mere_yes_lifts_an_opt_out_and_nothing_else(replica: Replica) -> None:
    """Said before any opt-out, with a later time than one that is late, it must not stand against it."""
    tell(replica, text("yes", "t0", at=NOW + 5), text("STOP", "t1", at=NOW))
    assert stands(replica)
    tell(replica, text("yes", "t2", at=NOW + 6))
    assert not stands(replica)


SAID: Final = (("STOP", NOW), ("START", NOW + 1), ("stop texting me", NOW + 2))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_arrival_makes_no_difference(replica: Replica, order: tuple[int, ...]) -> None:
    tell(replica, *(text(SAID[at][0], f"t{at}", at=SAID[at][1]) for at in order))
    assert stands(replica)


def test_an_opt_out_reaches_as_far_as_the_tenant_says(replica: Replica) -> None:
    """Tenant-wide unless it is configured to be less."""
    tell(replica, text("STOP"))
    assert stands(replica, OTHER)


def test_an_opt_out_of_one_sender_leaves_the_others(replica: Replica) -> None:
    tell(replica, text("STOP"), of=tenant(opt_out_scope=Scope.SENDER))
    assert stands(replica, SENDER)
    assert not stands(replica, OTHER)


@pytest.mark.parametrize("scope", [Scope.SENDER, Scope.CAMPAIGN])
def test_a_narrow_scope_never_loses_an_opt_out(replica: Replica, scope: Scope) -> None:
    """No text names a campaign: the sender it answers stands for all of its campaigns."""
    tell(replica, text("STOP"), of=tenant(opt_out_scope=scope))
    assert stands(replica)


def test_the_tenants_own_words_confirm(replica: Replica) -> None:
    tell(replica, text("STOP"), of=tenant(confirmations={"en": "Done."}))
    assert waiting(replica) == ["Done."]


def test_what_may_be_an_opt_out_waits_for_a_person(replica: Replica) -> None:
    """Nothing is suppressed and nothing is answered by guess; the same text does not wait twice."""
    said = text("wrong number")
    tell(replica, said, said)
    with replica.store.reading() as tx:
        held = [
            one
            for cluster in reviews.clusters(tx, "acme")
            for one in reviews.find(tx, "acme", cluster.cluster.hex())
        ]

    assert [one.codes for one in held] == ["opt_out_unclear"]
    assert not stands(replica)
    assert waiting(replica) == []


def test_help_is_answered_once_an_hour(replica: Replica) -> None:
    """Two machines that answer each other would never stop."""
    of = tenant(help={"en": "Acme alerts. Reply STOP to end."})
    tell(replica, text("HELP"), text("HELP", "t2"), text("HELP", "t3"), of=of)
    assert waiting(replica) == ["Acme alerts. Reply STOP to end."]


def test_nobody_is_helped_where_the_tenant_has_no_words_for_it(replica: Replica) -> None:
    tell(replica, text("HELP"))
    assert waiting(replica) == []


def test_a_provider_that_knows_of_an_opt_out_is_believed(replica: Replica) -> None:
    """STOP may have been said to the carrier, and never have come here."""
    hello = text("hello")
    sent = msgspec.structs.replace(hello.message, direction=Direction.OUTBOUND)
    tell(replica, msgspec.structs.replace(hello, message=sent))
    report = DeliveryReported(
        account=SENDER,
        message_id="t1",
        status=DeliveryStatus.FAILED,
        occurred_at=NOW + 1,
        error_codes=(21610,),
        failure=Failure.OPTED_OUT,
    )
    tell(replica, report)
    assert stands(replica)
    assert waiting(replica) == []


@pytest.mark.parametrize(
    ("consent", "suppressed"), [(Consent.WITHDRAWN, True), (Consent.GRANTED, False), (Consent.UNKNOWN, False)]
)
def test_a_providers_own_report_of_consent_counts(
    replica: Replica, consent: Consent, *, suppressed: bool
) -> None:
    person = (Identifier(kind=IdentifierKind.PHONE, value=NUMBER),)
    tell(
        replica,
        ConsentChanged(account=SENDER, person=person, consent=consent, category="sms", occurred_at=NOW),
    )
    assert stands(replica) is suppressed


def test_a_receipt_that_echoes_our_id_resolves_what_nobody_knew(replica: Replica) -> None:
    """A call timed out; the status callback tells our own id, and later ones only the provider's."""
    tell(replica, text("STOP"))
    with replica.store.transaction() as tx:
        (row,) = outbox.claim(tx, "acme", replica.clock(), 10)
        (row,) = outbox.begin(tx, "acme", [row], replica.clock(), replica.clock())
        assert outbox.record(tx, "acme", row, OutboxState.UNKNOWN, replica.clock())
    ours = row.id.hex()
    sent = DeliveryReported(
        account=SENDER, message_id="SM1", status=DeliveryStatus.SENT, occurred_at=NOW + 1, ours=ours
    )
    tell(replica, sent)
    with replica.store.reading() as tx:
        assert outbox.find(tx, "acme", [row.key])[row.key].state is OutboxState.SENT
    tell(
        replica,
        DeliveryReported(
            account=SENDER, message_id="SM1", status=DeliveryStatus.DELIVERED, occurred_at=NOW + 2
        ),
    )
    (conversation,) = export(replica.store, replica.keyring, "acme")["conversations"]
    statuses = {entry["direction"]: entry["status"] for entry in conversation["entries"]}
    assert statuses == {"inbound": None, "outbound": "delivered"}
    assert export(replica.store, replica.keyring, "acme")["unattributed"] == []


def test_an_inbound_text_never_rewrites_one_that_went_out(replica: Replica) -> None:
    """Whoever may post what came in could else change what the transcript says that was sent."""
    tell(replica, text("STOP"))
    (before,) = export(replica.store, replica.keyring, "acme")["conversations"]
    (ours,) = [entry["id"] for entry in before["entries"] if entry["direction"] == "outbound"]
    tell(replica, text("something else", ours, at=NOW + 5))
    (after,) = export(replica.store, replica.keyring, "acme")["conversations"]
    said = {(entry["direction"], entry["text"]) for entry in after["entries"]}
    assert said == {("inbound", "STOP"), ("outbound", CONFIRMATIONS["en"]), ("inbound", "something else")}
