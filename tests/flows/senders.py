"""Senders as a platform is one: they keep connections busy, remember what was acknowledged, and send again."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

from connectors import sample
from connectors.registry import CONNECTORS
from tests.databases import Databases
from tests.flows.dump import audit
from worker.conformance.rig import Guest, Rig
from worker.crypto import MasterKey
from worker.keyring import Keyring
from worker.store.engine import Store
from worker.tour.samples import Scene, messaging, text
from worker.transcripts import Export, export, message_ref

ACCOUNT: Final = "17841400000000777"
GUEST: Final = Guest.fresh("acme", {"instagram": [ACCOUNT]}, secret="a-made-up-secret")
AT: Final = 1_790_000_000_000
"""Milliseconds."""

_MOST_EDITS = 3
_SECONDS: Final = 20.0


@dataclass
class Fate:
    """What was sent of one message, and what of it was acknowledged: 0 edits is the message itself."""

    id: str
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    def check(self, entry: Export | None) -> None:
        """Assert that the store holds what it promised to, and nothing that was taken back."""
        promised = self.acknowledged - {"unsend"}
        if entry is None:
            assert not self.acknowledged, f"{self.id}: acknowledged and gone"
        elif entry["state"] == "unsent":
            assert "unsend" in self.sent, f"{self.id}: unsent, and nobody took it back"
            assert (entry["text"], entry["id"], entry["media"]) == (None, None, [])
        else:
            assert "unsend" not in self.acknowledged, f"{self.id}: taken back, and there"
            possible = {one for one in self.sent if one >= max(promised, default="")} - {"unsend"}
            assert entry["text"] in {self.words(one) for one in possible}, f"{self.id}: an older text"

    def words(self, version: str) -> str:
        """What the message says in a version ("0" is the first)."""
        return f"{self.id} says {version}"


Step = tuple[Fate, str]


class Story:
    """One person's messages: sent, edited, taken back (now and then before they came), repeated."""

    def __init__(self, number: int, seed: int) -> None:
        self.fates: list[Fate] = []
        self._random = Random(f"{seed} {number}")
        self._scene = Scene(account=ACCOUNT, person=f"66000000{number:04}", at=AT)
        self._number = number
        self._pending: Step | None = None

    def next(self) -> Step:
        """What to send now: what was not acknowledged comes again."""
        if self._pending is None:
            self._pending = self._invented()
            fate, what = self._pending
            fate.sent.add(what)
        return self._pending

    def acknowledge(self) -> None:
        """The pending step was answered 200."""
        if self._pending is not None:
            fate, what = self._pending
            fate.acknowledged.add(what)
            self._pending = None

    def body(self, step: Step) -> bytes:
        """The delivery as the platform would send it."""
        fate, what = step
        if what == "unsend":
            return messaging("instagram", self._scene, {"message": {"mid": fate.id, "is_deleted": True}})
        if what == "0":
            return text("instagram", self._scene, fate.words("0"), fate.id)
        edited = {"mid": fate.id, "text": fate.words(what), "num_edit": int(what)}
        return messaging("instagram", self._scene, {"message_edit": edited})

    def _invented(self) -> Step:
        choice = self._random.random()
        if not self.fates or choice < 0.5:
            self.fates.append(Fate(f"m_{self._number}_{len(self.fates)}"))
            return self.fates[-1], "unsend" if choice < 0.05 else "0"
        fate = self._random.choice(self.fates[-20:])
        return fate, self._random.choice(("0", "unsend", *map(str, range(1, _MOST_EDITS + 1))))


class Sender(threading.Thread):
    """One connection that tells a story until it is stopped or cut off."""

    def __init__(self, url: str, story: Story, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.answers: dict[int, int] = {}
        self.last_success = 0.0
        self._story = story
        self._stopping = stopping
        self._address = urlsplit(url).netloc

    def run(self) -> None:
        """Send, one delivery after the other."""
        connection = http.client.HTTPConnection(self._address, timeout=_SECONDS)
        try:
            while not self._stopping.is_set():
                step = self._story.next()
                status = self._post(connection, self._story.body(step))
                self.answers[status] = self.answers.get(status, 0) + 1
                if status == 200:
                    self._story.acknowledge()
                    self.last_success = time.monotonic()
                else:
                    time.sleep(0.05)
        except (OSError, http.client.HTTPException):
            pass  # cut off in the middle: the platform will come again
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> int:
        headers = sample.signed(CONNECTORS["instagram"], body, GUEST.secret.encode())
        connection.request("POST", f"/webhooks/{GUEST.id}/instagram", body, headers)
        with connection.getresponse() as answer:
            answer.read()
            return answer.status


@contextmanager
def sending(url: str, stories: Sequence[Story]) -> Iterator[list[Sender]]:
    """All stories are told at once, each on its own connection, until the end."""
    stopping = threading.Event()
    senders = [Sender(url, story, stopping) for story in stories]
    for one in senders:
        one.start()
    try:
        yield senders
    finally:
        stopping.set()
        for one in senders:
            one.join(_SECONDS + 5)
    assert not any(one.is_alive() for one in senders)


def worker_on(databases: Databases, directory: Path) -> Rig:
    """A worker that is not started, over these databases, which are empty; it serves our one tenant."""
    rig = Rig(directory / "worker", databases=(databases.store_url, databases.keyring_url))
    rig.admit(GUEST)
    return rig


@contextmanager
def beside(rig: Rig, copy: Path) -> Iterator[tuple[Store, Keyring]]:
    """What is on disk. Files are copied first, so that it is the worker that recovers its own."""
    databases = Databases(*rig.databases)
    if databases.engine == "sqlite":
        shutil.copytree(databases.directory, copy)
        databases = Databases.below(copy)
    with closing(databases.store()) as store, closing(databases.keyring(MasterKey.load(rig._key))) as keyring:
        yield store, keyring


def check(stories: Sequence[Story], store: Store, keyring: Keyring) -> int:
    """Assert that what was acknowledged is held, once, and what was taken back is not; how many messages are."""
    held = export(store, keyring, GUEST.id)
    entries = [*held["unattributed"], *(entry for one in held["conversations"] for entry in one["entries"])]
    by_ref = {entry["ref"]: entry for entry in entries}
    assert len(by_ref) == len(entries), "something is there twice"
    for fate in (fate for story in stories for fate in story.fates):
        fate.check(by_ref.pop(message_ref(keyring, GUEST.id, "instagram", ACCOUNT, fate.id), None))
    assert not by_ref, "something is there that nobody sent"
    audit(store, GUEST.id)
    return len(entries)
