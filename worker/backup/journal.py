"""The journal: an append-only file on a second path, one line for everything that was taken away, without content.

``number hash json``. Each line's hash covers the one before it, so that an altered, moved or missing line is told. A line
is on disk before the transaction that it speaks of is committed. Several processes may append to one file. Only its last
lines can be torn, by a crash: they were not committed, and whoever appends next takes them away.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from policies.message import Private
from worker.crypto import sync_directory
from worker.errors import Failed
from worker.store.engine import StoreError
from worker.store.journal import Line

FORMAT: Final = "sluicegate journal 1"

_BEGINNING: Final = "0" * 32
_TAIL_BYTES: Final = 64 << 10
_encoder = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Line)


class JournalError(StoreError):
    """The journal cannot be written: nothing that it would speak of may be committed."""


class Position(Private, frozen=True, kw_only=True):
    """Where a journal ends: its id, the number of its last line, and that line's hash."""

    journal: str
    number: int
    hash: str


class _Header(Private, frozen=True, kw_only=True):
    format: str
    id: str


class _Entry(Private, frozen=True, kw_only=True):
    number: int
    hash: str
    text: bytes


class Journal:
    """A journal's file; it is made when the first line is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, lines: Sequence[Line]) -> None:
        """Write lines durably, before this returns. Raises JournalError."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            raise JournalError("the journal cannot be opened by this user") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            last = _end(descriptor) or self._begin(descriptor)
            _write(descriptor, _chained(last, [_encoder.encode(line) for line in lines]))
            os.fdatasync(descriptor)
        except OSError:
            raise JournalError("the journal cannot be written: is its disk full?") from None
        finally:
            os.close(descriptor)

    def position(self) -> Position | None:
        """Where it ends now; None where nothing was written yet. Raises JournalError."""
        try:
            with self.path.open("rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_SH)
                last = _last_entry(file.fileno())[0]
                file.seek(0)
                first = _entry(file.readline())
        except FileNotFoundError:
            return None
        except OSError:
            raise JournalError("the journal cannot be read by this user") from None
        if last is None or first is None:
            return None
        return Position(journal=_header(first).id, number=last.number, hash=last.hash)

    def _begin(self, descriptor: int) -> _Entry:
        header = _encoder.encode(_Header(format=FORMAT, id=os.urandom(8).hex()))
        first = _Entry(number=0, hash=_hash(_BEGINNING, 0, header), text=header)
        _write(descriptor, _written(first))
        os.fdatasync(descriptor)
        sync_directory(self.path.absolute().parent)
        return first


class JournalDamaged(Failed):
    """A journal is not what was written. The text names the first line that does not fit."""


def read(path: Path, since: Sequence[Position] = ()) -> Iterator[Line]:
    """Every line of a journal, the oldest first. Lines that a crash tore off at its end are left out.

    ``since``: where it is known to have been. Raises JournalDamaged, which names the line, or OSError.
    """
    known: dict[int, str] = {}
    last: _Entry | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(file):
            if not raw.endswith(b"\n"):
                break
            entry = _entry(raw)
            before = last.hash if last is not None else _BEGINNING
            if entry is None or entry.number != number or entry.hash != _hash(before, number, entry.text):
                raise JournalDamaged(
                    f"{path}: line {number} was altered, moved, or something before it is missing"
                )
            last = entry
            if number == 0:
                header = _header(entry)
                known = {one.number: one.hash for one in since if one.journal == header.id}
            else:
                yield _line(path, entry)
            if known.pop(number, entry.hash) != entry.hash:
                raise JournalDamaged(f"{path}: line {number} is not the one that the backup knows")
    if last is None:
        raise JournalDamaged(f"{path}: this is no journal")
    if known:
        raise JournalDamaged(
            f"{path}: it ends at line {last.number}, and was longer when the backup was made"
        )


def identity(path: Path) -> str:
    """A journal's id. Raises JournalDamaged, or OSError."""
    with path.open("rb") as file:
        first = _entry(file.readline(_TAIL_BYTES))
    if first is None or first.number != 0:
        raise JournalDamaged(f"{path}: this is no journal")
    return _header(first).id


def _line(path: Path, entry: _Entry) -> Line:
    try:
        line: Line = _decoder.decode(entry.text)
    except msgspec.MsgspecError:
        raise JournalDamaged(f"{path}: line {entry.number} is none that this version knows") from None
    return line


def _header(entry: _Entry) -> _Header:
    with suppress(msgspec.MsgspecError):
        header = msgspec.json.decode(entry.text, type=_Header)
        if header.format == FORMAT:
            return header
    raise JournalDamaged("this is no journal of a format that this version knows")


def _end(descriptor: int) -> _Entry | None:
    """The last whole line; what was torn off behind it is cut away. None in a new file."""
    last, end = _last_entry(descriptor)
    if os.fstat(descriptor).st_size != end:
        os.ftruncate(descriptor, end)
    return last


def _last_entry(descriptor: int) -> tuple[_Entry | None, int]:
    """The last whole line and where it ends."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, _TAIL_BYTES, start)
    end = tail.rfind(b"\n") + 1
    if end == 0:
        if start:
            raise JournalError("the end of the journal is damaged: move the file away and keep it")
        return None, 0
    whole = tail[:end].splitlines(keepends=True)
    last = _entry(whole[-1])
    before = _entry(whole[-2]) if len(whole) > 1 else None
    previous = before.hash if before is not None else _BEGINNING
    if last is None or last.hash != _hash(previous, last.number, last.text):
        raise JournalError("the end of the journal is damaged: move the file away and keep it")
    return last, start + end


def _entry(raw: bytes) -> _Entry | None:
    parts = raw.removesuffix(b"\n").split(b" ", 2)
    if len(parts) != 3 or not raw.endswith(b"\n"):
        return None
    try:
        entry = _Entry(number=int(parts[0]), hash=parts[1].decode("ascii"), text=parts[2])
    except ValueError:
        return None
    return entry if _written(entry) == raw else None


def _chained(last: _Entry, texts: Sequence[bytes]) -> bytes:
    written = []
    for text in texts:
        number = last.number + 1
        last = _Entry(number=number, hash=_hash(last.hash, number, text), text=text)
        written.append(_written(last))
    return b"".join(written)


def _written(entry: _Entry) -> bytes:
    return b"%d %s %s\n" % (entry.number, entry.hash.encode(), entry.text)


def _hash(previous: str, number: int, text: bytes) -> str:
    return hashlib.sha256(b"%s %d %s" % (previous.encode(), number, text)).hexdigest()[:32]


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
