"""Nothing leaks: fresh canaries in every shape go through a whole worker and are looked for wherever they could be.

Once with the ordinary cipher, once on PostgreSQL, and once with a cipher that hides nothing, because ciphertext hides
leaks too.
"""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.flows.canaries.mint import Mint
from tests.flows.canaries.shapes import SHAPES
from tests.flows.canary import (
    Flight,
    Kind,
    fly_encrypted,
    fly_in_the_clear,
    fly_on_postgresql,
    live,
    look,
)

EVERYWHERE = tuple(Kind)


@pytest.fixture(scope="module", params=["encrypted", "plaintext", "postgresql"])
def flight(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Flight:
    """One flight with each cipher and on each engine, shared by all tests of this file."""
    directory = tmp_path_factory.mktemp("canary")
    if request.param == "plaintext":
        return fly_in_the_clear(directory)
    if request.param == "encrypted":
        return fly_encrypted(directory)
    server = request.getfixturevalue("servers")()
    databases = request.getfixturevalue("provisioner").empty("postgresql")
    return fly_on_postgresql(directory, databases, server.directory / "data")


def is_plaintext(request: pytest.FixtureRequest) -> bool:
    return "plaintext" in request.node.callspec.id


def test_there_are_enough_shapes() -> None:
    """At least forty, over all four connectors."""
    assert len(SHAPES) >= 40
    accounts = dict.fromkeys(("whatsapp", "facebook", "instagram", "x"), "1")
    attempts = [attempt for shape in SHAPES.values() for attempt in shape(Mint(accounts))]
    assert {attempt.connector for attempt in attempts} >= accounts.keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_it_was_answered_and_kept(flight: Flight, shape: str) -> None:
    """The shape reached the worker: it was answered as it should be, and what may be kept is in the export."""
    for answered in flight.answers[shape]:
        assert answered.status is None or answered.status in answered.attempt.statuses
    kept = flight.mints[shape].kept
    assert {canary for canary, _ in flight.seen(kept, Kind.EXPORT)} == set(kept)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_may_never_be_kept_is_nowhere(flight: Flight, shape: str) -> None:
    """Not in a file, a table, the export, a line, a page, an answer, or what a crash printed."""
    assert flight.seen(flight.mints[shape].never, *EVERYWHERE) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_content_is_readable_in_the_export_alone(
    flight: Flight, shape: str, request: pytest.FixtureRequest
) -> None:
    """Texts, names, numbers and ids are in no log, page or answer; encrypted, in no file either."""
    mint = flight.mints[shape]
    places = (Kind.READABLE,) if is_plaintext(request) else (Kind.READABLE, Kind.STORED, Kind.LIVE)
    assert flight.seen(mint.kept + mint.private, *places) == []


@pytest.mark.parametrize(
    "shape", [name for name, shape in SHAPES.items() if "regret" in shape.__code__.co_names]
)
def test_what_was_taken_back_is_gone(flight: Flight, shape: str, request: pytest.FixtureRequest) -> None:
    """Not in the export nor in a live table, and elsewhere it cannot be decrypted (a log keeps bytes)."""
    taken = flight.mints[shape].taken
    assert taken
    places = (Kind.READABLE, Kind.LIVE, Kind.EXPORT)
    assert flight.seen(taken, *places, *(() if is_plaintext(request) else (Kind.STORED,))) == []


def test_the_cipher_is_what_it_is_called(flight: Flight, request: pytest.FixtureRequest) -> None:
    """In the clear the files show what was kept, so that a leak would show as well; encrypted they do not."""
    kept = {canary for mint in flight.mints.values() for canary in mint.kept}
    shown = {canary for canary, _ in flight.seen(sorted(kept), Kind.STORED)}
    if is_plaintext(request):
        assert len(shown) > 0.9 * len(kept)  # a page border may cut one in two
    else:
        assert not shown


def test_it_ended_as_told(flight: Flight, request: pytest.FixtureRequest) -> None:
    """The one worker drained; the other was aborted in the middle of its work."""
    assert flight.exit_code == (-6 if is_plaintext(request) else 0)


LEAKS: dict[str, Callable[[str], bytes]] = {
    "itself": str.encode,
    "JSON-escaped": lambda text: "".join(f"\\u{ord(c):04x}" for c in text).encode(),
    "percent-encoded": lambda text: "".join(f"%{ord(c):02X}" for c in text).encode(),
    "percent-encoded twice": lambda text: quote("".join(f"%{ord(c):02X}" for c in text), safe="").encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one byte on": lambda text: base64.b64encode(b"{" + text.encode()),
    "base64, two bytes on": lambda text: base64.b64encode(b"{'" + text.encode() + b"'}"),
    "base64url": lambda text: base64.urlsafe_b64encode(b"?" + text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "upper-case hex": lambda text: text.encode().hex().upper().encode(),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "gzip": lambda text: gzip.compress(json.dumps({"text": text}).encode()),
    "zlib": lambda text: zlib.compress(b"head of it " + text.encode()),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found_in_a_database(leak: str, tmp_path: Path) -> None:
    """The search finds a canary in a SQLite page and its write-ahead log, however it was written."""
    canary = Mint({}).secret()
    path = tmp_path / "leaky.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (v)")
    connection.execute("INSERT INTO t VALUES (?)", [b"some bytes before " + LEAKS[leak](canary)])
    connection.commit()
    places = [(Kind.STORED, file.name, file.read_bytes()) for file in tmp_path.iterdir()]
    places.append((Kind.LIVE, "leaky.db", live(f"sqlite:///{path}")))
    seen = look([canary], places)[canary]
    connection.close()
    assert {kind for kind, _ in seen} == {Kind.STORED, Kind.LIVE}
    assert any("-wal" in place for _, place in seen)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found_in_a_log_line(leak: str) -> None:
    """The search finds a canary in a line of JSON."""
    canary = Mint({}).secret()
    line = (
        json.dumps({"line": "delivery", "at": 1}).encode()[:-1]
        + b', "oops": "'
        + LEAKS[leak](canary)
        + b'"}\n'
    )
    assert [kind for kind, _ in look([canary], [(Kind.READABLE, "worker.log.writer", line)])[canary]][:1] == [
        Kind.READABLE
    ]
