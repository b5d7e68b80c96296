"""A replica without sockets: the real ledger over real databases, told of events and asked what it holds."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, Final

from connectors.contract import Credentials
from connectors.registry import SOCIAL
from policies.event import Event, MessageEdited, MessageReceived, MessageUnsent
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
from policies.tenant import TenantPolicy
from tests.databases import MASTER, Databases
from worker.crypto import MasterKey
from worker.inbound import Answer, Committed, Delivery, Governed
from worker.ledger import Clock, Ledger
from worker.tenants.loading import Tenant, TenantConnector

NOW: Final = 1_790_000_000_000_000
"""When tests take place: September 2026."""

ACCOUNTS: Final = {"whatsapp": "106540", "facebook": "2201", "instagram": "3301", "x": "4401"}
"""The account of every tenant here, by connector."""


def ticking(start: Instant = NOW) -> Clock:
    """A clock that moves on by a millisecond whenever somebody looks."""
    return itertools.count(start, 1_000).__next__


def tenant(id_: str = "acme", **policy: Any) -> Tenant:
    """A tenant with all connectors; ``policy`` is what differs."""
    return Tenant(
        id=id_,
        name=id_.title(),
        policy=TenantPolicy(**policy),
        policy_digest="0" * 16,
        connectors={
            name: TenantConnector(
                connector=connector,
                accounts=frozenset({ACCOUNTS[name]}),
                credentials=Credentials(signing_secrets=(b"s",), verify_tokens=(b"v",)),
            )
            for name, connector in SOCIAL.items()
        },
    )


def person(kind: IdentifierKind, *values: str) -> tuple[Identifier, ...]:
    """A person known by ``values``."""
    return tuple(Identifier(kind=kind, value=value) for value in values)


SOMEBODY: Final = person(IdentifierKind.PHONE, "15550123")


def message(
    id_: str,
    text: str | None = "hello",
    *,
    connector: str = "whatsapp",
    at: Instant = NOW,
    who: tuple[Identifier, ...] = SOMEBODY,
    details: dict[str, Any] | None = None,
    profile: dict[str, str] | None = None,
    kind: MessageKind = MessageKind.TEXT,
    direction: Direction = Direction.INBOUND,
    **more: Any,
) -> MessageReceived:
    """A message as a connector reports it."""
    account = ACCOUNTS[connector]
    held = Message(
        channel=Channel(connector),
        account=account,
        id=id_,
        direction=direction,
        kind=kind,
        person=who,
        occurred_at=at,
        content=Content(text=text, details=details or {}, profile=profile or {}),
        **more,
    )
    return MessageReceived(account=account, message=held)


def edit(id_: str, text: str | None, number: int = 1, *, whole: bool = False, **more: Any) -> MessageEdited:
    """An edit of a message; ``whole`` where it brings everything anew."""
    received = message(id_, text, **more)
    return MessageEdited(account=received.account, message=received.message, edit_number=number, whole=whole)


def unsend(
    id_: str,
    *,
    connector: str = "whatsapp",
    at: Instant = NOW + 1_000_000,
    who: tuple[Identifier, ...] = (),
) -> MessageUnsent:
    """A message taken back."""
    return MessageUnsent(account=ACCOUNTS[connector], message_id=id_, occurred_at=at, person=who)


Reply = queue.SimpleQueue[Answer]


def delivery(of: Tenant, *events: Event | Governed, connector: str = "whatsapp") -> Delivery:
    """A delivery of these events, with a place for its answer."""
    return Delivery(
        tenant=of,
        source=of.connectors[connector],
        received_at=NOW,
        size=100 * len(events),
        events=[event if isinstance(event, Governed) else Governed(event) for event in events],
        token=Reply(),
    )


class Replica:
    """One worker's ledger over the databases; others may have theirs over the same."""

    def __init__(
        self,
        databases: Databases,
        *,
        clock: Clock | None = None,
        master: MasterKey = MASTER,
        capacity: int = 10_000,
    ) -> None:
        self.databases = databases
        self.committed: list[Committed] = []
        self.failures: list[Exception] = []
        self.clock = clock or ticking()
        self._master = master
        self._capacity = capacity
        self.open()

    def open(self) -> None:
        """Open the databases."""
        self.store = self.databases.store()
        self.keyring = self.databases.keyring(self._master)

    def close(self) -> None:
        """Close them."""
        self.store.close()
        self.keyring.close()

    def restart(self) -> None:
        """Forget everything that is not on disk."""
        self.close()
        self.open()

    def ledger(self, **more: Any) -> Ledger:
        """A new writer, not started."""
        told: dict[str, Any] = {
            "answers": give_answers,
            "committed": self.committed.extend,
            "failed": lambda error, _size: self.failures.append(error),
            "clock": self.clock,
            "capacity": self._capacity,
        }
        return Ledger(self.store, self.keyring, **{**told, **more})

    def write(self, *deliveries: Delivery) -> list[Answer]:
        """Write them as one batch; their answers."""
        ledger = self.ledger()
        assert all(ledger.submit(one) for one in deliveries)
        ledger.start()
        assert ledger.stop(60)
        return [one.token.get(timeout=1) for one in deliveries]

    def tell(self, of: Tenant, *events: Event, connector: str = "whatsapp") -> None:
        """Have one delivery committed."""
        assert self.write(delivery(of, *events, connector=connector)) == [Answer.COMMITTED]

    @contextmanager
    def serving(self, **more: Any) -> Iterator[Callable[[Delivery], Answer]]:
        """A running writer: what it hands out submits and waits for the answer, from any thread."""
        ledger = self.ledger(**more)
        ledger.start()

        def send(one: Delivery) -> Answer:
            if not ledger.submit(one):
                return Answer.UNAVAILABLE
            answer: Answer = one.token.get(timeout=60)
            return answer

        try:
            yield send
        finally:
            assert ledger.stop(60)


@contextmanager
def replicas(databases: Databases, number: int = 1, **more: Any) -> Iterator[list[Replica]]:
    """Several replicas over the same databases, closed at the end."""
    opened = [Replica(databases, **more) for _ in range(number)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def give_answers(batch: Iterable[tuple[Delivery, Answer]]) -> None:
    """Put every answer where its delivery waits."""
    for one, answer in batch:
        one.token.put(answer)


def in_threads(*functions: Callable[[], Any], timeout: float = 60) -> list[Any]:
    """Run the functions at the same time; their results. What one raises is raised here."""
    gate = Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        gate.wait(timeout)
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(timeout) for future in [pool.submit(run, one) for one in functions]]
