"""Another master key: workers go on, each step may be the last before a crash, and nothing is ever lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.databases import MASTER, Databases
from tests.flows.harness import Replica, delivery, message, replicas, tenant, unsend
from worker.backup import rotation
from worker.crypto import CryptoError, MasterKey, MasterKeys, fingerprint
from worker.errors import ConfigurationError, Failed
from worker.inbound import Answer
from worker.keyring import PSEUDONYM, key_place
from worker.store.engine import StoreError
from worker.transcripts import export

OLD = bytes(range(32))
ACME = tenant()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the databases' master key."""
    path = tmp_path / "master.key"
    MasterKeys(OLD).create(path)
    return path


@pytest.fixture
def replica(databases: Databases, path: Path) -> Iterator[Replica]:
    """A worker that has its master key from the file, and some conversations."""
    with replicas(databases, master=MasterKey.load(path)) as [one]:
        one.tell(ACME, message("m1", "before"))
        yield one


def rotate(replica: Replica, path: Path) -> int:
    """What the command does."""
    rotation.stage(path)
    rotation.promote(path)
    return rotation.rewrap(replica.keyring, MasterKey.load(path))


def alone(path: Path, which: int = 0) -> MasterKey:
    """One of the keys of the file, and nothing else."""
    return MasterKey(MasterKeys.read(path).all[which])


def opens(databases: Databases, master: MasterKey) -> bool:
    """Whether a process with only this master key can work."""
    keyring = databases.keyring(master)
    try:
        keyring.check()
        keyring.tenant_key("acme", PSEUDONYM)
    except (StoreError, CryptoError):
        return False
    finally:
        keyring.close()
    return True


def texts(replica: Replica) -> set[str]:
    """What can be read."""
    told = export(replica.store, replica.keyring, "acme")["conversations"]
    return {entry["text"] for one in told for entry in one["entries"]}


def test_every_key_is_under_the_new_one(replica: Replica, databases: Databases, path: Path) -> None:
    """And the old one opens nothing any more; what was written is what it was."""
    assert opens(databases, MASTER)
    assert rotate(replica, path) == 2
    assert opens(databases, alone(path))
    assert not opens(databases, MASTER)
    assert texts(replica) == {"before"}
    assert rotation.rewrap(replica.keyring, MasterKey.load(path)) == 0


def test_a_worker_goes_on_through_all_of_it(replica: Replica, databases: Databases, path: Path) -> None:
    """It takes up the file by itself: it wraps with the current key, and opens what others wrapped."""
    steps: list[Callable[[], object]] = [
        lambda: rotation.stage(path),
        lambda: rotation.promote(path),
        lambda: rotation.rewrap(replica.keyring, MasterKey.load(path)),
        lambda: rotation.retire(path),
    ]
    for number, step in enumerate(steps):
        step()
        with replicas(databases, master=MasterKey.load(path)) as [other]:
            for one in (replica, other):
                globex = tenant(f"globex{number}{one is other:d}")
                assert one.write(delivery(globex, message("m1", "new"))) == [Answer.COMMITTED]
                assert texts(one) == {"before"}
    assert rotation.rewrap(replica.keyring, MasterKey.load(path)) == 0
    assert opens(databases, alone(path))


def test_a_worker_that_never_looked_before_the_end_opens_everything(
    databases: Databases, path: Path, replica: Replica
) -> None:
    """What it had opened is forgotten, nothing was wrapped by it: it finds the new key when the old does not open."""
    with replicas(databases, master=MasterKey.load(path)) as [asleep]:
        rotate(replica, path)
        asleep.restart()
        assert texts(asleep) == {"before"}
        asleep.tell(ACME, unsend("m1"))


@pytest.mark.parametrize("crash", range(5))
def test_after_a_crash_the_same_goes_on(
    replica: Replica, databases: Databases, path: Path, crash: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step everything opens for whoever has the file; then the same command finishes it."""
    monkeypatch.setattr(rotation, "BATCH", 1)
    calls = iter(range(100))

    def die(*arguments: object, real: Callable[..., object]) -> object:
        if next(calls) == crash:
            raise KeyboardInterrupt
        return real(*arguments)

    for name in ("_write", "_rewrap_rows"):
        real = getattr(rotation, name)
        monkeypatch.setattr(rotation, name, lambda *given, real=real: die(*given, real=real))
    replica.tell(tenant("globex"), message("m1", "other"))
    with pytest.raises(KeyboardInterrupt):
        rotate(replica, path)
    assert opens(databases, MasterKey.load(path))
    assert texts(replica) == {"before"}
    first = MasterKeys.read(path)
    if first.previous is None:
        rotation.stage(path)
        rotation.promote(path)
    rotation.rewrap(replica.keyring, MasterKey.load(path))
    assert first.next is None or MasterKeys.read(path).current == first.next, "the same key was gone on with"
    assert opens(databases, alone(path))
    assert not opens(databases, MASTER)


def test_a_key_that_is_destroyed_meanwhile_stays_so(
    replica: Replica, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading its row and writing it anew."""
    [conversation] = export(replica.store, replica.keyring, "acme")["conversations"]
    id_ = bytes.fromhex(conversation["id"])
    real = rotation._rewrapped

    def erase_first(master: MasterKey, wrapped: bytes, place: bytes) -> bytes | None:
        if place == key_place("acme", id_):
            replica.keyring.destroy("acme", [id_])
        return real(master, wrapped, place)

    monkeypatch.setattr(rotation, "_rewrapped", erase_first)
    rotate(replica, path)
    assert replica.keyring.keys("acme", [id_]) == {}


def test_a_key_that_was_wrapped_late_is_found(replica: Replica, databases: Databases, path: Path) -> None:
    """By a worker that has only the old file; the key goes out of use only when none is left."""
    rotate(replica, path)
    late = databases.keyring(MASTER)
    late.make("acme", [bytes(16)])
    late.close()
    assert rotation.rewrap(replica.keyring, MasterKey.load(path)) == 1
    assert replica.keyring.keys("acme", [bytes(16)])


@pytest.mark.parametrize("times", [1, 99])
def test_keys_that_are_wrapped_late_again_and_again(
    replica: Replica, databases: Databases, path: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While all of them are gone over: it ends when a pass found none, and says so when there is no end of it."""
    late, real, numbers = databases.keyring(MASTER), rotation._rewrap_table, iter(range(times))

    def meanwhile(*arguments: Any) -> int:
        moved = real(*arguments)
        if (number := next(numbers, None)) is not None:
            late.make("acme", [bytes([number]) * 16])
        return moved

    monkeypatch.setattr(rotation, "_rewrap_table", meanwhile)
    if times == 99:
        with pytest.raises(Failed, match="do all workers have this file"):
            rotate(replica, path)
    else:
        rotate(replica, path)
        assert opens(databases, alone(path))
        wrapped = databases.keyring(alone(path))
        assert wrapped.keys("acme", [bytes(16)])
        wrapped.close()
    late.close()


def test_the_key_before_goes_into_a_file_of_its_own(replica: Replica, path: Path) -> None:
    """For backups of its time; after that another exchange may begin, and not before."""
    rotate(replica, path)
    with pytest.raises(ConfigurationError, match="still in use"):
        rotation.stage(path)
    aside = rotation.retire(path)
    assert aside == path.with_name(f"master.key.{fingerprint(OLD)}")
    assert aside is not None
    assert MasterKeys.read(aside) == MasterKeys(OLD)
    assert aside.stat().st_mode & 0o777 == 0o600
    assert MasterKeys.read(path).previous is None
    assert rotation.retire(path) is None
    assert rotation.stage(path) == rotation.stage(path)


def test_a_keyring_of_another_master_key_is_left_alone(replica: Replica, path: Path, tmp_path: Path) -> None:
    """Nothing is wrapped by a key that could not open it."""
    other = tmp_path / "other.key"
    MasterKey.generate(other)
    with replica.keyring.store.reading() as tx:
        before = [tx.execute(select(table)).all() for table in rotation._KEYS]
    with pytest.raises(Failed, match="does not open"):
        rotation.rewrap(replica.keyring, MasterKey.load(other))
    with replica.keyring.store.reading() as tx:
        assert [tx.execute(select(table)).all() for table in rotation._KEYS] == before


def test_a_file_without_any_known_key_is_not_taken_up(replica: Replica, path: Path) -> None:
    """Somebody put another one there: what runs goes on with the key that it has."""
    path.unlink()
    MasterKey.generate(path)
    replica.tell(tenant("globex"), message("m1"))
    replica.restart()
    assert texts(replica) == {"before"}


@pytest.mark.parametrize(
    "content",
    [b"next: ", b"previous: QUJD\n", b"other: " + b"QUJD" * 11, b"\n\n", b"A" * 44 + b"\nnext: QUJD"],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Refused whole, and not shown."""
    path = tmp_path / "master.key"
    path.write_bytes(content)
    with pytest.raises(CryptoError) as refused:
        MasterKeys.read(path)
    assert "QUJD" not in str(refused.value)
