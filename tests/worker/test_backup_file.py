"""A backup's file: whatever is altered, cut off, left out, moved or taken from another one is told, with the place."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import MASTER
from worker.backup import container
from worker.backup.container import MAGIC, BackupDamaged, Header, Kind, Reader, Row, Writer
from worker.backup.examine import examine
from worker.backup.horizon import DAY, expired, prune
from worker.chain import GENESIS, DecisionRecord, encode, head
from worker.crypto import MasterKey
from worker.errors import ConfigurationError

TABLES = {"message": ["tenant", "key"], "counter": ["tenant", "count"]}
ROWS: list[Row] = [("acme", bytes([number]) * 40) for number in range(12)]
NOW = 1_790_000_000_000_000


def header(kind: Kind = Kind.STORE, tables: Any = None, made_at: int = NOW) -> Header:
    """What stands in front."""
    return Header(
        kind=kind,
        id="ab" * 16,
        made_at=made_at,
        revision="0001",
        master="",
        wrapped=b"",
        tables=TABLES if tables is None else tables,
    )


def written(rows: list[Row] = ROWS) -> bytes:
    """A small backup of several chunks."""
    file = io.BytesIO()
    writer = Writer(file, MASTER, header())
    writer.add("message", rows)
    writer.add("counter", [("acme", 7)])
    writer.finish()
    return file.getvalue()


def read(data: bytes) -> list[tuple[str, Row]]:
    """All rows of a backup that is whole."""
    return [(table, row) for table, rows in Reader(io.BytesIO(data), MASTER).rows() for row in rows]


def frames(data: bytes) -> list[bytes]:
    """The file in its parts: everything up to the header's end, then each chunk."""
    at = len(MAGIC) + 4 + int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "big")
    found = [data[:at]]
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at:end])
        at = end
    return found


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "CHUNK_BYTES", 100)


@pytest.fixture(scope="module")
def whole() -> Iterator[bytes]:
    """One backup for all examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "CHUNK_BYTES", 100)
        yield written()


def test_what_was_written_is_read(whole: bytes) -> None:
    """In several chunks; and nothing of it stands in the clear."""
    assert read(whole) == [*(("message", row) for row in ROWS), ("counter", ("acme", 7))]
    assert len(frames(whole)) > 5
    assert bytes([3]) * 40 not in whole


@given(st.data())
def test_no_byte_can_be_altered(whole: bytes, data: st.DataObject) -> None:
    """Wherever it is."""
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    with pytest.raises((BackupDamaged, ConfigurationError)):
        read(whole[:at] + bytes([byte]) + whole[at + 1 :])


@given(st.data())
def test_no_end_can_be_cut_off(whole: bytes, data: st.DataObject) -> None:
    """Not one byte, not whole chunks."""
    cut = data.draw(st.integers(0, len(whole) - 1) | st.sampled_from(_ends(whole)))
    with pytest.raises(BackupDamaged):
        read(whole[:cut])


def _ends(data: bytes) -> list[int]:
    parts = frames(data)
    return [sum(map(len, parts[:number])) for number in range(1, len(parts))]


@given(st.data())
def test_no_chunk_can_be_moved_left_out_or_repeated(whole: bytes, data: st.DataObject) -> None:
    """Nor the last one taken for another."""
    parts = frames(whole)
    other = data.draw(
        st.lists(st.sampled_from(parts), max_size=len(parts) + 2).filter(lambda one: one != parts)
    )
    with pytest.raises((BackupDamaged, ConfigurationError)):
        read(b"".join(other))


def test_no_chunk_of_another_backup_fits(whole: bytes) -> None:
    """Of the same rows, under the same master key; nor another one's header."""
    other = frames(written())
    mine = frames(whole)
    for number in range(len(mine)):
        spliced = [*mine[:number], other[number], *mine[number + 1 :]]
        with pytest.raises(BackupDamaged):
            read(b"".join(spliced))


def test_the_first_damaged_place_is_named(whole: bytes) -> None:
    """By chunk and byte, so that somebody may look what is there."""
    parts = frames(whole)
    at = sum(map(len, parts[:4]))
    altered = bytearray(whole)
    altered[at + 9] ^= 1
    with pytest.raises(BackupDamaged, match=f"chunk 3 at byte {at} was altered"):
        read(bytes(altered))
    with pytest.raises(BackupDamaged, match=f"ends within chunk 3, which begins at byte {at}"):
        read(whole[: at + 9])
    with pytest.raises(BackupDamaged, match=f"ends at byte {at}, before chunk 3"):
        read(whole[:at])
    swapped = [*parts[:3], parts[4], parts[3], *parts[5:]]
    with pytest.raises(BackupDamaged, match=f"chunk 2 at byte {sum(map(len, parts[:3]))} was altered, moved"):
        read(b"".join(swapped))
    with pytest.raises(BackupDamaged, match="follows the last chunk"):
        read(whole + b"x")


def test_another_master_key_is_told_from_damage(whole: bytes) -> None:
    """By its fingerprint; nothing is said of the key itself."""
    with pytest.raises(ConfigurationError, match=MASTER.fingerprint):
        Reader(io.BytesIO(whole), MasterKey(bytes(32)))
    assert read(whole)
    assert Reader(io.BytesIO(whole), MasterKey(bytes(32), bytes(range(32)))).header.id == "ab" * 16


def test_a_manifest_counts_every_row() -> None:
    """A writer that forgot a chunk would be found out."""
    file = io.BytesIO()
    writer = Writer(file, MASTER, header())
    writer.add("message", ROWS)
    writer.manifest["message"] = container.Part(rows=11, sha256=writer.manifest["message"].sha256)
    writer.finish()
    with pytest.raises(BackupDamaged, match="manifest"):
        read(file.getvalue())


# -- the chains in it ----------------------------------------------------------------------------------------

COMMIT = ["tenant", "sequence", "committed_at", "count", "root", "head", "decisions"]


def _commits(number: int = 4) -> list[Row]:
    last, rows = GENESIS, list[Row]()
    for sequence in range(1, number + 1):
        record = DecisionRecord(
            connector="x", account="1", event="message", disposition="stored", policy="p", subject=b""
        )
        stored, root = encode([record])
        last = head(last, "acme", sequence, NOW, 1, root)
        rows.append(("acme", sequence, NOW, 1, root, last, stored))
    return rows


def _chained(path: Path, commits: list[Row], end: Row) -> Path:
    tables = {"decision_commit": COMMIT, "decision_chain": ["tenant", "sequence", "head", "erasures"]}
    with path.open("wb") as file:
        writer = Writer(file, MASTER, header(tables=tables))
        writer.add("decision_commit", commits)
        writer.add("decision_chain", [end])
        writer.finish()
    return path


def test_the_decision_chains_in_it_are_recomputed(tmp_path: Path) -> None:
    """A store whose chain was altered before it was backed up does not pass for one that holds."""
    rows = _commits()
    end: Row = ("acme", 4, rows[-1][5], 0)
    assert examine(_chained(tmp_path / "whole", rows, end), MASTER).heads == {"acme": (4, rows[-1][5].hex())}
    wrong = {
        "altered": ([*rows[:1], (*rows[1][:2], NOW + 1, *rows[1][3:]), *rows[2:]], end, "at commit 2"),
        "missing": ([*rows[:2], *rows[3:]], end, "at commit 3"),
        "cut": (rows[:3], end, "does not end at commit 3"),
        "longer": (rows, ("acme", 3, rows[2][5], 0), "does not end at commit 4"),
    }
    for name, (commits, last, place) in wrong.items():
        with pytest.raises(BackupDamaged, match=re.escape(place)):
            examine(_chained(tmp_path / name, commits, last), MASTER)


# -- how old a keyring may become ----------------------------------------------------------------------------


def _made(path: Path, kind: Kind, days: float) -> Path:
    with path.open("wb") as file:
        writer = Writer(file, MASTER, header(kind, {}, NOW - int(days * DAY)))
        writer.finish()
    return path


def test_keyrings_that_are_too_old_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    """Neither content, nor what is young, nor anybody's other files."""
    old = _made(tmp_path / "old", Kind.KEYRING, 14.01)
    kept = [
        _made(tmp_path / "young", Kind.KEYRING, 13.99),
        _made(tmp_path / "content", Kind.STORE, 400),
        tmp_path / "letter.txt",
    ]
    kept[-1].write_bytes(b"sluicegate backup 1\nis what I read about")
    assert expired(tmp_path, 14, NOW) == [old]
    assert prune(tmp_path, 14, NOW) == [old]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    with pytest.raises(ConfigurationError):
        prune(tmp_path / "none", 14, NOW)
