"""X's challenge and signature, and what no delivery can do to the parser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Credentials, SignatureRefused, WebhookAnswer, WebhookRequest
from connectors.x.vocabulary import KEYS, Note, Why
from connectors.x.webhook import SIGNATURE_HEADER, handshake, parse, sample_signature, verify
from policies.event import AccountChanged, Event, MessageReceived, Noted, Unrecognised
from policies.message import Json

NOW = 1_790_000_000_000_000
SHOP, LENA = "700100200300400501", "700100200300400777"
CURRENT, PREVIOUS = b"current-consumer-secret", b"previous-consumer-secret"
RING = Credentials(signing_secrets=(CURRENT, PREVIOUS))
CANARY = "zanzibar-canary"


def _expected(secret: bytes, message: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()


def _get(token: str | None) -> WebhookAnswer | None:
    query = {} if token is None else {"crc_token": token}
    return handshake(WebhookRequest(method="GET", headers={}, query=query), RING)


def _posted() -> WebhookRequest:
    return WebhookRequest(method="POST", headers={}, query={}, body=BODY)


def _accepts(body: bytes, header: str | None, credentials: Credentials = RING) -> bool:
    headers = {} if header is None else {SIGNATURE_HEADER: header}
    try:
        verify(WebhookRequest(method="POST", headers=headers, query={}, body=body), credentials)
    except SignatureRefused:
        return False
    return True


# -- the challenge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["test token", "NDRhZjhi-Mw_Y==", "a", "plus+slash/=", "x" * 512, "<script>"]
)
def test_a_challenge_is_answered_under_the_current_secret(token: str) -> None:
    """X compares the answer with its own: the previous secret must not sign."""
    answer = _get(token)
    assert answer is not None
    assert answer.status == 200
    assert answer.content_type == "application/json"
    assert json.loads(answer.body) == {"response_token": _expected(CURRENT, token.encode())}


def test_the_answer_is_the_one_that_public_code_computes() -> None:
    """HMAC-SHA256 in base64 as RFC 4231 has it (test case 2), so that no mistake of ours cancels itself out."""
    credentials = Credentials(signing_secrets=(b"Jefe",))
    request = WebhookRequest(method="GET", headers={}, query={"crc_token": "what do ya want for nothing?"})
    answer = handshake(request, credentials)
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert answer is not None
    assert json.loads(answer.body)["response_token"] == "sha256=" + base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "x" * 513,
        '{"a":1}',
        "[1]",
        '"',
        "back\\slash",
        "line\nbreak",
        "nul\0",
        "café",
        "\ud800",
        "a\n",
    ],
)
def test_a_missing_or_suspicious_token_gets_400(token: str | None) -> None:
    """The answer is fixed: it shows nothing of what was asked."""
    assert _get(token) == WebhookAnswer(status=400, body=b"crc_token missing or malformed\n")


def test_without_a_secret_no_challenge_is_answered() -> None:
    """An empty ring is a misconfiguration, not an exception."""
    request = WebhookRequest(method="GET", headers={}, query={"crc_token": "token"})
    answer = handshake(request, Credentials(signing_secrets=()))
    assert answer is not None
    assert answer.status == 400


def test_a_post_is_no_challenge() -> None:
    """Even when its query says otherwise."""
    assert handshake(WebhookRequest(method="POST", headers={}, query={"crc_token": "t"}), RING) is None


@given(
    st.text(max_size=60) | st.sampled_from(['{"for_user_id":"1"}', '[{"data":{}}]', "[]", "{}", "NaN", "17"])
)
def test_no_answered_token_signs_a_delivery(token: str) -> None:
    """Token and body are signed alike: whoever asks must never get the signature of anything that is taken."""
    answer = _get(token)
    assert answer is not None
    if answer.status == 200:
        assert not _accepts(token.encode(), json.loads(answer.body)["response_token"])


def test_the_app_of_a_revocation_is_a_number() -> None:
    """It stands in the store in the clear: no text is taken for it."""
    revoke = {"source": {"user_id": SHOP}, "target": {"app_id": CANARY}}
    (event,) = parse({"user_event": {"revoke": revoke}}, NOW)
    assert isinstance(event, AccountChanged)
    assert event.subject == ""


# -- the signature ---------------------------------------------------------------------------------------

BODY = '{"for_user_id":"1","x":"café \U0001f600"}'.encode()
_GOOD = _expected(CURRENT, BODY)

FORGED = {
    "absent": None,
    "empty": "",
    "prefix alone": "sha256=",
    "without prefix": _GOOD.removeprefix("sha256="),
    "truncated": _GOOD[:-2],
    "longer": _GOOD + "=",
    "newline": _GOOD + "\n",
    "in hex, as Meta writes it": "sha256=" + hmac.new(CURRENT, BODY, hashlib.sha256).hexdigest(),
    "another tenant's": _expected(b"another tenant's secret", BODY),
    "another body's": _expected(CURRENT, BODY + b" "),
    "other case": _GOOD.swapcase(),
    "other algorithm": _GOOD.replace("sha256", "sha512"),
    "not ASCII": "sha256=" + "é" * 44,
    "lone surrogate": "sha256=" + "\ud800" * 44,
    "other alphabet": "sha256=" + "-" * 43 + "=",
    "same bits, other padding": _GOOD[:-2] + ("B" if _GOOD[-2] == "A" else "A") + "=",
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED.keys())
def test_a_forged_signature_is_refused(header: str | None) -> None:
    """Absent, malformed, truncated, another's."""
    assert not _accepts(BODY, header)


@pytest.mark.parametrize("secret", [CURRENT, PREVIOUS])
def test_every_secret_of_the_ring_verifies(secret: bytes) -> None:
    """A rotation loses no delivery."""
    assert _accepts(BODY, sample_signature(_posted(), secret)[SIGNATURE_HEADER])
    assert sample_signature(_posted(), secret) == {SIGNATURE_HEADER: _expected(secret, BODY)}


def test_an_empty_ring_verifies_nothing() -> None:
    """Nor does a header that matches the empty comparison."""
    assert not _accepts(BODY, _GOOD, Credentials(signing_secrets=()))
    assert not _accepts(BODY, "", Credentials(signing_secrets=()))


@given(st.binary(max_size=64).map(b"{%b}".__mod__), st.integers(0, 7), st.data())
def test_one_changed_bit_anywhere_is_refused(body: bytes, bit: int, data: st.DataObject) -> None:
    """In the body, whose exact bytes are signed, as in the signature."""
    header = _expected(CURRENT, body)
    assert _accepts(body, header)
    at = data.draw(st.integers(0, len(body) - 1))
    assert not _accepts(body[:at] + bytes([body[at] ^ (1 << bit)]) + body[at + 1 :], header)
    at = data.draw(st.integers(7, len(header) - 1))
    assert not _accepts(body, header[:at] + chr(ord(header[at]) ^ 1) + header[at + 1 :])


def test_a_refusal_says_nothing() -> None:
    """Neither body nor digest nor secret stands in the exception."""
    with pytest.raises(SignatureRefused) as refused:
        verify(WebhookRequest(method="POST", headers={SIGNATURE_HEADER: "x"}, query={}, body=BODY), RING)
    assert str(refused.value) == ""
    assert refused.value.__cause__ is None


# -- parsing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [{"data": None}, {"data": []}, {}, [], [[]], None, "x", 7, {"for_user_id": SHOP}]
)
def test_a_delivery_that_says_nothing_is_counted(payload: Json) -> None:
    """Authentic and empty is not understood: its shape is kept."""
    (event,) = parse(payload, NOW)
    assert isinstance(event, Unrecognised)
    assert event.why == Why.ENVELOPE


def _dm(text: str, id_: int = 2_098_683_027_256_246_273) -> dict[str, Json]:
    create = {"target": {"recipient_id": SHOP}, "sender_id": LENA, "message_data": {"text": text}}
    return {
        "type": "message_create",
        "id": str(id_),
        "created_timestamp": "1789200000000",
        "message_create": create,
    }


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.none().map(lambda _: 10**5000)
    | st.just("\ud800")
)
_keys = st.sampled_from(sorted(KEYS)) | st.text(max_size=4)
_trees: st.SearchStrategy[Json] = st.recursive(
    _scalars | st.sampled_from([SHOP, LENA, "dm.received", "post.create", "message_create", "photo"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_trees, st.lists(_trees, max_size=4))
def test_any_tree_of_x_s_words_becomes_events(tree: Json, items: list[Json]) -> None:
    """Whatever comes, in either envelope, the words are of the closed tables and nothing is raised."""
    for payload in (
        tree,
        {"data": tree},
        {"for_user_id": SHOP, "direct_message_events": items},
        {"data": items},
    ):
        for event in parse(payload, NOW):
            assert isinstance(event, Event)
            if isinstance(event, Unrecognised):
                assert event.why in set(Why)
            if isinstance(event, Noted):
                assert event.what in set(Note)


@settings(max_examples=100, deadline=None)
@given(st.lists(_trees, max_size=5))
def test_bad_items_change_nothing_for_the_good_ones(bad: list[Json]) -> None:
    """One bad item becomes its shape; its neighbours are read as if it were not there."""
    good = [_dm(f"number {number}", 10**18 + number) for number in range(len(bad) + 1)]
    mixed: list[Json] = [good[0]]
    for item, neighbour in zip(bad, good[1:], strict=True):
        mixed += [item, neighbour]
    events = parse({"for_user_id": SHOP, "direct_message_events": mixed}, NOW)
    ids = [event.message.id for event in events if isinstance(event, MessageReceived)]
    assert [id_ for id_ in ids if int(id_.replace("derived:", "0x"), 0) in range(10**18, 10**18 + 9)] == [
        str(10**18 + number) for number in range(len(good))
    ]


def test_a_reader_that_fails_costs_its_own_item_only() -> None:
    """A number too long to be written down breaks the derived id; the next message stands."""
    broken = _dm("broken")
    broken["id"] = 10**5000
    first, second = parse({"for_user_id": SHOP, "direct_message_events": [broken, _dm("well")]}, NOW)
    assert isinstance(first, Unrecognised)
    assert first.why == Why.PARSER_ERROR
    assert isinstance(second, MessageReceived)


def _leaves(value: Json) -> Iterator[Json]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not isinstance(value, (dict, list)):
        yield value
    for item in inner:
        yield from _leaves(item)


CHAT = {
    "conversation_token": CANARY,
    "id": CANARY,
    "sender_id": LENA,
    "encoded_event": CANARY,
    "conversation_key_change_event": CANARY,
    "message_event_signature": {"signature": CANARY},
    CANARY: {CANARY: [CANARY]},
}


@pytest.mark.parametrize(
    "event_type",
    "chat.received chat.sent chat.conversation.join chat.update.group_name broadcast.chat like.create news.new "
    "profile.update.bio post.repost.create follow.follow spaces.start mute.mute block.unblock poll.vote".split(),
)
def test_nothing_of_a_noted_or_unknown_activity_is_kept(event_type: str) -> None:
    """Ciphertext, names, titles and keys: the event holds the account and a word."""
    data = {"event_uuid": CANARY, "tag": CANARY, "filter": {"user_id": SHOP}, "event_type": event_type}
    (event,) = parse(
        {"data": {**data, "payload": CHAT, "includes": {"users": [{"id": LENA, "name": CANARY}]}}}, NOW
    )
    assert isinstance(event, (Noted, Unrecognised))
    assert event.account == SHOP
    assert CANARY not in msgspec.json.encode(event).decode()


def test_three_megabytes_are_read_in_bounded_time() -> None:
    """Many items, many links, many users, one long text: each costs in proportion (the suite's timeout judges)."""
    text = "https://t.co/abcdefghij " * 60_000
    urls = [{"url": "https://t.co/abcdefghij", "expanded_url": "https://a.example/" + "x" * 4000}] * 20_000
    long = _dm(text)
    long["message_create"]["message_data"]["entities"] = {"urls": urls}
    many = [_dm("short", 10**18 + number) for number in range(10_000)]
    users = {str(number): {"id_str": str(number), "name": "n"} for number in range(30_000)}
    payload = {"for_user_id": SHOP, "direct_message_events": [long, *many], "users": users}
    events = list(parse(payload, NOW))
    assert len(events) == 10_001
    assert isinstance(events[0], MessageReceived)
    assert len(events[0].message.content.text or "") < 6_500_000
