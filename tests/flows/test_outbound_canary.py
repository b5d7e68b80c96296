"""Nothing of what is handed in leaks: canaries in every field of texts that are taken, held, refused or malformed.

Once with the ordinary cipher, and once with a cipher that hides nothing, because ciphertext hides leaks too.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec
import pytest

from tests.flows.canaries.mint import Mint
from tests.flows.canary import PLAINTEXT_SERVE, Kind, Sighting, live, look
from tests.flows.plaintext_worker import Plaintext
from tests.flows.submitters import TENANT, client_of, key_of, rig_that_sends
from tests.worker.api_house import UNCONNECTED, plain
from worker.api.keys import KeyScope
from worker.conformance.rig import Rig
from worker.transcripts import export

LURE: Final = "Your account is locked, verify your password at https://bit.ly/3xYz now"


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed in and what came of it: canaries by fate, where each was seen, the statuses."""

    mint: Mint
    statuses: Sequence[int]
    verdicts: Sequence[str]
    sightings: Mapping[str, Sequence[Sighting]]

    def seen(self, canaries: Sequence[str], *kinds: Kind) -> set[tuple[str, str]]:
        """Which of the canaries were seen in such places, and where."""
        found = ((one, *sighting) for one in canaries for sighting in self.sightings.get(one, ()))
        return {(canary, place) for canary, kind, place in found if kind in kinds}


def bodies(mint: Mint) -> list[Any]:
    """Texts with canaries in every field; what is not well-formed may leave nothing anywhere."""
    named = {
        "submitter": mint.words(),
        "campaign": mint.words(),
        "template": mint.words(),
        "client_reference": mint.aside(),
    }
    taken = plain(text=f"Your table is ready. {mint.words()}", recipient="+12025550171", **named)
    mint.private.append("2025550171")
    return [
        taken,
        taken,
        {**taken, "text": mint.secret()},  # a conflict
        plain(text=f"{LURE} {mint.words()}"),
        plain(text=mint.words(), send_after="2099-01-01T00:00:00Z"),
        plain(text=mint.words(), sender=mint.words()[:32].strip()),
        plain(text=f"look {mint.cdn()} {mint.words()}"),
        plain(text=f"my card is {mint.identifier('card')} {mint.words()}"),
        plain(text=mint.secret(), recipient=mint.secret()),
        plain(text=mint.secret(), purpose=mint.secret()),
        plain(text=mint.secret() * 100),
        plain(text=f"{mint.secret()}\0"),
        plain(text=mint.secret(), **{mint.secret(): mint.secret()}),
        plain(text=mint.secret(), send_after=mint.secret()),
        plain(text=mint.secret(), do_not_send_after="2001-01-01T00:00:00Z"),
        plain(text=mint.secret(), sender=UNCONNECTED),
        {"messages": [mint.secret(), plain(text=mint.words(), client_reference=mint.aside())]},
        {"messages": mint.secret()},
        [mint.secret()],
        mint.secret(),
    ]


RAW: Final = (
    b'{"text": "%s',
    b'{"text": NaN, "a": "%s"}',
    b'{"a": "%s", "a": 1}',
    b"\xff%s",
    b"[" * 9999 + b"%s",
)


def fly(rig: Rig, end: signal.Signals) -> Flight:
    """Hand everything in, ask for everything, gather whatever was touched."""
    mint = Mint({})
    places: list[tuple[Kind, str, bytes]] = []
    with rig.running():
        key = key_of(rig, KeyScope.SEND, KeyScope.READ)
        mint.never.append(key.split("_", 3)[3])
        with client_of(rig, key) as client:
            answers = [client.post(f"/v1/tenants/{TENANT}/sms", json=body) for body in bodies(mint)]
            answers += [_raw(client, template % mint.secret().encode()) for template in RAW]
            answers += [
                _raw(client, json.dumps(plain(text=mint.secret())).encode(), content_type="text/plain")
            ]
            ids = [one.json()["id"] for one in answers if one.status_code == 202 and "id" in one.json()]
            answers += [client.get(f"/v1/tenants/{TENANT}/sms/{id_}") for id_ in ids]
            answers += [client.get(f"/v1/tenants/{TENANT}/sms/{mint.secret()}")]
            answers += [client.get("/status", headers={"authorization": f"Bearer sg_{mint.secret()}"})]
        time.sleep(0.5)  # what was accepted is sent
        places += [(Kind.READABLE, page, data) for page, data in rig.pages()]
        places += [(Kind.LIVE, "live rows", live(url)) for url in dict.fromkeys(rig.databases)]
        with rig.opened() as (store, keyring):
            places.append((Kind.EXPORT, "export", msgspec.json.encode(export(store, keyring, TENANT))))
        places += _files(rig)
        rig.stop(end)
    places += _files(rig)
    places += [
        (Kind.READABLE, f"answer {number}", repr(one.headers).encode() + one.content)
        for number, one in enumerate(answers)
    ]
    return Flight(
        mint=mint,
        statuses=[one.status_code for one in answers],
        verdicts=[one.json()["verdict"] for one in answers if "verdict" in one.json()],
        sightings=look(mint.all(), places),
    )


def _raw(client: httpx.Client, body: bytes, content_type: str = "application/json") -> httpx.Response:
    return client.post(f"/v1/tenants/{TENANT}/sms", content=body, headers={"content-type": content_type})


def _files(rig: Rig) -> list[tuple[Kind, str, bytes]]:
    printed = {rig.log.name, rig.errors.name}
    return [(Kind.READABLE if name in printed else Kind.STORED, name, data) for name, data in rig.files()]


@pytest.fixture(scope="module", params=["encrypted", "plaintext"])
def flight(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Flight:
    """One flight with each cipher; the second worker is aborted in the end, so that it dumps its stacks."""
    directory = tmp_path_factory.mktemp("outbound")
    if request.param == "encrypted":
        return fly(rig_that_sends(directory / "worker"), signal.SIGTERM)
    rig = rig_that_sends(directory / "worker", command=PLAINTEXT_SERVE, factory=Plaintext)
    return fly(rig, signal.SIGABRT)


def is_plaintext(request: pytest.FixtureRequest) -> bool:
    return "plaintext" in request.node.callspec.id


def test_everything_was_answered_as_it_should_be(flight: Flight) -> None:
    """Every verdict and every refusal is among the answers, so that there is something to leak."""
    assert {200, 202, 404, 409, 415, 422, 503} == set(flight.statuses)
    assert {"accepted", "delayed", "quarantined", "refused"} == set(flight.verdicts)


def test_what_was_not_taken_is_nowhere(flight: Flight) -> None:
    """Malformed bodies, conflicts, what may not be recorded, and the key: in no file, table, line, page or answer."""
    assert flight.seen(flight.mint.never, *Kind) == set()


def test_what_was_taken_is_in_the_export(flight: Flight) -> None:
    """Also what was held or refused: with its submitter, campaign and template."""
    kept = flight.mint.kept
    assert {canary for canary, _ in flight.seen(kept, Kind.EXPORT)} == set(kept)


def test_content_is_readable_nowhere_else(flight: Flight, request: pytest.FixtureRequest) -> None:
    """In no log, page or answer; encrypted, in no file or table either."""
    places = (Kind.READABLE,) if is_plaintext(request) else (Kind.READABLE, Kind.STORED, Kind.LIVE)
    assert flight.seen(flight.mint.kept + flight.mint.private, *places) == set()


def test_the_cipher_is_what_it_is_called(flight: Flight, request: pytest.FixtureRequest) -> None:
    """In the clear the files show what was kept, so that a leak would show as well."""
    shown = {canary for canary, _ in flight.seen(flight.mint.kept, Kind.STORED)}
    assert bool(shown) is is_plaintext(request)
