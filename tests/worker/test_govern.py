"""What goes to the ledger after NEVER_RECORD: events, reduced where they have to be."""

from __future__ import annotations

import msgspec
import pytest

from policies.event import (
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    MessageReceived,
    MessageUnsent,
    Unrecognised,
)
from policies.gate import Rule
from policies.message import Content, Identifier, IdentifierKind, Message
from policies.tenant import Facts, TenantPolicy
from tests.policies.strategies import CANARY
from worker.govern import govern

NOW = 1_790_000_000_000_000
URL = f"https://scontent.cdninstagram.com/v/{CANARY}.jpg"
PERSON = (Identifier(kind=IdentifierKind.IGSID, value="500"),)
CLEAN = DeliveryReported(account="1", message_id="m.1", status=DeliveryStatus.READ, occurred_at=NOW)


def facts(**policy: object) -> Facts:
    """What the rules may know."""
    return Facts(now=NOW, policy=TenantPolicy(**policy))  # type: ignore[arg-type]


def message(text: str) -> MessageReceived:
    """An ordinary inbound message."""
    return MessageReceived(
        account="1",
        message=Message(
            channel="instagram",  # type: ignore[arg-type]
            account="1",
            id="m.1",
            direction="inbound",  # type: ignore[arg-type]
            kind="text",  # type: ignore[arg-type]
            person=PERSON,
            occurred_at=NOW,
            content=Content(text=text),
        ),
    )


@pytest.mark.parametrize(
    "event",
    [
        DeliveryReported(account="1", message_id=URL, status=DeliveryStatus.READ, occurred_at=NOW),
        MessageUnsent(account="1", message_id=URL, occurred_at=NOW),
        ConsentChanged(
            account="1",
            person=(Identifier(kind=IdentifierKind.IGSID, value=URL),),
            consent=Consent.GRANTED,
            category="marketing",
            occurred_at=NOW,
        ),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_identifier_that_is_a_cdn_url_is_no_identifier(event: Event) -> None:
    """Events without a message are judged by value too (SM-6): nothing of them goes on."""
    governed = govern(event, facts())
    assert isinstance(governed.event, Unrecognised)
    assert CANARY not in governed.event.shape
    assert (governed.event.account, governed.event.why) == ("1", "forbidden_identifier")
    assert [(reason.code, reason.clauses) for reason in governed.reasons] == [("facebook_cdn", ("SM-6",))]


def test_a_message_whose_id_is_a_cdn_url_says_which_rule_forbids_it() -> None:
    """No rule failed: one spoke."""
    told = message("hello")
    named = msgspec.structs.replace(told, message=msgspec.structs.replace(told.message, id=URL))
    governed = govern(named, facts())
    assert isinstance(governed.event, Unrecognised)
    assert governed.event.why == "forbidden_identifier"
    assert [reason.code for reason in governed.reasons] == ["facebook_cdn"]


def test_an_ordinary_receipt_goes_on_as_it_is() -> None:
    """Most identifiers are just that."""
    assert govern(CLEAN, facts()).event is CLEAN


def test_what_is_dropped_carries_no_content_on() -> None:
    """Only the fact travels to the ledger, with the rule's reason."""
    governed = govern(message(CANARY), facts(never_record_kinds=("text",)))
    assert governed.dropped
    assert isinstance(governed.event, MessageReceived)
    assert governed.event.message.content == Content()
    assert [reason.rule for reason in governed.reasons] == ["tenant_kind"]


def test_a_rule_that_raises_leaves_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: what could not be judged is not kept."""

    def broken(_message: Message, _facts: Facts) -> None:
        raise RuntimeError(CANARY)

    rule = Rule(name="broken", check=broken, clauses=("SM-6",))  # type: ignore[arg-type]
    monkeypatch.setattr("worker.govern.NEVER_RECORD", (rule,))
    governed = govern(message(CANARY), facts())
    assert governed.event == Unrecognised(account="1", shape="message:text", why="rule_failed")
