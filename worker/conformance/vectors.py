"""Signatures and handshakes: what must be let in to the byte, and what must be kept out."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec

from connectors import meta
from connectors.contract import Credentials, SignatureRefused
from connectors.decode import decode
from connectors.registry import CONNECTORS
from worker.conformance.judge import Miss
from worker.conformance.labels import (
    CONNECTOR_OF,
    ChallengeVector,
    Corpus,
    HandshakeVector,
    Signatures,
    SignatureVector,
    SignedRequestVector,
)
from worker.conformance.rig import Guest

META: Final = ("whatsapp", "facebook", "instagram")
CALLBACKS: Final = ("deauthorize", "data-deletion")

Check = Callable[[httpx.Client, Guest], Iterator[str]]
"""Yields what was seen instead of what must be."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One vector, the tenant it is tried on, and how."""

    label: str
    guest: Guest
    check: Check

    def run(self, client: httpx.Client) -> list[Miss]:
        """Every expectation that did not come true."""
        seen = self.check(client, self.guest)
        return [Miss(label=self.label, judgement="authenticity", detail=detail) for detail in seen]


def trials(corpus: Corpus) -> list[Trial]:
    """A trial for each vector of ``signatures.json``, each on a tenant of its own."""
    signatures = corpus.signatures
    if signatures is None:
        return []
    found = [_signature(corpus, signatures, vector) for vector in signatures.vectors]
    if signatures.handshake:
        found.append(_handshake(signatures.handshake))
    if signatures.signed_request:
        found.append(_signed_request(signatures, signatures.signed_request))
    if signatures.x:
        found.append(_challenge(signatures.x))
    return [
        msgspec.structs.replace(trial, guest=_numbered(trial.guest, n)) for n, trial in enumerate(found, 1)
    ]


def _numbered(guest: Guest, number: int) -> Guest:
    return msgspec.structs.replace(guest, id=f"vector-{number:02d}")


def _signature(corpus: Corpus, signatures: Signatures, vector: SignatureVector) -> Trial:
    connector = CONNECTOR_OF[vector.file.partition("/")[0]]
    body = (corpus.directory / vector.file).read_bytes()
    accounts = {event.account for event in CONNECTORS[connector].parse(decode(body)[0], 0)} - {""}
    right = vector.x_hub_signature_256
    wrong = {vector.reserialised_utf8, vector.reserialised_ascii, right.upper(), right[:-1], ""} - {right}

    def check(client: httpx.Client, guest: Guest) -> Iterator[str]:
        path = f"/webhooks/{guest.id}/{connector}"
        for given, expected in ((right, 200), *((one, 401) for one in sorted(wrong))):
            headers = {meta.SIGNATURE_HEADER: given} if given else {}
            yield from _status(client.post(path, content=body, headers=headers), expected)
        altered = client.post(path, content=body + b" ", headers={meta.SIGNATURE_HEADER: right})
        yield from _status(altered, 401)

    guest = Guest.fresh("", {connector: sorted(accounts) or ["nobody"]}, secret=signatures.app_secret)
    return Trial(label=f"signatures.json {vector.file}", guest=guest, check=check)


def _handshake(vector: HandshakeVector) -> Trial:
    query = dict(parse_qsl(vector.request_query, keep_blank_values=True))
    token = query["hub.verify_token"]
    spoiled = urlencode(query | {"hub.verify_token": token + "x"})

    def check(client: httpx.Client, guest: Guest) -> Iterator[str]:
        for connector in META:
            path = f"/webhooks/{guest.id}/{connector}"
            answer = client.get(f"{path}?{vector.request_query}")
            yield from _status(answer, vector.ok_status)
            if answer.text != vector.ok_body:
                yield f"{connector} answered the handshake with another body"
            yield from _status(client.get(f"{path}?{spoiled}"), vector.wrong_token_status)

    guest = Guest.fresh("", {connector: ["nobody"] for connector in META}, verify_token=token)
    return Trial(label="signatures.json handshake", guest=guest, check=check)


def _signed_request(signatures: Signatures, vector: SignedRequestVector) -> Trial:
    """The vector itself is years old, so it is verified at its own time, and refused now; a fresh one is taken."""
    secret = signatures.app_secret.encode()
    claims = vector.decoded | {"issued_at": int(time.time())}
    fresh = _sealed(claims, secret)
    spoiled = _sealed(claims, secret + b"x")

    def check(client: httpx.Client, guest: Guest) -> Iterator[str]:
        if not _was_genuine(vector, secret):
            yield "the connector does not verify it at its own time"
        for connector in META:
            for callback in CALLBACKS:
                path = f"/webhooks/{guest.id}/{connector}/{callback}"
                for value, expected in ((fresh, 200), (spoiled, 401), (vector.value, 401)):
                    yield from _status(client.post(path, data={"signed_request": value}), expected)

    guest = Guest.fresh("", {connector: ["nobody"] for connector in META}, secret=signatures.app_secret)
    return Trial(label="signatures.json signed_request", guest=guest, check=check)


def _was_genuine(vector: SignedRequestVector, secret: bytes) -> bool:
    issued_at = int(vector.decoded["issued_at"]) * 1_000_000
    body = urlencode({"signed_request": vector.value}).encode()
    try:
        read = meta.signed_request(body, Credentials(signing_secrets=(secret,)), issued_at)
    except SignatureRefused:
        return False
    return read.user_id == str(vector.decoded["user_id"])


def _sealed(claims: dict[str, object], secret: bytes) -> str:
    payload = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.digest(secret, payload, "sha256")).rstrip(b"=")
    return f"{signature.decode()}.{payload.decode()}"


def _challenge(vector: ChallengeVector) -> Trial:
    body, right = vector.body.encode(), vector.x_twitter_webhooks_signature
    in_hex = "sha256=" + hmac.digest(vector.consumer_secret.encode(), body, "sha256").hex()
    refused = (in_hex, right.removeprefix("sha256="), right[:-2], "")

    def check(client: httpx.Client, guest: Guest) -> Iterator[str]:
        path = f"/webhooks/{guest.id}/x"
        answer = client.get(path, params={"crc_token": vector.crc_token})
        yield from _status(answer, 200)
        if answer.json().get("response_token") != vector.response_token:
            yield "the challenge was answered with another token"
        yield from _status(client.get(path), 400)
        for given, expected in ((right, 200), *((one, 401) for one in refused)):
            headers = {"x-twitter-webhooks-signature": given} if given else {}
            yield from _status(client.post(path, content=body, headers=headers), expected)

    accounts = _accounts_of_x(body)
    guest = Guest.fresh("", {"x": accounts or ["nobody"]}, secret=vector.consumer_secret)
    return Trial(label="signatures.json x", guest=guest, check=check)


def _accounts_of_x(body: bytes) -> Sequence[str]:
    return sorted({event.account for event in CONNECTORS["x"].parse(decode(body)[0], 0)} - {""})


def _status(answer: httpx.Response, expected: int) -> Iterator[str]:
    if answer.status_code != expected:
        yield f"{answer.request.method} {answer.request.url.path} was answered {answer.status_code}, expected {expected}"
