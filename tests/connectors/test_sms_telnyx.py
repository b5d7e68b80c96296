"""Telnyx: what is sent, what answers mean, and whose signatures pass."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import (
    Credentials,
    HttpAnswer,
    Refused,
    Sending,
    SendResult,
    Sent,
    SignatureRefused,
    Text,
    Unknown,
    WebhookRequest,
)
from connectors.sms_telnyx.outbound import FAILURES, OUTBOUND
from connectors.sms_telnyx.webhook import STATUSES, TOLERANCE, parse, verify
from policies.event import DeliveryReported, Failure

NOW = 1_790_000_000_000_000
TEXT = Text(id="0123456789abcdef" * 2, sender="+12025550100", recipient="+12025550123", text="Café 👍")
OPTIONS = {"messaging_profile_id": "", "base_url": "https://api.telnyx.com"}
SENDING = Sending(options=OPTIONS, secrets={"api_key": (b"current", b"previous")})
CALLBACK = "https://hooks.example.org/webhooks/acme/sms-telnyx"


# --- sending ------------------------------------------------------------------------------------------------


def body(text: Text = TEXT, sending: Sending = SENDING) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(OUTBOUND.build_request(text, sending).body)
    return decoded


def test_a_text_is_one_post_with_the_current_key() -> None:
    """Nothing is asked for that nobody configured."""
    request = OUTBOUND.build_request(TEXT, SENDING)
    assert (request.method, request.url) == ("POST", "https://api.telnyx.com/v2/messages")
    assert request.headers["authorization"] == "Bearer current"
    assert body() == {"from": "+12025550100", "to": "+12025550123", "text": "Café 👍", "type": "SMS"}


def test_the_address_of_the_callbacks_holds_our_id_and_comes_back_with_it() -> None:
    """What is given with the text is found again in its report."""
    told = body(sending=msgspec.structs.replace(SENDING, callback_url=CALLBACK))
    assert told["webhook_url"] == f"{CALLBACK}?ref={TEXT.id}"
    payload = {"id": "t-1", "to": [{"status": "sent"}], "webhook_url": told["webhook_url"]}
    [event] = parse({"data": {"event_type": "message.sent", "payload": payload}}, NOW)
    assert isinstance(event, DeliveryReported)
    assert event.ours == TEXT.id


def test_a_name_goes_with_the_profile_that_it_belongs_to() -> None:
    """Telnyx asks for it."""
    options = OPTIONS | {"messaging_profile_id": "p-1"}
    told = body(
        msgspec.structs.replace(TEXT, sender="Acme"), Sending(options=options, secrets=SENDING.secrets)
    )
    assert (told["from"], told["messaging_profile_id"]) == ("Acme", "p-1")


def errors(*codes: object) -> dict[str, object]:
    return {"errors": [{"code": code, "title": "made-up"} for code in codes]}


TAKEN = {"data": {"id": "t-1", "to": [{"status": "queued"}]}}
ANSWERS: dict[str, tuple[int, object, SendResult]] = {
    "taken": (200, TAKEN, Sent(id="t-1")),
    "taken, with a warning": (200, TAKEN | errors("40328"), Sent(id="t-1")),
    "taken, no id": (200, {"data": {}}, Unknown()),
    "nothing said": (200, {}, Unknown()),
    "errors under 200": (200, errors("40300"), Refused(failure=Failure.OPTED_OUT, code=40300)),
    "opted out": (400, errors("40300"), Refused(failure=Failure.OPTED_OUT, code=40300)),
    "opted out, with 403": (403, errors("40300"), Refused(failure=Failure.OPTED_OUT, code=40300)),
    "sender": (422, errors("40305"), Refused(failure=Failure.SENDER, code=40305)),
    "a number": (422, errors(40310), Refused(failure=Failure.DEAD_NUMBER, code=40310)),
    "the second is known": (422, errors("49999", "40312"), Refused(failure=Failure.ACCOUNT, code=40312)),
    "unknown": (422, errors("49999"), Refused(failure=Failure.REJECTED, code=49999)),
    "no code": (422, errors(None, "x", [1]), Refused(failure=Failure.REJECTED)),
    "throttled": (429, errors("10011"), Refused(failure=Failure.THROTTLED, code=10011)),
    "a daily limit told with 429": (429, errors("40016"), Refused(failure=Failure.QUOTA, code=40016)),
    "an internal error by its number": (500, errors("10007"), Unknown()),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_answer_means(case: str) -> None:
    """The number first, then the status; what may have been taken is unknown."""
    status, told, meant = ANSWERS[case]
    answer = HttpAnswer(status=status, headers={}, body=msgspec.json.encode(told))
    assert OUTBOUND.read_result(answer, SENDING) == meant


def test_the_error_reference_is_believed_where_the_page_about_webhooks_differs() -> None:
    """40300 is a person who sent STOP, not a dead number; 40008 is in no class that anybody acts on."""
    assert FAILURES[40300] is Failure.OPTED_OUT
    assert 40008 not in FAILURES


# --- webhooks -----------------------------------------------------------------------------------------------

KEY, ANOTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
BODY = b'{"data":{}}'


def public(key: Ed25519PrivateKey) -> bytes:
    return base64.b64encode(key.public_key().public_bytes_raw())


def accepts(
    signature: bytes | str,
    *,
    time: str = str(NOW // 1_000_000),
    at: int = NOW,
    ring: tuple[bytes, ...] = (public(KEY),),
    content: bytes = BODY,
) -> bool:
    shown = signature if isinstance(signature, str) else base64.b64encode(signature).decode()
    headers = {"telnyx-signature-ed25519": shown, "telnyx-timestamp": time}
    request = WebhookRequest(method="POST", headers=headers, query={}, body=content, received_at=at)
    try:
        verify(request, Credentials(signing_secrets=ring))
    except SignatureRefused as refused:
        return bool(refused.args)  # a refusal that tells why is none
    return True


def signature(content: bytes = BODY, time: str = str(NOW // 1_000_000)) -> bytes:
    return KEY.sign(time.encode() + b"|" + content)


def test_a_signature_is_good_for_five_minutes_either_way() -> None:
    """To the second."""
    for seconds, passes in ((0, True), (300, True), (-300, True), (301, False), (-301, False)):
        assert accepts(signature(), at=NOW + seconds * 1_000_000) is passes
    assert TOLERANCE == 300 * 1_000_000


@pytest.mark.parametrize(
    "time", ["", "x", "-1", "1790000000.0", "1790000000000", "１７９", " 1790000000", "1790000000\n"]
)
def test_a_time_is_seconds_in_digits(time: str) -> None:
    """Also where the signature over just this spelling is right."""
    assert not accepts(KEY.sign(time.encode() + b"|" + BODY), time=time)


def test_the_bar_between_time_and_body_cannot_wander() -> None:
    """A body that begins with digits and a bar is not another's time."""
    moved = b"5|" + BODY
    assert not accepts(KEY.sign(b"1790000000|" + moved), time="17900000005", content=BODY)
    assert accepts(KEY.sign(b"1790000000|" + moved), content=moved)


@pytest.mark.parametrize(
    "ring",
    [
        (),
        (b"",),
        (b"AAAA",),
        (b"!" * 44,),
        (base64.b64encode(b"\x00" * 32),),
        (base64.b64encode(b"\x01" + b"\x00" * 31),),
        (base64.b64encode(b"\xff" * 32),),
        (public(KEY) + b"\n",),
        (base64.b64decode(public(KEY)),),
        (public(ANOTHER),),
        (b"\xff\xfe",),
    ],
    ids=repr,
)
def test_what_is_no_key_of_theirs_lets_nothing_pass(ring: tuple[bytes, ...]) -> None:
    """A mistyped key refuses everything, and breaks nothing."""
    assert not accepts(signature(), ring=ring)


@settings(max_examples=60)
@given(place=st.integers(0, 63), change=st.integers(1, 255))
def test_a_signature_with_one_byte_changed_is_refused(place: int, change: int) -> None:
    """Any byte, in any way."""
    right = signature()
    assert not accepts(right[:place] + bytes([right[place] ^ change]) + right[place + 1 :])


@pytest.mark.parametrize("word", [*STATUSES, "webhook_delivered", "SENT", ""])
@pytest.mark.parametrize("event_type", ["message.sent", "message.finalized"])
def test_a_status_word_moves_a_text_only_if_the_table_knows_it(word: str, event_type: str) -> None:
    """As it is written, and no other way."""
    payload = {"id": "t-1", "from": {"phone_number": "+12025550100"}, "to": [{"status": word}]}
    [event] = parse({"data": {"event_type": event_type, "payload": payload}}, NOW)
    assert (event.status if isinstance(event, DeliveryReported) else None) == STATUSES.get(word)


@pytest.mark.parametrize(
    "address",
    [None, 5, "", "no address", "http://[", "https://x/?ref=short", "https://x/?ref=" + "g" * 32, "https://x/?" + "a=b&" * 99,
     "https://x/?ref=" + "A" * 32, "?" + "x" * 5000],
)  # fmt: skip
def test_an_address_without_our_id_names_no_text_of_ours(address: object) -> None:
    """Reports of texts that others sent from this number are taken all the same."""
    payload = {"id": "t-1", "to": [{"status": "sent"}], "webhook_url": address}
    [event] = parse({"data": {"event_type": "message.sent", "payload": payload}}, NOW)
    assert isinstance(event, DeliveryReported)
    assert event.ours == ""
