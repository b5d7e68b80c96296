"""Meta's handshake and callbacks where a lenient library would let something through."""

from __future__ import annotations

import base64
import hmac
import json

import pytest

from connectors.constant_time import any_equal
from connectors.contract import Credentials, SignatureRefused, WebhookRequest
from connectors.meta import handshake, signed_request

NOW = 1_790_000_000_000_000
SECRET = b"app-secret"
RING = Credentials(signing_secrets=(SECRET,))


def _signed_request() -> tuple[str, str]:
    claims = {"algorithm": "HMAC-SHA256", "user_id": "218471", "issued_at": NOW // 1_000_000}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    digest = hmac.digest(SECRET, payload.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), payload


def test_a_token_that_was_left_empty_opens_nothing() -> None:
    """Not even to a request that gives none."""
    request = WebhookRequest(method="GET", headers={}, query={"hub.mode": "subscribe", "hub.challenge": "1"})
    answer = handshake(request, Credentials(signing_secrets=(SECRET,), verify_tokens=(b"",)))
    assert answer is not None
    assert answer.status == 403


@pytest.mark.parametrize("junk", ["!", ".", "%20", "%0A", "%00", "=", "*" * 4, "%C3%A9"])
@pytest.mark.parametrize("place", [0, 5, 43])
def test_a_signature_has_one_spelling(junk: str, place: int) -> None:
    """The base64 of the standard library passes over what is not in its alphabet; ours does not."""
    signature, payload = _signed_request()
    good = f"signed_request={signature}.{payload}".encode()
    assert signed_request(good, RING, NOW).user_id == "218471"
    bent = f"signed_request={signature[:place]}{junk}{signature[place:]}.{payload}"
    if (junk, place) == ("=", 43):  # the padding that the form leaves out
        assert signed_request(bent.encode(), RING, NOW).user_id == "218471"
        return
    with pytest.raises(SignatureRefused):
        signed_request(bent.encode(), RING, NOW)


@pytest.mark.parametrize(
    ("given", "candidates", "expected"),
    [(b"a", (b"a", b"b"), True), (b"b", (b"a", b"b"), True), (b"c", (b"a", b"b"), False), (b"a", (), False),
     (b"", (), False), (b"a", (b"aa",), False)],
)  # fmt: skip
def test_any_of_the_ring_matches(given: bytes, candidates: tuple[bytes, ...], expected: bool) -> None:  # noqa: FBT001
    """Whichever it is; an empty ring matches nothing."""
    assert any_equal(given, iter(candidates)) is expected


def test_every_candidate_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk does not end at the first match: the time taken would tell its place."""
    compared: list[bytes] = []

    def compare(given: bytes, candidate: bytes) -> bool:
        compared.append(candidate)
        return given == candidate

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert any_equal(b"a", (b"a", b"b", b"a"))
    assert compared == [b"a", b"b", b"a"]
