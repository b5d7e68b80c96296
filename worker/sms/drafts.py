"""What is made of a submission before anybody judges it: its message, what NEVER_RECORD leaves of it, its references.

What is sent is what was governed. A text in which NEVER_RECORD finds anything (a CDN URL, a government number) is
refused with that reason and kept as amended: to send something else than was handed in, or what may not be kept, would
both be wrong.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.contract import Credentials
from connectors.registry import CONNECTORS
from policies.event import MessageReceived
from policies.message import Channel, Instant, Message, Private
from policies.sms.policy import Prepared, SmsPolicy
from policies.sms.segments import Encoding, measure, smart
from policies.tenant import Facts
from policies.verdict import Reason
from worker.crypto import mac, reference
from worker.govern import govern
from worker.inbound import Governed
from worker.keyring import PSEUDONYM, Keyring
from worker.settle import message_key
from worker.sms.facts import Traits, traits_of
from worker.sms.message import message_of
from worker.sms.payload import Payload
from worker.sms.submission import Submission
from worker.tenants.loading import Tenant, TenantConnector

NOBODYS: Final = TenantConnector(
    connector=msgspec.structs.replace(CONNECTORS["sms-console"], name="sms", outbound=None),
    accounts=frozenset(),
    credentials=Credentials(signing_secrets=()),
)
"""Where a text stands whose sender is none of the tenant's: it is refused, and somebody may want to know."""

_SENDS_NOTHING: Final = Prepared.of(SmsPolicy())


class Draft(Private, frozen=True, kw_only=True):
    """One submission on its way to its verdict. ``message`` is as the rules see it: its account is whatever sender it names.

    ``reference`` and ``digest`` are keyed hashes of the client's reference and of all that was handed in; ``key`` is the
    message's. ``governed`` is what may be kept.
    """

    reference: bytes
    digest: bytes
    id: bytes
    key: bytes
    source: TenantConnector
    payload: Payload
    message: Message
    governed: Governed
    traits: Traits
    encoding: Encoding
    client_reference: str

    @property
    def objections(self) -> tuple[Reason, ...]:
        """What NEVER_RECORD has against it."""
        return self.governed.reasons

    @property
    def lacks_provider(self) -> bool:
        """Whether nothing sends for its sender now."""
        return self.source.sending is None


def texts_of(tenant: Tenant) -> Prepared:
    """How the tenant's texts are judged; who sends none has no sender that could."""
    return tenant.sms or _SENDS_NOTHING


def draft(
    keyring: Keyring, tenant: Tenant, submission: Submission, by: str, id_: bytes, now: Instant
) -> Draft:
    """Make ready what can be without asking the store. ``by`` names who submits where the submission does not."""
    pseudonym = keyring.tenant_key(tenant.id, PSEUDONYM)
    payload = _payload(tenant, submission, by, id_)
    source = _source(tenant, submission.sender)
    account = submission.sender if submission.sender in source.accounts else ""
    message = message_of(payload, account, now)
    event = MessageReceived(account=account, message=message)
    return Draft(
        reference=_reference(pseudonym, submission, id_),
        digest=mac(pseudonym, b"submission\0" + msgspec.json.encode(submission, order="deterministic")),
        id=id_,
        key=message_key(pseudonym, source.connector.name, account, payload.id),
        source=source,
        payload=payload,
        message=msgspec.structs.replace(message, account=submission.sender),
        governed=govern(event, Facts(now=now, policy=tenant.policy)),
        traits=traits_of(keyring, tenant.id, payload, id_),
        encoding=measure(payload.text),
        client_reference=submission.reference,
    )


def is_registered(tenant: Tenant, sender: str) -> bool:
    """Whether the address stands in the tenant's register."""
    return any(one.address == sender for one in texts_of(tenant).register.senders)


def _payload(tenant: Tenant, submission: Submission, by: str, id_: bytes) -> Payload:
    text = smart(submission.text) if texts_of(tenant).policy.smart_encoding else submission.text
    return Payload(
        id=id_.hex(),
        sender=submission.sender,
        recipient=submission.recipient,
        text=text,
        purpose=submission.purpose,
        campaign=submission.campaign,
        template=submission.template,
        submitter=submission.submitter or by,
        send_after=submission.send_after,
        not_after=submission.not_after,
        zone=submission.zone,
        place=submission.place,
    )


def _source(tenant: Tenant, sender: str) -> TenantConnector:
    """The provider account that sends for the address; one that only listens, if there is no other."""
    owning = [
        one
        for _, one in sorted(tenant.connectors.items())
        if one.connector.channel is Channel.SMS and sender in one.accounts
    ]
    return next((one for one in owning if one.sending is not None), next(iter(owning), NOBODYS))


def _reference(pseudonym: bytes, submission: Submission, id_: bytes) -> bytes:
    if not submission.reference:
        return reference(pseudonym, "text", id_.hex())
    return reference(pseudonym, "submission", submission.reference)
