"""Deauthorise and data-deletion callbacks that Meta did not send, or sent long ago; codes that nobody was given."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.flows.two_tenants import META, House
from worker.store.callbacks import callbacks
from worker.tour import samples


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One worker for all attacks of this file."""
    with House(tmp_path_factory.mktemp("callbacks")).running() as house:
        yield house


def signed_request(secret: bytes, *, age: float = 0, **changed: Any) -> bytes:
    """The body of a callback as Meta signs it; ``age`` in seconds."""
    claims = {"algorithm": "HMAC-SHA256", "issued_at": int(time.time() - age), "user_id": samples.digits()}
    payload = base64.urlsafe_b64encode(json.dumps(claims | changed).encode()).rstrip(b"=")
    digest = base64.urlsafe_b64encode(hmac.digest(secret, payload, "sha256")).rstrip(b"=")
    return b"signed_request=" + digest + b"." + payload


def call(
    house: House, connector: str, body: bytes, kind: str = "data-deletion", tenant: str = "acme"
) -> httpx.Response:
    form = {"content-type": "application/x-www-form-urlencoded"}
    return house.client.post(f"/webhooks/{tenant}/{connector}/{kind}", content=body, headers=form)


def recorded(house: House) -> int:
    with house.rig.opened() as (store, _), store.reading() as tx:
        return len(tx.execute(select(callbacks)).all())


@pytest.mark.parametrize("connector", META)
def test_a_forged_callback_is_refused(connector: str, house: House) -> None:
    """Another's secret, another connector's, an old one, one from the future, a bent one: nothing is recorded."""
    right = house.secrets["acme", connector]
    good = signed_request(right)
    digest, _, payload = good.removeprefix(b"signed_request=").partition(b".")
    unsigned = base64.urlsafe_b64encode(
        b'{"algorithm":"none","user_id":"1","issued_at":%d}' % time.time()
    ).rstrip(b"=")
    forged: Mapping[str, bytes] = {
        "another tenant's": signed_request(house.secrets["evil", connector]),
        "another connector's": signed_request(house.secrets["acme", "x"]),
        "an empty secret": signed_request(b""),
        "a day and an hour old": signed_request(right, age=25 * 3600),
        "an hour early": signed_request(right, age=-3600),
        "without a time": signed_request(right, issued_at=None),
        "of a time that is none": signed_request(right, issued_at="soon"),
        "without a user": signed_request(right, user_id=None),
        "another algorithm": signed_request(right, algorithm="none"),
        "no signature": b"signed_request=." + payload,
        "half a signature": b"signed_request=" + digest[:-4] + b"." + payload,
        "another payload": b"signed_request=" + digest + b"." + unsigned,
        "signed in hexadecimal": b"signed_request=" + hmac.digest(right, payload, "sha256").hex().encode() + b"." + payload,
        "a padded signature with more": b"signed_request=" + digest + b"=!." + payload,
        "two, the wrong one first": b"signed_request=" + digest + b"." + unsigned + b"&" + good,
        "under another name": good.replace(b"signed_request", b"signed_requests"),
        "as JSON": json.dumps({"signed_request": good.decode()}).encode(),
        "nothing": b"",
        "many fields": b"&".join(b"a%d=1" % number for number in range(1000)) + b"&" + good,
        "a bomb": signed_request(right, x=[[]] * 3, y="\ud800")[:-3],
    }  # fmt: skip
    before = recorded(house)
    for kind in ("data-deletion", "deauthorize"):
        assert {
            name: call(house, connector, body, kind).status_code for name, body in forged.items()
        } == dict.fromkeys(forged, 401)
    assert call(house, connector, good, tenant="nobody").status_code == 404
    assert call(house, connector, good, tenant="evil").status_code == 401
    assert call(house, connector, good + b"&x=" + b"y" * 70_000).status_code == 413
    assert call(house, connector, good, kind="delete").status_code == 404
    assert call(house, "x", good).status_code == 404
    assert recorded(house) == before


def test_a_callback_that_comes_again_is_the_same_one(house: House) -> None:
    """One row, one code, however often it is sent; another person has another."""
    secret = house.secrets["acme", "instagram"]
    body, before = signed_request(secret), recorded(house)
    codes = {call(house, "instagram", body).json()["confirmation_code"] for _ in range(4)}
    assert len(codes) == 1
    assert call(house, "instagram", signed_request(secret)).json()["confirmation_code"] not in codes
    assert recorded(house) == before + 2


def test_a_code_cannot_be_guessed(house: House) -> None:
    """It is long and random, belongs to its tenant, and stands in the address that was given and nowhere else."""
    user = f"<script>{secrets.token_hex(8)}</script>"
    answer = call(house, "facebook", signed_request(house.secrets["acme", "facebook"], user_id=user)).json()
    code = answer["confirmation_code"]
    assert len(code) >= 22
    assert answer["url"].endswith(f"/data-deletion/acme/{code}")
    page = house.client.get(f"/data-deletion/acme/{code}")
    assert (page.status_code, code in page.text, "script" in page.text) == (200, True, False)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    guesses = [
        code[:-1],
        code + "a",
        code.swapcase(),
        "%",
        "_" * 22,
        f"{code}/",
        f"{code}%00",
        "' OR 1=1 --",
        "<script>",
        "..%2Facme%2F" + code,
        "*",
    ]
    paths = [f"acme/{guess}" for guess in guesses] + [
        f"evil/{code}",
        f"nobody/{code}",
        f"ACME/{code}",
        code,
        f"/{code}",
        f"%61cme/{code}",
    ]
    for path in paths:
        wrong = house.client.get(f"/data-deletion/{path}")
        assert (wrong.status_code, wrong.text) == (404, "not found\n"), path
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        assert house.client.request(method, f"/data-deletion/acme/{code}").status_code == 404


def test_nothing_of_it_is_shown(house: House) -> None:
    """Neither secrets nor user ids stand in a line or on a page, and nothing failed on the way."""
    assert house.shows(*(secret.decode() for secret in house.secrets.values()), "script") == []
