"""Whatever authentic senders put into a body: an answer within bounds, a count, and nothing of it anywhere to read.

One storm of bent bodies goes through a whole worker; the tests look at what it left behind.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from connectors import sample
from connectors.contract import Credentials, SignatureRefused, WebhookRequest
from connectors.decode import MalformedPayload, decode
from connectors.registry import CONNECTORS, SOCIAL
from tests.flows import fuzz
from worker.conformance.rig import Guest, Rig, signed_post, transcripts
from worker.conformance.search import Search
from worker.tour import samples

MOST_SECONDS = 9.0
"""Platforms hang up after ten."""

MOST_MEGABYTES = 300
WORDS = "an honest message after the storm"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A body and its answer; status 0 where the connection broke."""

    connector: str
    body: bytes
    expected: int
    status: int
    seconds: float
    answer: bytes


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """What a storm left behind."""

    told: list[Told]
    metrics: str
    readable: dict[str, bytes]
    stored: dict[str, bytes]
    lines: list[dict[str, object]]
    export: str
    megabytes: int
    exit_code: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((1, 30), id="some"),
        pytest.param((2, 1500), id="many", marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
)
def storm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Storm:
    """A storm with a seed, so many bodies for each connector besides one for each kind of damage."""
    seed, count = request.param
    rig = Rig(tmp_path_factory.mktemp("storm"))
    guest = Guest.fresh("acme", {connector: fuzz.accounts(connector) for connector in SOCIAL})
    rig.admit(guest)
    with rig.running() as client:
        told = [_post(rig, guest, name, body) for name in SOCIAL for body in fuzz.bodies(name, seed, count)]
        scene = samples.Scene.fresh(guest.accounts["whatsapp"][0])
        assert (
            signed_post(client, guest, "whatsapp", samples.text("whatsapp", scene, WORDS)).status_code == 200
        )
        pages = dict(rig.pages())
        with rig.opened() as (store, keyring):
            export = json.dumps(transcripts(store, keyring, guest))
        megabytes = _peak_megabytes(rig.pid)
        exit_code = rig.stop()
    printed = {path.name: path.read_bytes() for path in (rig.log, rig.errors)}
    return Storm(
        told=told,
        metrics=pages["/metrics"].decode(),
        readable={**pages, **printed, "answers": b"\n".join(one.answer for one in told)},
        stored={name: data for name, data in rig.files() if name not in printed},
        lines=[json.loads(line) for line in printed[rig.log.name].splitlines()],
        export=export,
        megabytes=megabytes,
        exit_code=exit_code,
    )


def _post(rig: Rig, guest: Guest, connector: str, body: bytes) -> Told:
    signed = sample.signed(CONNECTORS[connector], body, guest.secret.encode())
    address = urlsplit(rig.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    started = time.monotonic()
    try:
        connection.request("POST", f"/webhooks/{guest.id}/{connector}", body, signed)
        answer = connection.getresponse()
        status, content = answer.status, answer.read()
    except OSError:
        status, content = 0, b""
    finally:
        connection.close()
    return Told(
        connector=connector,
        body=body,
        expected=_expected(connector, body, signed, guest),
        status=status,
        seconds=time.monotonic() - started,
        answer=content,
    )


def _expected(connector: str, body: bytes, signed: dict[str, str], guest: Guest) -> int:
    request = WebhookRequest(method="POST", headers=signed, query={}, body=body)
    try:
        CONNECTORS[connector].verify(request, Credentials(signing_secrets=(guest.secret.encode(),)))
        decode(body)
    except SignatureRefused:  # on X, what could be a challenge is no delivery
        return 401
    except MalformedPayload:
        return 400
    return 200


def _peak_megabytes(pid: int) -> int:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(peak[1]) // 1024 if peak else 0


def test_the_storm_was_one(storm: Storm) -> None:
    """Hundreds of bodies, up to megabytes; most were understood as JSON, and much of it as events."""
    statuses = Counter(one.expected for one in storm.told)
    assert len(storm.told) > 250
    assert statuses[200] > 150
    assert statuses[400] > 30
    assert max(len(one.body) for one in storm.told) > 2_000_000
    assert _counts(storm, "events", "disposition").keys() >= {"stored", "unsent", "foreign", "unrecognised"}
    assert fuzz.MARKER in storm.export


def test_every_body_got_its_answer(storm: Storm) -> None:
    """200, or 400 for what is no JSON: never a 500, never a 503, never a broken connection."""
    wrong = [(one.connector, one.body[:200]) for one in storm.told if one.status != one.expected]
    assert wrong == []


def test_no_body_took_long(storm: Storm) -> None:
    """However full, deep or long it was."""
    assert max(one.seconds for one in storm.told) < MOST_SECONDS


def test_memory_stayed_bounded(storm: Storm) -> None:
    """At its peak."""
    assert 0 < storm.megabytes < MOST_MEGABYTES


def test_everything_authentic_was_counted(storm: Storm) -> None:
    """Each connector's deliveries and refusals in the metrics; nothing was caught that should not have happened."""
    answered = Counter((one.connector, one.status) for one in storm.told)
    answered["whatsapp", 200] += 1  # the honest one
    for connector in SOCIAL:
        mine = f'connector="{connector}"'
        assert _counts(storm, "deliveries", "tenant", mine) == {"acme": answered[connector, 200]}
        refused = _counts(storm, "refusals", "refusal", mine)
        assert refused.get("not_json", 0) == answered[connector, 400]
        assert refused.get("signature", 0) == answered[connector, 401]
    assert _counts(storm, "faults", "place") == {}


def test_one_line_was_written_for_each(storm: Storm) -> None:
    """No line tells of a fault or comes from a library, and nothing was printed beside the log."""
    kinds = Counter(str(line["line"]) for line in storm.lines)
    assert kinds["delivery"] == sum(one.status == 200 for one in storm.told) + 1
    assert kinds["refusal"] == sum(one.status != 200 for one in storm.told)
    assert kinds.keys() <= {"delivery", "decision", "refusal", "lifecycle"}
    assert storm.readable["worker.err"] == b""


def test_nothing_that_was_sent_can_be_read(storm: Storm) -> None:
    """No line, metric, page or answer shows a marker, in whatever spelling, nor does any file of the store."""
    search = Search([fuzz.MARKER, str(fuzz.NUMBER)])
    seen = [
        (name, hit) for name, data in (storm.readable | storm.stored).items() for hit in search.look(data)
    ]
    assert seen == []


def test_the_worker_lives_on(storm: Storm) -> None:
    """Who writes afterwards is heard, all transcripts can be read, and the end is an ordinary one."""
    assert WORDS in storm.export
    assert storm.exit_code == 0


def _counts(storm: Storm, metric: str, label: str, with_labels: str = "") -> Counter[str]:
    """A counter's values above zero, added up by one of its labels."""
    counts: Counter[str] = Counter()
    for labels, value in re.findall(
        rf"^sluicegate_{metric}_total{{(.*)}} (\S+)$", storm.metrics, re.MULTILINE
    ):
        if with_labels in labels and float(value):
            word = re.search(rf'{label}="([^"]*)"', labels)
            counts[word[1] if word else ""] += int(float(value))
    return counts
