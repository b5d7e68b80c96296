"""A flight of canaries: every shape is pushed through a whole worker, and everything it touched is gathered."""

from __future__ import annotations

import signal
import socket
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.registry import CONNECTORS
from tests.flows.canary_shapes import SHAPES, TENANT, Attempt, Mint
from tests.flows.plaintext_worker import Plaintext
from worker import samples
from worker.conformance.rig import Guest, Rig, transcripts
from worker.conformance.search import Search

PLAINTEXT_SERVE = (sys.executable, str(Path(__file__).with_name("plaintext_worker.py")), "serve")
"""The same worker with a cipher that hides nothing; no setting can select it."""

ADMIN_PAGES = ("/metrics", "/status", "/livez", "/readyz")
DATABASES = ("sluicegate.db", "keyring.db")


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt and its answer; a bare socket's answer has no status."""

    attempt: Attempt
    status: int | None
    content: bytes


class Kind(StrEnum):
    """Where something can be found."""

    READABLE = "readable"
    """Logs, metrics, status pages, answers, what a crash printed."""

    STORED = "stored"
    """Every file of the data directory, while the worker ran and after it ended."""

    LIVE = "live"
    """Every value of every row that a query can reach."""

    EXPORT = "export"
    """The tenant's transcripts, decrypted."""


Sighting = tuple[Kind, str]
"""Kind of place, and which place in which spelling."""


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """What a flight left behind: by shape its canaries and answers, by canary where it was seen."""

    mints: Mapping[str, Mint]
    answers: Mapping[str, Sequence[Answered]]
    sightings: Mapping[str, Sequence[Sighting]]
    exit_code: int

    def seen(self, canaries: Sequence[str], *kinds: Kind) -> list[tuple[str, str]]:
        """Which of the canaries were seen in such places, and where."""
        found = ((one, *sighting) for one in canaries for sighting in self.sightings.get(one, ()))
        return [(canary, place) for canary, kind, place in found if kind in kinds]


def fly(directory: Path, *, plaintext: bool) -> Flight:
    """Mint canaries for every shape, push them through a worker below ``directory``, look for them everywhere.

    The worker with the ordinary cipher drains; the other one is aborted, so that it dumps its stacks.
    """
    rig = Rig(directory, PLAINTEXT_SERVE, Plaintext) if plaintext else Rig(directory)
    accounts = {connector: samples.digits() for connector in CONNECTORS}
    owned = {connector: [account] for connector, account in accounts.items()}
    guest = msgspec.structs.replace(Guest.fresh(TENANT, owned), oldest_days=3650)
    rig.admit(guest)
    mints = {name: Mint(accounts) for name in SHAPES}
    places: list[tuple[Kind, str, bytes]] = []
    with rig.running() as client:
        answers = {
            name: [_push(rig, client, guest, attempt) for attempt in shape(mints[name])]
            for name, shape in SHAPES.items()
        }
        pages = [(page, client.get(rig.admin_url + page)) for page in ADMIN_PAGES]
        places += [(Kind.READABLE, page, _bytes(answer)) for page, answer in pages]
        places.append((Kind.EXPORT, "export", _export(rig, guest)))
        places += [(Kind.LIVE, name, _live(rig.data / name)) for name in DATABASES]
        places += _files(rig, "running")
        exit_code = rig.stop(signal.SIGABRT if plaintext else signal.SIGTERM)
    places += _files(rig, "ended")
    places += [
        (Kind.READABLE, f"answer {number} to {name}", one.content)
        for name, given in answers.items()
        for number, one in enumerate(given, start=1)
    ]
    canaries = [canary for mint in mints.values() for canary in mint.all()]
    return Flight(mints=mints, answers=answers, sightings=look(canaries, places), exit_code=exit_code)


def look(canaries: Iterable[str], places: Iterable[tuple[Kind, str, bytes]]) -> dict[str, list[Sighting]]:
    """Where each canary can be seen, in any spelling."""
    search = Search(canaries)
    sightings: dict[str, list[Sighting]] = defaultdict(list)
    for kind, place, data in places:
        for found in search.look(data):
            sightings[found.needle].append((kind, f"{place} ({found.spelling} {found.layer})"))
    return sightings


def _files(rig: Rig, when: str) -> Iterator[tuple[Kind, str, bytes]]:
    for name, data in rig.files():
        printed = name in {rig.log.name, rig.errors.name}
        yield Kind.READABLE if printed else Kind.STORED, f"{name}, {when}", data


def _push(rig: Rig, client: httpx.Client, guest: Guest, attempt: Attempt) -> Answered:
    if attempt.raw:
        return Answered(attempt=attempt, status=None, content=_bare(rig, attempt.raw))
    path = attempt.path or f"/webhooks/{guest.id}/{attempt.connector}"
    headers = dict(attempt.headers)
    if attempt.signed and attempt.connector and attempt.method == "POST":
        headers |= CONNECTORS[attempt.connector].sample_signature(attempt.body, guest.secret.encode())
    url = (rig.admin_url if attempt.admin else rig.url) + path
    answer = client.request(attempt.method, url, content=attempt.body, headers=headers)
    return Answered(attempt=attempt, status=answer.status_code, content=_bytes(answer))


def _bytes(answer: httpx.Response) -> bytes:
    head = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
    return head + b"\n\n" + answer.content


def _bare(rig: Rig, request: bytes) -> bytes:
    """What a bare socket answers within a moment, or until it is closed."""
    address = urlsplit(rig.url)
    received = bytearray()
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.3)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except OSError:
            pass
    return bytes(received)


def _export(rig: Rig, guest: Guest) -> bytes:
    with rig.opened() as (store, keyring):
        return msgspec.json.encode(transcripts(store, keyring, guest))


def _live(path: Path) -> bytes:
    """Every value of every row that a query can reach."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return b"\n".join(_values(connection))
    finally:
        connection.close()


def _values(connection: sqlite3.Connection) -> Iterator[bytes]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - names from the schema itself
            yield from (value if isinstance(value, bytes) else str(value).encode() for value in row)
