"""Requests that are refused, and the places of a request where nobody looks."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from tests.flows.canaries.mint import TENANT, Attempt, Mint, Shape
from tests.flows.canaries.wire import (
    ig,
    post,
)


def malformed(m: Mint) -> list[Attempt]:
    bodies = (
        f'{{"object": "instagram", "entry": [{{"text": "{m.secret()}"',
        f"{m.secret()}",
        f'{{"a": {m.secret()}}}',
    )
    return [
        msgspec.structs.replace(post("instagram", body.encode()), statuses=frozenset({400}))
        for body in bodies
    ]


def not_utf8(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.aside(), "text": f"{m.aside()} {m.cdn()} BAD"}).body.replace(
        b"BAD", b"\xff\xfe"
    )
    odd = (body, b"\xef\xbb\xbf" + ig(scene, message={"mid": m.aside(), "text": m.cdn()}).body)
    return [msgspec.structs.replace(post("instagram", one), statuses=frozenset({200, 400})) for one in odd]


def deep(m: Mint) -> list[Attempt]:
    body = b'{"a":' * 5000 + json.dumps(m.secret()).encode() + b"}" * 5000
    return [msgspec.structs.replace(post("whatsapp", body), statuses=frozenset({200, 400}))]


def doubled_keys(m: Mint) -> list[Attempt]:
    body = f'{{"object":"instagram","entry":[],"object":"{m.secret()}","entry":[{{"id":"{m.secret()}"}}]}}'
    return [post("instagram", body.encode())]


def forged(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.secret(), "text": m.secret()}).body
    signature = {"x-hub-signature-256": f"sha256={m.secret()}"}
    return [
        Attempt(connector="instagram", body=body, headers=signature, signed=False, statuses=frozenset({401}))
    ]


def unsigned(m: Mint) -> list[Attempt]:
    body = json.dumps({"for_user_id": m.secret(), "url": m.cdn()}).encode()
    return [
        Attempt(connector=connector, body=body, signed=False, statuses=frozenset({401}))
        for connector in ("whatsapp", "facebook", "instagram", "x")
    ]


def oversized(m: Mint) -> list[Attempt]:
    body = json.dumps({"text": m.secret()}).encode() + b" " * (5 << 20) + m.secret().encode()
    return [Attempt(connector="whatsapp", body=body, statuses=frozenset({413}))]


def unknown_paths(m: Mint) -> list[Attempt]:
    paths = (
        f"/webhooks/{m.secret()}/whatsapp",
        f"/webhooks/{TENANT}/{m.secret()}",
        f"/{m.secret()}",
        f"/webhooks/..%2f{m.secret()}/x",
    )
    return [
        Attempt(connector="whatsapp", path=path, body=m.secret().encode(), statuses=frozenset({400, 404}))
        for path in paths
    ]


def query_string(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.id(), "text": m.words()}).body
    query = f"/webhooks/{TENANT}/instagram?{m.secret()}={m.secret()}&url={quote(m.cdn(), safe='')}"
    return [Attempt(connector="instagram", path=query, body=body, statuses=frozenset({200, 400, 404}))]


def request_headers(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    headers = {
        "user-agent": m.secret(),
        "referer": m.cdn(),
        "cookie": f"session={m.secret()}",
        "authorization": f"Bearer {m.secret()}",
        "x-forwarded-for": m.secret(),
        "x-request-id": m.secret(),
        "traceparent": m.secret(),
        f"x-{m.secret()}": m.secret(),
        "content-type": f"text/{m.secret()}",
    }
    return [msgspec.structs.replace(ig(scene, message={"mid": m.id(), "text": m.words()}), headers=headers)]


def compressed(m: Mint) -> list[Attempt]:
    body = gzip.compress(ig(m.scene("instagram"), message={"mid": m.secret(), "text": m.secret()}).body)
    headers = {"content-encoding": "gzip"}
    return [Attempt(connector="instagram", body=body, headers=headers, statuses=frozenset({415}))]


def strange_encoding(m: Mint) -> list[Attempt]:
    headers = {"content-encoding": m.secret()}
    return [Attempt(connector="instagram", body=b"{}", headers=headers, statuses=frozenset({415}))]


def wrong_handshake(m: Mint) -> list[Attempt]:
    query = f"hub.mode=subscribe&hub.challenge={m.secret()}&hub.verify_token={m.secret()}"
    return [
        Attempt(connector=c, method="GET", path=f"/webhooks/{TENANT}/{c}?{query}", statuses=frozenset({403}))
        for c in ("whatsapp", "facebook", "instagram")
    ]


def other_methods(m: Mint) -> list[Attempt]:
    return [
        Attempt(connector="x", method=method, body=m.secret().encode(), statuses=frozenset({405}))
        for method in ("PUT", "DELETE", "PATCH")
    ]


def forged_callback(m: Mint) -> list[Attempt]:
    claims = base64.urlsafe_b64encode(json.dumps({"user_id": m.secret()}).encode()).decode().rstrip("=")
    form = f"signed_request={m.secret()}.{claims}".encode()
    return [
        Attempt(
            connector="facebook",
            path=f"/webhooks/{TENANT}/facebook/{name}",
            body=form,
            headers={"content-type": "application/x-www-form-urlencoded"},
            signed=False,
            statuses=frozenset({401}),
        )
        for name in ("deauthorize", "data-deletion")
    ]


def admin_requests(m: Mint) -> list[Attempt]:
    return [
        Attempt(
            connector="", method="GET", path=f"{path}?{m.secret()}=1", headers={"cookie": m.secret()}, admin=True,
            statuses=frozenset({200, 400, 404}),
        )
        for path in ("/metrics", "/status", "/livez", "/readyz", f"/{m.secret()}")
    ]  # fmt: skip


def bare_sockets(m: Mint) -> list[Attempt]:
    """What no HTTP library would send: two lengths, a line that is none, endless headers, half a body."""
    head = f"POST /webhooks/{TENANT}/instagram HTTP/1.1\r\nhost: a\r\n"
    text = m.secret()
    requests = (
        f"{head}content-length: {len(text)}\r\ntransfer-encoding: chunked\r\n\r\n{text}",
        f"{m.secret()} {m.secret()}\r\n\r\n",
        f"GET /{m.secret()} HTTP/9.9\r\n\r\n",
        f"{head}x-a: {m.secret()}{'y' * 40_000}\r\n\r\n",
        f"{head}x-a\x00{m.secret()}: 1\r\ncontent-length: 0\r\n\r\n",
        f"{head}content-length: 1000\r\n\r\n{m.secret()}",
        f"{head}content-length: -{m.secret()}\r\n\r\n",
        f"{head}transfer-encoding: chunked\r\n\r\n{m.secret()}\r\n\r\n",
        f"{head}upgrade: {m.secret()}\r\nconnection: upgrade\r\n\r\n",
        f"GET /{m.secret() * 400} HTTP/1.1\r\nhost: {m.secret()}\r\n\r\n",
    )
    return [Attempt(connector="instagram", raw=request.encode("latin-1")) for request in requests]


SHAPES: Final[Sequence[Shape]] = (
    malformed,
    not_utf8,
    deep,
    doubled_keys,
    forged,
    unsigned,
    oversized,
    unknown_paths,
    query_string,
    request_headers,
    compressed,
    strange_encoding,
    wrong_handshake,
    other_methods,
    forged_callback,
    admin_requests,
    bare_sockets,
)
