"""Persons on every channel of a tenant, and a desk that takes their requests, for tests of rights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.contract import Credentials, Sending
from connectors.registry import CONNECTORS
from policies.event import Consent, ConsentChanged, Event, MessageReceived
from policies.message import (
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Instant,
    Message,
    MessageKind,
)
from policies.tenant import TenantPolicy
from tests.databases import Databases
from tests.flows.harness import NOW, Replica
from worker.acts import Operator
from worker.audit.signing import SigningKey
from worker.rights.desk import Arrival, Desk
from worker.rights.request import RightsRequest, read_request
from worker.rights.steps import Tools
from worker.rights.ticket import Answer
from worker.tenants.loading import Tenant, TenantConnector

PHONE: Final = "+12025550143"
OTHER_PHONE: Final = "+12025550188"
SIGNING: Final = SigningKey(Ed25519PrivateKey.generate())
OPERATOR: Final = Operator(name="Ann Ott", why="she asked")

ACCOUNTS: Final = {
    name: {"x": "4401", "facebook": "2201", "instagram": "3301", "whatsapp": "106540"}.get(
        name, "+12025550123"
    )
    for name in CONNECTORS
}


class Known(msgspec.Struct, frozen=True):
    """How a person is known on a connector, and the subject of a request that names them so."""

    kind: IdentifierKind
    value: str
    subject: dict[str, Any]


PEOPLE: Final[dict[str, Known]] = {
    "whatsapp": Known(IdentifierKind.PHONE, "12025550143", {"phoneNumbers": ["+1 (202) 555-0143"]}),
    "facebook": Known(
        IdentifierKind.PSID, "7711223344", {"socialHandle": {"type": "FACEBOOK", "value": "7711223344"}}
    ),
    "instagram": Known(
        IdentifierKind.IGSID, "8811223344", {"socialHandle": {"type": "INSTAGRAM", "value": "8811223344"}}
    ),
    "x": Known(
        IdentifierKind.X_ID, "9911223344", {"socialHandle": {"type": "TWITTER", "value": "9911223344"}}
    ),
} | {
    name: Known(IdentifierKind.PHONE, PHONE, {"phoneNumbers": ["tel:+1-202-555-0143"]})
    for name in CONNECTORS
    if name.startswith("sms-")
}
"""One person on every connector."""


def tenant(id_: str = "acme") -> Tenant:
    """A tenant with every connector there is."""
    return Tenant(
        id=id_,
        name=id_.title(),
        policy=TenantPolicy(),
        policy_digest="0" * 16,
        connectors={
            name: TenantConnector(
                connector=connector,
                accounts=frozenset({ACCOUNTS[name]}),
                credentials=Credentials(signing_secrets=(b"s",)),
                sending=Sending(options={}) if connector.outbound else None,
            )
            for name, connector in CONNECTORS.items()
        },
    )


ACME: Final = tenant()
GLOBEX: Final = tenant("globex")


def said(
    connector: str,
    id_: str,
    text: str = "hello",
    *,
    who: Sequence[Identifier] | None = None,
    profile: dict[str, str] | None = None,
    at: Instant = NOW,
    direction: Direction = Direction.INBOUND,
    **content: Any,
) -> MessageReceived:
    """A message of the person on that connector, or of somebody else."""
    known = PEOPLE[connector]
    message = Message(
        channel=CONNECTORS[connector].channel,
        account=ACCOUNTS[connector],
        id=id_,
        direction=direction,
        kind=MessageKind.TEXT,
        person=tuple(who) if who is not None else (Identifier(kind=known.kind, value=known.value),),
        occurred_at=at,
        content=Content(text=text, profile=profile or {}, **content),
    )
    return MessageReceived(account=message.account, message=message)


def allowed(connector: str, category: str = "marketing_messages") -> ConsentChanged:
    """The person's consent."""
    known = PEOPLE[connector]
    return ConsentChanged(
        account=ACCOUNTS[connector],
        person=(Identifier(kind=known.kind, value=known.value),),
        consent=Consent.GRANTED,
        category=category,
        occurred_at=NOW,
    )


def request(kind: str, subject: dict[str, Any], *terms: tuple[str, str, str]) -> RightsRequest:
    """A request in the Genesys Cloud shape."""
    document: dict[str, Any] = {"requestType": f"GDPR_{kind}", "subject": subject}
    if terms:
        document["replacementTerms"] = [
            {"type": type_, "existingValue": before, "updatedValue": after} for type_, before, after in terms
        ]
    return read_request(document)


class Office:
    """A replica and its desk over the databases."""

    def __init__(self, databases: Databases, **tools: Any) -> None:
        self.replica = Replica(databases)
        self.store, self.keyring = self.replica.store, self.replica.keyring
        self.now: Instant | None = None
        given: dict[str, Any] = {
            "store": self.store,
            "keyring": self.keyring,
            "signing": SIGNING,
            "clock": self.clock,
        }
        self.tools = Tools(**(given | tools))
        self.desk = Desk(self.tools)

    def clock(self) -> Instant:
        """The replica's clock, or a moment that a test has set."""
        return self.replica.clock() if self.now is None else self.now

    def tell(self, of: Tenant, connector: str, *events: Event) -> None:
        """Have one delivery committed."""
        self.replica.tell(of, *events, connector=connector)

    def ask(
        self,
        kind: str,
        subject: dict[str, Any],
        *terms: tuple[str, str, str],
        of: str = "acme",
        **arrival: Any,
    ) -> Answer:
        """Hand in a request."""
        return self.desk.take(of, request(kind, subject, *terms), Arrival(operator=OPERATOR, **arrival))

    def exported(self, subject: dict[str, Any], of: str = "acme") -> dict[str, Any]:
        """The person's data."""
        answer = self.ask("EXPORT", subject, of=of)
        return dict(json.loads(b"".join(self.desk.export(of, bytes.fromhex(answer.id)))))

    def close(self) -> None:
        """Let go of the databases."""
        self.replica.close()


@contextmanager
def offices(databases: Databases, number: int = 1, **tools: Any) -> Iterator[list[Office]]:
    """Several replicas with their desks, closed at the end."""
    opened = [Office(databases, **tools) for _ in range(number)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def outcomes(answer: Answer) -> dict[str, str]:
    """The execution log: field → outcome."""
    return {entry.field: entry.outcome.value for entry in answer.execution_log}
