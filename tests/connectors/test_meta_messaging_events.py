"""Events of Messenger and Instagram that are no new message: edits, reactions, receipts, consent, standing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.instagram import webhook as instagram
from policies.event import (
    AccountState,
    Consent,
    ConsentChanged,
    DeliveryReported,
    Event,
    MessageEdited,
    MessageReceived,
    Noted,
    WatermarkReported,
)
from policies.message import (
    Json,
    Message,
)

NOW = 1_790_000_000_000_000
ACCOUNT = "17841499900000009"
PERSON = "6600000000000009"
CANARY = "kanarienvogel"


def item(**keys: Json) -> dict[str, Json]:
    return {"sender": {"id": PERSON}, "recipient": {"id": ACCOUNT}, "timestamp": 1_790_000_000_000} | keys


def delivery(*items: Json, **entry: Json) -> Json:
    return {
        "object": "instagram",
        "entry": [{"id": ACCOUNT, "time": 1_790_000_000_500, "messaging": list(items)} | entry],
    }


def events(*items: Json, **entry: Json) -> list[Event]:
    return list(instagram.parse(delivery(*items, **entry), NOW))


def event(raw: Json, **entry: Json) -> Any:
    (only,) = events(raw, **entry)
    return only


def message(raw: Json, **entry: Json) -> Message:
    received = event(raw, **entry)
    assert isinstance(received, MessageReceived)
    return received.message


def encoded(found: list[Event]) -> str:
    return msgspec.json.encode(found).decode()


@pytest.mark.parametrize(
    ("edit", "number"),
    [
        ({"num_edit": 2}, 2),
        ({"num_edit": "37"}, 37),
        ({"num_edits": 4}, 4),
        ({}, 1),
        ({"num_edit": 0}, 1),
        ({"num_edit": -3}, 1),
        ({"num_edit": "many"}, 1),
        ({"num_edit": 10**15}, 2**31 - 1),
    ],
)
def test_edits_are_numbered_from_one(edit: dict[str, Json], number: int) -> None:
    """Both spellings of the number, and a store's integer can hold it."""
    found = event(item(message_edit={"mid": "m", "text": "new"} | edit))
    assert isinstance(found, MessageEdited)
    assert (found.message.id, found.message.content.text, found.edit_number) == ("m", "new", number)


def test_a_reaction_and_its_removal_are_the_same_entry() -> None:
    """One entry for each message and reactor: react, change, take back all meet it; another reactor does not."""
    reacted = message(item(reaction={"mid": "m", "action": "react", "emoji": "❤"}))
    changed = message(item(reaction={"mid": "m", "action": "react", "reaction": "wow"}))
    removed = message(item(reaction={"mid": "m", "action": "unreact", "emoji": "❤"}))
    ours = message(
        item(sender={"id": ACCOUNT}, recipient={"id": PERSON}, reaction={"mid": "m", "emoji": "❤"})
    )
    assert reacted.id == changed.id == removed.id == f"reaction:m:{PERSON}"
    assert ours.id == f"reaction:m:{ACCOUNT}"
    assert [one.content.text for one in (reacted, changed, removed)] == ["❤", "wow", None]
    assert {one.reply_to for one in (reacted, changed, removed, ours)} == {"m"}
    assert ours.person == reacted.person


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (item(read={"mid": "a"}), [("a", "read")]),
        (
            item(delivery={"mids": ["a", "b"], "watermark": 1_790_000_000_000}),
            [("a", "delivered"), ("b", "delivered")],
        ),
        (item(delivery={"mids": "a", "mid": "b"}), [("b", "delivered")]),
        (item(read={"watermark": 1_790_000_000_000}), [(1_790_000_000_000_000, "read")]),
        (item(delivery={"mids": [], "watermark": 1_790_000_000_000}), [(1_790_000_000_000_000, "delivered")]),
    ],
)
def test_receipts_name_messages_or_a_watermark(raw: Json, seen: list[tuple[Json, str]]) -> None:
    """Ids win over the watermark; without ids the watermark counts."""
    found = [
        (one.message_id if isinstance(one, DeliveryReported) else one.until, one.status.value)
        for one in events(raw)
        if isinstance(one, DeliveryReported | WatermarkReported)
    ]
    assert found == seen


def test_what_the_account_itself_read_says_nothing_about_what_it_sent() -> None:
    """A receipt with the account as sender must not mark inbound messages as read by the person."""
    found = events(item(sender={"id": ACCOUNT}, recipient={"id": PERSON}, read={"mid": "a"}))
    assert found == [Noted(account=ACCOUNT, what="receipt_of_account")]


@pytest.mark.parametrize(
    ("optin", "consent", "category"),
    [
        ({"type": "notification_messages"}, Consent.GRANTED, "notification_messages"),
        ({"type": "notification_messages", "notification_messages_status": "STOP NOTIFICATIONS"}, Consent.WITHDRAWN, "notification_messages"),
        ({"type": "notification_messages", "notification_messages_status": "stop_notifications"}, Consent.WITHDRAWN, "notification_messages"),
        ({"type": "notification_messages", "notification_messages_status": "RESUME NOTIFICATIONS"}, Consent.GRANTED, "notification_messages"),
        ({"type": "notification_messages", "notification_messages_status": "PAUSED"}, Consent.UNKNOWN, "notification_messages"),
        ({"type": "notification_messages", "notification_messages_status": 1}, Consent.UNKNOWN, "notification_messages"),
        ({"type": "one_time_notif_req"}, Consent.GRANTED, "one_time_notification"),
        ({"ref": CANARY}, Consent.GRANTED, "messages"),
        ({"type": CANARY}, Consent.GRANTED, "messages"),
    ],
)  # fmt: skip
def test_an_opt_in_is_consent(optin: dict[str, Json], consent: Consent, category: str) -> None:
    """The category is a word of ours, and no token or topic is kept."""
    found = event(
        item(optin=optin | {"notification_messages_token": CANARY, "title": CANARY, "payload": CANARY})
    )
    assert isinstance(found, ConsentChanged)
    assert (found.consent, found.category) == (consent, category)
    assert CANARY not in encoded([found])


@pytest.mark.parametrize(
    ("key", "action", "state"),
    [
        ("policy_enforcement", "block", AccountState.SUSPENDED),
        ("policy-enforcement", "unblock", AccountState.ACTIVE),
        ("policy_enforcement", "warning", AccountState.INFORMED),
        ("policy_enforcement", "applaud", AccountState.UNKNOWN),
        ("policy_enforcement", ["block"], AccountState.UNKNOWN),
    ],
)
def test_policy_enforcement_changes_the_account(key: str, action: Json, state: AccountState) -> None:
    """Both spellings; the platform's reason is a sentence and is not kept (SM-4)."""
    found = event({"recipient": {"id": ACCOUNT}, key: {"action": action, "reason": CANARY}})
    assert found.state is state
    assert CANARY not in encoded([found])


@pytest.mark.parametrize(
    "key",
    [
        "referral",
        "pass_thread_control",
        "take_thread_control",
        "request_thread_control",
        "app_roles",
        "payment",
    ],
)
def test_what_is_no_conversation_is_counted_without_content(key: str) -> None:
    """A bare referral or a hand-over changes no transcript."""
    assert events(item(**{key: {"metadata": CANARY, "ref": CANARY}})) == [Noted(account=ACCOUNT, what=key)]
