"""A tenant that sends through a made-up provider, a replica that sends for it, and a clock that is moved by hand."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from connectors.contract import (
    Credentials,
    Grant,
    HttpAnswer,
    HttpRequest,
    Lookup,
    Outbound,
    Refused,
    Sending,
    SendResult,
    Sent,
    Text,
    Unknown,
)
from connectors.registry import CONNECTORS
from policies.event import Consent, DeliveryReported, DeliveryStatus, Event, Failure, MessageReceived
from policies.message import Channel, Instant
from policies.sms.policy import Prepared, Scope
from policies.sms.purpose import Purpose
from tests.databases import MASTER, Databases
from tests.worker.handing_in import NOON, RECIPIENT, SECOND, SENDER, sends
from worker.egress.client import MaybeSent, NotSent, Why
from worker.inbound import Delivery as Told
from worker.inbound import Disposition, Governed
from worker.keyring import PSEUDONYM
from worker.log.lines import Line, SenderLine, SendLine
from worker.metrics import Metrics
from worker.observe import Observer
from worker.settle import Settlement
from worker.sms.calls import Calls
from worker.sms.delivery import Delivery
from worker.sms.message import message_of
from worker.sms.outcomes import SECOND as MICROSECONDS
from worker.sms.payload import (
    SUPPRESSION,
    Payload,
    pair_reference,
    seal_payload,
    suppression_reference,
)
from worker.sms.reports import Reports
from worker.store import messages, outbox, suppressions
from worker.store.outbox import OutboxState, Outgoing
from worker.store.suppressions import Change
from worker.tenants.loading import Tenant, TenantConnector, Tenants, Version
from worker.tenants.texts import Egress

HOST: Final = "provider.example"
NAME: Final = "sms-test"


# --- a made-up connector ---------------------------------------------------------------------------------------------------


def _build(text: Text, sending: Sending) -> HttpRequest:
    body = {"id": text.id, "from": text.sender, "to": text.recipient, "text": text.text}
    headers = {"authorization": f"Bearer {sending.bearer}"} if sending.bearer else {}
    url = f"{sending.options['base_url']}/send"
    return HttpRequest(method="POST", url=url, headers=headers, body=json.dumps(body).encode())


def _read(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """``{"sent": id}`` or ``{"failure": word, "code": number}``; anything else but 4xx is unknown."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        told = {}
    if answer.status == 200 and "sent" in told:
        return Sent(id=told["sent"])
    if 400 <= answer.status < 500:
        wait = answer.headers.get("retry-after")
        failure = Failure(told.get("failure", "throttled" if answer.status == 429 else "rejected"))
        retry_after = float(wait) if wait else None
        return Refused(failure=failure, code=told.get("code", 0), retry_after=retry_after)
    return Unknown()


def _ask(text: Text, _tried_at: Instant, sending: Sending) -> HttpRequest:
    return HttpRequest(method="GET", url=f"{sending.options['base_url']}/find/{text.id}", headers={})


def _found(_text: Text, _tried_at: Instant, answer: HttpAnswer) -> Sent | None:
    return Sent(id=json.loads(answer.body)["sent"]) if answer.status == 200 else None


def _grant(sending: Sending) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{sending.options['base_url']}/token", headers={})


def _granted(answer: HttpAnswer) -> tuple[str, float] | None:
    return (json.loads(answer.body)["token"], 3600.0) if answer.status == 200 else None


OUTBOUND: Final = Outbound(
    options={"base_url": None},
    secrets=(),
    addresses=lambda sending: (sending.options["base_url"],),
    build_request=_build,
    read_result=_read,
)
LOOKUP: Final = Lookup(build=_ask, read=_found)
GRANT: Final = Grant(build=_grant, read=_granted)


def provided(
    id_: str = "acme", *, base_url: str = f"https://{HOST}", host: str = HOST, **outbound: Any
) -> Tenant:
    """A tenant whose senders send through the made-up provider; ``outbound`` is what differs of its connector."""
    connector = msgspec.structs.replace(
        CONNECTORS["x"],
        name=NAME,
        channel=Channel.SMS,
        has_aliases=True,
        outbound=msgspec.structs.replace(OUTBOUND, **outbound),
    )
    source = TenantConnector(
        connector=connector,
        accounts=frozenset({SENDER, SECOND}),
        credentials=Credentials(signing_secrets=(b"s",)),
        sending=Sending(options={"base_url": base_url}),
    )
    declared = Egress(host=host, purpose="sms", region="US", legal_basis="contract")
    return msgspec.structs.replace(sends(id_), connectors={NAME: source}, egress=(declared,))


def with_policy(tenant: Tenant, **changes: Any) -> Tenant:
    """The same tenant with another policy about its texts."""
    assert tenant.sms is not None
    policy = msgspec.structs.replace(tenant.sms.policy, **changes)
    return msgspec.structs.replace(tenant, sms=Prepared.of(policy))


# --- a provider in memory --------------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process was killed in the middle of a call."""


class Clock:
    """What time it is, for the database and for the process."""

    def __init__(self, now: Instant = NOON) -> None:
        self.now = now
        self.dying = False

    def look(self, _tx: Any = None) -> Instant:
        """What every transaction begins with: where a process may die."""
        if self.dying:
            self.dying = False
            raise Died
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * MICROSECONDS)

    def monotonic(self) -> float:
        return self.now / MICROSECONDS


Behaviour = str
"""sent, lost, swallowed, down, broken, dies_before, dies_after, dies_writing, or a word of ``Failure``."""


class Provider:
    """Takes texts as its script says, "sent" when that is at its end, and notes what it took, in order."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.script: deque[Behaviour] = deque()
        self.taken: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.hosts: list[frozenset[str]] = []

    @property
    def ids(self) -> list[str]:
        """The texts that were taken."""
        return [one["id"] for one in self.taken]

    def send(self, request: HttpRequest, hosts: Collection[str], seconds: float) -> HttpAnswer:
        """Answer as a provider would."""
        assert seconds > 0
        self.hosts.append(frozenset(hosts))
        path = request.url.partition("//")[2].partition("/")[2]
        if path.startswith("find/"):
            return self._find(path.removeprefix("find/"))
        text = json.loads(request.body)
        behaviour = self.script.popleft() if self.script else "sent"
        if behaviour != "down":
            self.calls.append(text["id"])
        return self._answer(behaviour, text)

    def _find(self, id_: str) -> HttpAnswer:
        known = id_ in self.ids
        return HttpAnswer(
            status=200 if known else 404, headers={}, body=json.dumps({"sent": f"p-{id_}"}).encode()
        )

    def _answer(self, behaviour: Behaviour, text: dict[str, str]) -> HttpAnswer:
        if behaviour in {"sent", "lost", "dies_after", "dies_writing"}:
            self.taken.append(text)
        if behaviour in {"dies_before", "dies_after"}:
            raise Died
        if behaviour == "down":
            raise NotSent(Why.CONNECT)
        if behaviour in {"lost", "swallowed"}:
            raise MaybeSent(Why.TIMEOUT)
        if behaviour == "broken":
            return HttpAnswer(status=502, headers={}, body=b"")
        if behaviour in {"sent", "dies_writing"}:
            self.clock.dying = behaviour == "dies_writing"
            return HttpAnswer(status=200, headers={}, body=json.dumps({"sent": f"p-{text['id']}"}).encode())
        told = {"failure": behaviour, "code": 7}
        return HttpAnswer(status=400, headers={}, body=json.dumps(told).encode())


# --- a replica that sends --------------------------------------------------------------------------------------------------


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.all: list[Line] = []

    def emit(self, line: Line) -> None:
        self.all.append(line)

    def emit_all(self, lines: Sequence[Line]) -> None:
        self.all += lines

    @property
    def sends(self) -> list[SendLine]:
        return [line for line in self.all if isinstance(line, SendLine)]

    @property
    def senders(self) -> list[SenderLine]:
        return [line for line in self.all if isinstance(line, SenderLine)]

    def states(self, key: bytes) -> list[str]:
        """What was told of one text, in order."""
        return [line.state for line in self.sends if line.ref == key.hex()]


class Inline:
    """A pool that does everything at once, so that a test knows when it is done."""

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        work(*arguments)

    def shutdown(self, **_how: Any) -> None:
        pass


class House:
    """One replica over a store: texts are handed in, ``rounds`` sends what is due."""

    def __init__(
        self,
        databases: Databases,
        *tenants: Tenant,
        provider: Any = None,
        clock: Clock | None = None,
        threads: int = 4,
        unknown_seconds: float = 3600,
        inline: bool = True,
        now: Callable[[Any], Instant] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.provider: Any = provider or Provider(self.clock)
        self.store, self.keyring = databases.store(), databases.keyring(MASTER)
        self.serve(*(tenants or (provided(),)))
        self.lines = Lines()
        self.metrics = Metrics("test")
        log: Any = self.lines
        observer = Observer(log, self.metrics, lambda: self.clock.now)
        calls = Calls(self.provider, 5.0, clock=self.clock.monotonic)
        calls._persist.sleep = lambda _seconds: None
        self.delivery = Delivery(
            self.store,
            self.keyring,
            calls,
            Reports(log, self.metrics, observer),
            lambda: self.tenants,
            threads=threads,
            unknown_seconds=unknown_seconds,
            now=now or self.clock.look,
            draw=lambda: 0.0,
            monotonic=self.clock.monotonic,
        )
        pool: Any = Inline()
        if inline:
            self.delivery._pool = self.delivery._keeper._pool = pool

    def serve(self, *tenants: Tenant) -> None:
        """These tenants are in force from now on."""
        self.tenants = Tenants(versions={one.id: Version(tenant=one) for one in tenants})

    def close(self) -> None:
        self.store.close()
        self.keyring.close()

    # -- what happens ------------------------------------------------------------------------------------

    def hand_in(
        self,
        recipient: str = RECIPIENT,
        *,
        of: str = "acme",
        sender: str = SENDER,
        text: str = "Your table is ready.",
        delayed: float = 0,
        purpose: Purpose = Purpose.TRANSACTIONAL,
        **payload: Any,
    ) -> bytes:
        """Put a text into transcript and outbox; its key."""
        tenant, now = self.tenants.versions[of].tenant, self.clock.now
        self.clock.advance(0.001)
        id_ = (now // 1000).to_bytes(6, "big") + b"\x70\0\x80\0" + os.urandom(6)
        told = Payload(
            id=id_.hex(), sender=sender, recipient=recipient, text=text, purpose=purpose, **payload
        )
        event = MessageReceived(account=sender, message=message_of(told, sender, now))
        pseudonym = self.keyring.tenant_key(of, PSEUDONYM)
        with self.store.transaction() as tx:
            governed = Governed(event, disposition=Disposition.QUEUED)
            settlement = self._settle(tx, tenant, governed)
            [[settled]] = settlement.settled
            key, conversation = bytes.fromhex(settled.ref), bytes.fromhex(settled.person)
            cipher = self.keyring.keys(of, [conversation])[conversation].cipher
            row = Outgoing(
                key=key,
                id=id_,
                pair=pair_reference(pseudonym, sender, recipient),
                conversation=conversation,
                connector=next(iter(tenant.connectors)),
                account=sender,
                purpose=purpose.value,
                not_before=now + round(delayed * MICROSECONDS),
                not_after=told.not_after,
                submitted_at=now,
                changed_at=now,
                sealed=seal_payload(cipher, of, key, told),
            )
            outbox.enqueue(tx, of, [row])
            settlement.conclude()
        return key

    def tell(self, event: Event, of: str = "acme") -> None:
        """A provider's webhook tells an event."""
        with self.store.transaction() as tx:
            self._settle(tx, self.tenants.versions[of].tenant, Governed(event)).conclude()

    def report(self, id_: str, status: DeliveryStatus, of: str = "acme", **more: Any) -> None:
        """A status callback that echoes our id."""
        event = DeliveryReported(
            account=SENDER, message_id=f"p-{id_}", status=status, occurred_at=self.clock.now, ours=id_, **more
        )
        self.tell(event, of)

    def opt_out(self, recipient: str = RECIPIENT, of: str = "acme") -> None:
        """The recipient wants no more texts: committed when this returns."""
        about = suppression_reference(self.keyring.tenant_key(of, SUPPRESSION), Scope.TENANT, "", recipient)
        change = Change(
            reference=about, consent=Consent.WITHDRAWN, source="keyword", changed_at=self.clock.now
        )
        with self.store.transaction() as tx:
            suppressions.change(tx, of, [change], self.clock.now)

    def rounds(self, most: int = 50) -> None:
        """Send what is due now, and look after the rest."""
        for _ in range(most):
            self.delivery._keeper._kept = -1e9
            if not self.delivery.round():
                return

    def settle_down(self, of: str = "acme", hours: float = 3, most: int = 400) -> None:
        """Let time pass until nothing is unfinished."""
        for _ in range(most):
            self.rounds()
            if not any(row.state in outbox.UNFINISHED for row in self.rows(of)):
                return
            self.clock.advance(hours * 3600)
        raise AssertionError("something is never done")

    # -- what is there -----------------------------------------------------------------------------------

    def rows(self, of: str = "acme") -> list[Outgoing]:
        """Every row, in the order of the ids."""
        with self.store.reading() as tx:
            found = tx.execute(outbox.outbox.select().where(outbox.outbox.c.tenant == of))
            keys = [row.key for row in found]
            return sorted(outbox.find(tx, of, keys).values(), key=lambda row: row.id)

    def state(self, key: bytes, of: str = "acme") -> OutboxState:
        with self.store.reading() as tx:
            return outbox.find(tx, of, [key])[key].state

    def status(self, key: bytes, of: str = "acme") -> int:
        """The transcript's status of a text."""
        with self.store.transaction() as tx:
            return messages.load(tx, of, [key])[key].record.receipt.status

    def _settle(self, tx: Any, tenant: Tenant, governed: Governed) -> Settlement:
        source = next(iter(tenant.connectors.values()))
        told = Told(tenant=tenant, source=source, received_at=self.clock.now, size=0, events=[governed])
        settlement = Settlement(tx, self.keyring, [told], self.clock.now)
        settlement.apply()
        return settlement
