"""A flight of canaries: every shape is pushed through a whole worker, and everything it touched is gathered."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
from sqlalchemy import Connection, create_engine, inspect, text

from connectors import sample
from connectors.registry import CONNECTORS, SOCIAL
from tests.databases import Databases
from tests.flows.canaries.mint import TENANT, Attempt, Mint
from tests.flows.canaries.shapes import SHAPES
from tests.flows.plaintext_worker import Plaintext
from worker.conformance.rig import Guest, Rig, transcripts
from worker.conformance.search import Search
from worker.tour import samples

PLAINTEXT_SERVE = (sys.executable, str(Path(__file__).with_name("plaintext_worker.py")), "serve")
"""The same worker with a cipher that hides nothing; no setting can select it."""


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


def fly_encrypted(directory: Path) -> Flight:
    """A flight as shipped; the worker drains at the end."""
    return _fly(Rig(directory), end=signal.SIGTERM)


def fly_in_the_clear(directory: Path) -> Flight:
    """A flight with a cipher that hides nothing; the worker is aborted at the end, so that it dumps its stacks."""
    return _fly(Rig(directory, PLAINTEXT_SERVE, Plaintext), end=signal.SIGABRT)


def fly_on_postgresql(directory: Path, databases: Databases, server: Path) -> Flight:
    """A flight as shipped on a server whose data lie in ``server`` and whose write-ahead log keeps every byte."""
    rig = Rig(directory, databases=(databases.store_url, databases.keyring_url))
    return _fly(rig, server, end=signal.SIGTERM)


def _fly(rig: Rig, server: Path | None = None, *, end: signal.Signals) -> Flight:
    """Mint canaries for every shape, push them through the rig's worker, look for them everywhere."""
    started = time.time()
    accounts = {connector: samples.digits() for connector in SOCIAL}
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
        places += [(Kind.READABLE, page, data) for page, data in rig.pages()]
        places.append((Kind.EXPORT, "export", _export(rig, guest)))
        places += [(Kind.LIVE, "live rows", live(url)) for url in dict.fromkeys(rig.databases)]
        places += _files(rig, "running")
        exit_code = rig.stop(end)
    places += _files(rig, "ended")
    if server is not None:
        places += _written(server, started)
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
        headers |= sample.signed(CONNECTORS[attempt.connector], attempt.body, guest.secret.encode())
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


def live(url: str) -> bytes:
    """Every value of every row that a query can reach."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return b"\n".join(_values(connection))
    finally:
        engine.dispose()


def _values(connection: Connection) -> Iterator[bytes]:
    known, quote = inspect(connection), connection.dialect.identifier_preparer.quote
    for schema in known.get_schema_names():
        for table in known.get_table_names(schema) if schema != "information_schema" else ():
            name = f"{quote(schema)}.{quote(table)}"
            for row in connection.execute(text(f"SELECT * FROM {name}")):  # noqa: S608 - names of the schema itself
                yield from (bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for v in row)


def _written(directory: Path, since: float) -> Iterator[tuple[Kind, str, bytes]]:
    """The files below that were written to: a server comes with many that nobody touches."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.stat().st_mtime >= since:
            yield Kind.STORED, path.name, path.read_bytes().rstrip(b"\0")
