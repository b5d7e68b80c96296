"""A tenant that sends texts, and a way to hand some in, for tests of the walk out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from connectors.contract import Credentials, Sending
from connectors.registry import CONNECTORS
from policies.message import Instant
from policies.sms.countries import Registry, SenderKind
from policies.sms.policy import Prepared, SmsPolicy
from policies.sms.purpose import Purpose
from policies.sms.senders import Evidence, Registration, Sender
from policies.tenant import TenantPolicy
from tests.databases import Databases
from tests.flows.harness import Replica
from worker.sms.outbound import Outbound
from worker.sms.submission import Answer, Result, Submission
from worker.tenants.loading import Tenant, TenantConnector

NOON: Final = 1_796_058_000_000_000
"""2026-11-30, 17:00 UTC: a Monday noon in Washington, within the hours of every state."""

SENDER: Final = "+12025550123"
SECOND: Final = "+12025550124"
UNCONNECTED: Final = "+12025550125"
RECIPIENT: Final = "+12025550143"
OTHER: Final = "+12025550144"
CONNECTOR: Final = "sms-console"


def registered(address: str) -> Sender:
    """A number of the tenant's own, with all that the recipient's country wants."""
    return Sender(
        address=address,
        kind=SenderKind.DID,
        owner="Larkfield",
        evidence=Evidence.OWNED,
        reference="contract 12",
        country="US",
        registrations=(Registration(registry=Registry.TEN_DLC, id="C-1"),),
    )


def sends(
    id_: str = "acme", connector: str = CONNECTOR, policy: TenantPolicy | None = None, **sms: Any
) -> Tenant:
    """A tenant with two connected senders and one whose provider is not there; ``sms`` is what differs."""
    given = {
        "senders": tuple(map(registered, (SENDER, SECOND, UNCONNECTED))),
        "brands": ("Larkfield",),
        "hosts": ("larkfield.example",),
        "templates": ("Your Larkfield code is {digits}",),
    }
    source = TenantConnector(
        connector=CONNECTORS[connector],
        accounts=frozenset({SENDER, SECOND}),
        credentials=Credentials(signing_secrets=(b"s",)),
        sending=Sending(options={}),
    )
    return Tenant(
        id=id_,
        name=id_.title(),
        policy=policy or TenantPolicy(),
        policy_digest="0" * 16,
        connectors={connector: source},
        sms=Prepared.of(SmsPolicy(**(given | sms))),
    )


ACME: Final = sends()
PLAIN: Final = Submission(
    sender=SENDER,
    recipient=RECIPIENT,
    text="Your table for two is ready, see you soon.",
    purpose=Purpose.TRANSACTIONAL,
    submitter="Jane Roe",
)


def text(said: str = PLAIN.text, **other: Any) -> Submission:
    """A transactional text of the tenant's own sender, otherwise as told."""
    return msgspec.structs.replace(PLAIN, text=said, **other)


class Desk:
    """Where texts are handed in: one replica's ``Outbound``, with a clock that is moved by hand."""

    def __init__(self, databases: Databases, tenant: Tenant = ACME) -> None:
        self.now: Instant = NOON
        self.tenant = tenant
        self.replica = Replica(databases)
        clock: Callable[[], Instant] = lambda: self.now  # noqa: E731
        self.outbound = Outbound(
            self.replica.store, self.replica.keyring, clock, self.replica.committed.extend
        )

    def all(self, *handed_in: Submission, tenant: Tenant | None = None) -> list[Result]:
        """Hand several in with one call."""
        return self.outbound.submit(tenant or self.tenant, handed_in)

    def one(self, handed_in: Submission, tenant: Tenant | None = None) -> Result:
        """Hand one in."""
        (result,) = self.all(handed_in, tenant=tenant)
        return result

    def told(self, handed_in: Submission, tenant: Tenant | None = None) -> Answer:
        """Hand one in that is judged; its answer."""
        result = self.one(handed_in, tenant)
        assert isinstance(result, Answer)
        return result

    def close(self) -> None:
        """Let go of the databases."""
        self.replica.close()


def codes(answer: Result) -> list[str]:
    """The reasons of an answer."""
    assert isinstance(answer, Answer)
    return [reason.code for reason in answer.reasons]


def verdicts(results: Sequence[Result]) -> list[str]:
    """The verdicts, or what was objected."""
    return [one.verdict.value if isinstance(one, Answer) else one.value for one in results]
