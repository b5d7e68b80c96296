"""Who signs with the wrong secret, sends again what was taken back, or speaks for somebody else: a whole worker is told.

Two tenants with their own secrets for each connector. What is refused, or is not the tenant's to tell, leaves no row.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Iterator

import pytest

from connectors import sample
from connectors.contract import Credentials
from connectors.registry import CONNECTORS, SOCIAL
from policies.tenant import TenantPolicy
from tests.flows.two_tenants import META, OWNED, House
from worker.intake.admission import admit, asked, route_table, strangers
from worker.log.lines import Refusal
from worker.tenants.loading import Tenant, TenantConnector, Tenants, Version
from worker.tour import samples
from worker.tour.samples import Scene

DAY_MS = 24 * 3600 * 1000
every_connector = pytest.mark.parametrize("connector", SOCIAL)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One worker for all attacks of this file."""
    with House(tmp_path_factory.mktemp("replay")).running() as house:
        yield house


def text(connector: str, tenant: str = "acme", at: int | None = None) -> tuple[bytes, str, str]:
    """A body with a plain text to the tenant, the message's id and its words."""
    scene = Scene(account=OWNED[tenant], person=samples.digits(), at=at or time.time_ns() // 1_000_000)
    id_, words = samples.message_id(connector), f"words of {secrets.token_hex(8)}"
    return samples.text(connector, scene, words, id_), id_, words


# -- signatures --------------------------------------------------------------------------------------------------


@every_connector
def test_another_secret_signs_nothing(connector: str, house: House) -> None:
    """Another tenant's, another connector's, none, half of the right one: refused, and nothing is written."""
    body, id_, _ = text(connector)
    right = house.secrets["acme", connector]
    others = [house.secrets["evil", connector], b"", right[:-1], right + b"\n", right.swapcase()]
    others += [house.secrets["acme", name] for name in SOCIAL if name != connector]
    path = f"/webhooks/acme/{connector}"
    assert [house.post(path, body, connector, secret).status_code for secret in others] == [401] * len(others)
    assert house.entry("acme", id_) is None


@every_connector
def test_a_signature_is_over_the_bytes_and_nothing_else(connector: str, house: House) -> None:
    """The same JSON in other words, a byte more or less, the other's header: refused."""
    body, id_, words = text(connector)
    right = house.secrets["acme", connector]
    signed = sample.signed(CONNECTORS[connector], body, right)
    (header, signature) = next(iter(signed.items()))
    again = [
        json.dumps(json.loads(body)).encode(),
        body + b" ",
        body[:-1],
        b"\xef\xbb\xbf" + body,
        body.replace(b"words", b"Words"),
    ]
    path = f"/webhooks/acme/{connector}"
    for other in again:
        assert house.post(path, other, connector, b"", **{header: signature}).status_code == 401
    wrong = ["", "sha256=", signature[:-1], signature + "0", signature.upper(), "sha1=" + signature[7:]]
    for value in (*wrong, f"{signature}, {signature}"):
        assert house.post(path, body, connector, b"", **{header: value}).status_code == 401
    assert house.entry("acme", id_) is None
    assert house.deliver("acme", connector, body) == 200
    assert (house.entry("acme", id_) or {})["text"] == words


@every_connector
def test_a_rotated_secret_signs_no_longer(connector: str, house: House) -> None:
    """What was current is refused as soon as it left the ring; the other connectors' are untouched."""
    body, _, _ = text(connector)
    old = house.secrets["acme", connector]
    house.secrets["acme", connector] = secrets.token_urlsafe(24).encode()
    house.configure("acme")
    house.reload()
    assert house.post(f"/webhooks/acme/{connector}", body, connector, old).status_code == 401
    assert house.deliver("acme", connector, body) == 200


def test_nobody_learns_who_is_served_here(house: House) -> None:
    """A tenant that does not exist is 404 whoever signs, one that does is 401: as designed, and nothing more is said."""
    body, _, _ = text("facebook")
    for secret in (b"", *house.secrets.values()):
        answer = house.post("/webhooks/nobody/facebook", body, "facebook", secret)
        assert (answer.status_code, answer.text) == (404, "not found\n")
    answer = house.post("/webhooks/acme/facebook", body, "facebook", b"wrong")
    assert (answer.status_code, answer.text) == (401, "signature refused\n")


@every_connector
def test_a_stranger_costs_what_a_tenant_costs(connector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of bytes is hashed for a tenant that is not there: time does not tell."""
    hashed: list[int] = []
    digest = hmac.digest

    def counting(key: bytes, message: bytes, algorithm: str) -> bytes:
        hashed.append(len(message))
        return digest(key, message, algorithm)

    source = TenantConnector(
        connector=CONNECTORS[connector],
        accounts=frozenset({"1"}),
        credentials=Credentials(signing_secrets=(b"s",)),
    )
    tenant = Tenant(
        id="acme", name="a", policy=TenantPolicy(), policy_digest="", connectors={connector: source}
    )
    routes = route_table(Tenants(versions={"acme": Version(tenant=tenant)}), SOCIAL)
    known, unknown = routes[f"/webhooks/acme/{connector}".encode()], strangers(SOCIAL)[connector]
    body, _, _ = text(connector)
    headers = {
        name.encode(): value.encode()
        for name, value in sample.signed(CONNECTORS[connector], body, b"x").items()
    }
    monkeypatch.setattr(hmac, "digest", counting)
    costs: list[list[int]] = []
    faults: list[Exception] = []
    for route, refusal in ((known, Refusal.SIGNATURE), (unknown, Refusal.UNKNOWN_ROUTE)):
        hashed.clear()
        assert admit(route, asked(route, headers, b"", body, 0), None, faults.append) is refusal
        costs.append(list(hashed))
    assert costs == [[len(body)]] * 2
    assert faults == []


def test_whoever_asks_x_for_an_answer_has_no_signature(house: House) -> None:
    """The answer to a challenge is a signature of the challenge: of nothing that is taken for a delivery."""
    before = house.counter('sluicegate_deliveries_total{connector="x",tenant="acme"}')
    for token in ("1", "null", "true", " 7 ", "-1.5e3", "x", "1,2"):
        answer = house.client.get("/webhooks/acme/x", params={"crc_token": token})
        signed = {"x-twitter-webhooks-signature": answer.json()["response_token"]}
        assert house.post("/webhooks/acme/x", token.encode(), "x", b"", **signed).status_code == 401
    for token in ("[]", "{}", '"', '{"for_user_id":"5001"}', "[1]"):
        answer = house.client.get("/webhooks/acme/x", params={"crc_token": token})
        assert answer.status_code == 400
    assert house.counter('sluicegate_deliveries_total{connector="x",tenant="acme"}') == before


# -- deliveries that come again ----------------------------------------------------------------------------------


@every_connector
def test_a_delivery_that_comes_again_changes_nothing(connector: str, house: House) -> None:
    """The same bytes, as often as anybody likes: one entry, as it was."""
    body, id_, words = text(connector)
    assert house.deliver("acme", connector, body) == 200
    before = house.entry("acme", id_)
    assert [house.deliver("acme", connector, body) for _ in range(5)] == [200] * 5
    assert [entry for entry in house.entries("acme") if entry["id"] == id_] == [before]
    assert (before or {})["text"] == words


def taken_back(connector: str) -> tuple[bytes, bytes, str]:
    """A body with a message, one that takes it back, and the words."""
    scene, words = Scene.fresh(OWNED["acme"]), f"words of {secrets.token_hex(8)}"
    id_ = samples.digits() if connector == "x" else samples.message_id(connector)
    if connector == "x":
        return samples.x_post(scene, id_, words), samples.x_post_deleted(scene, id_), words
    if connector == "whatsapp":
        revoke = {
            "id": samples.message_id(connector),
            "type": "revoke",
            "revoke": {"original_message_id": id_},
        }
        return samples.text(connector, scene, words, id_), samples.whatsapp(scene, revoke), words
    unsend = samples.messaging(connector, scene, {"message": {"mid": id_, "is_deleted": True}})
    return samples.text(connector, scene, words, id_), unsend, words


@every_connector
@pytest.mark.parametrize("order", ["first", "last"])
def test_what_was_taken_back_does_not_come_back(connector: str, order: str, house: House) -> None:
    """Whoever kept the bytes of a delivery may send them for ever, before and after the unsend: nothing returns."""
    message, unsend, words = taken_back(connector)
    bodies = [message, unsend] if order == "first" else [unsend, message]
    assert [
        house.deliver("acme", connector, body) for body in [*bodies, message, message, unsend, message]
    ] == [200] * 6
    assert words not in json.dumps(house.entries("acme"))
    assert not house.keeps(words)


def test_what_is_older_than_the_tenant_allows_is_dropped(house: House) -> None:
    """A delivery from the past that was never seen leaves nothing; one that was seen is not made new by it."""
    now = time.time_ns() // 1_000_000
    for connector in SOCIAL:
        fresh, old = text(connector, "evil", now - DAY_MS), text(connector, "evil", now - 40 * DAY_MS)
        seen = text(connector, "evil", now - 40 * DAY_MS)
        assert house.deliver("evil", connector, seen[0]) == 200
        before = house.entry("evil", seen[1])
        house.configure("evil", oldest_days=30)
        house.reload()
        assert [house.deliver("evil", connector, body) for body, _, _ in (fresh, old, seen)] == [200] * 3
        assert (house.entry("evil", fresh[1]) or {})["text"] == fresh[2]
        assert house.entry("evil", old[1]) is None
        assert old[2] not in json.dumps(house.entries("evil"))
        assert house.entry("evil", seen[1]) == before != None  # noqa: E711 - it was there, and is as it was
        house.configure("evil")
        house.reload()


# -- somebody else's accounts ------------------------------------------------------------------------------------


@every_connector
def test_nobody_speaks_for_another_tenants_account(connector: str, house: House) -> None:
    """Signed with one's own secret, on one's own path, about another's account: counted as foreign, never written."""
    body, _, words = text(connector, "acme")
    name = f'sluicegate_events_total{{connector="{connector}",disposition="foreign",tenant="evil"}}'
    before, known = house.counter(name), {tenant: house.entries(tenant) for tenant in OWNED}
    assert house.deliver("evil", connector, body) == 200
    assert house.counter(name) == before + 1
    assert {tenant: house.entries(tenant) for tenant in OWNED} == known
    assert not house.keeps(words)


@pytest.mark.parametrize("mine", META)
def test_one_connectors_bodies_are_nothing_to_another(mine: str, house: House) -> None:
    """Meta's channels sign alike, and one account id may be the tenant's on several: the envelope has to fit."""
    known = house.entries("acme")
    for other in META:
        if other != mine:
            assert house.deliver("acme", mine, text(other)[0]) == 200
    assert house.entries("acme") == known


def test_anothers_account_in_the_middle_of_ones_own(house: House) -> None:
    """Of a batch with both, one's own is kept and the other's dropped."""
    own, id_, words = text("facebook", "evil")
    other, _, secret_words = text("facebook", "acme")
    both = {
        "object": "page",
        "entry": [entry for body in (other, own, other) for entry in json.loads(body)["entry"]],
    }
    assert house.deliver("evil", "facebook", json.dumps(both).encode()) == 200
    assert (house.entry("evil", id_) or {})["text"] == words
    assert secret_words not in json.dumps([house.entries(tenant) for tenant in OWNED])


def test_nothing_of_it_is_shown(house: House) -> None:
    """Neither secrets nor what was signed stand in a line or on a page, and nothing failed on the way."""
    assert house.shows(*(secret.decode() for secret in house.secrets.values()), "words of") == []
