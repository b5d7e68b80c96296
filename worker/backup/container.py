"""A backup's file: a header, then encrypted chunks of rows, at the end a manifest.

Every chunk is sealed (AES-256-GCM) under a key of this backup alone, which the master key has wrapped. The number of the
chunk, whether it is the last, and the header are bound to it: what was altered, cut off, left out, moved or taken from
another backup is told, with the place. One chunk is in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, BinaryIO, Final

import msgspec

from policies.message import Instant, Private
from worker.backup.journal import Position
from worker.crypto import Aes256Gcm, CryptoError, MasterKey, new_key
from worker.errors import ConfigurationError, Failed

MAGIC: Final = b"sluicegate backup 1\n"
CHUNK_BYTES: Final = 512 << 10
"""A chunk ends with the row that makes it as long as that."""

_LARGEST: Final = 64 << 20
_LENGTH: Final = 4

Row = tuple[Any, ...]


class Kind(StrEnum):
    """What was backed up."""

    STORE = "store"
    KEYRING = "keyring"


class BackupDamaged(Failed):
    """A backup is not what was written. The text names the first damaged place."""


class Header(Private, frozen=True, kw_only=True):
    """What stands in the clear in front; no chunk opens when any of it was altered.

    ``master``: the fingerprint of the master key that wrapped ``wrapped``. ``tables``: columns by table.
    """

    kind: Kind
    id: str
    made_at: Instant
    revision: str
    master: str
    wrapped: bytes
    tables: Mapping[str, Sequence[str]]
    journal: Position | None = None


class Part(Private, frozen=True, kw_only=True):
    """What a manifest says of a table: its rows, and the SHA-256 of its chunks."""

    rows: int
    sha256: str


_encoder = msgspec.msgpack.Encoder()
_rows: Final = msgspec.msgpack.Decoder(tuple[str, list[Row]])
_manifest: Final = msgspec.msgpack.Decoder(dict[str, Part])


def place(id_: str) -> bytes:
    """Where the wrapped key of a backup belongs."""
    return b"backup\0" + id_.encode()


class Writer:
    """Writes a backup into a file that is open for it."""

    def __init__(self, file: BinaryIO, master: MasterKey, header: Header) -> None:
        key = new_key()
        self.header = msgspec.structs.replace(
            header, master=master.fingerprint, wrapped=master.wrap(key, place(header.id))
        )
        self.sha256 = hashlib.sha256()
        self.manifest: dict[str, Part] = {}
        self._file = file
        self._cipher = Aes256Gcm(key)
        self._number = 0
        encoded = _encoder.encode(self.header)
        self._bound = hashlib.sha256(encoded).digest()
        self._write(MAGIC + len(encoded).to_bytes(_LENGTH, "big") + encoded)
        self._seal(b"")

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """All rows of a table."""
        digest, count = hashlib.sha256(), 0
        for chunk, number in _chunks(table, rows):
            digest.update(chunk)
            count += number
            self._seal(chunk)
        self.manifest[table] = Part(rows=count, sha256=digest.hexdigest())

    def finish(self) -> None:
        """Write the manifest: only with it a backup is whole."""
        self._seal(_encoder.encode(self.manifest), last=True)

    def _seal(self, plain: bytes, *, last: bool = False) -> None:
        sealed = self._cipher.seal(plain, _bound_to(self._bound, self._number, last=last))
        self._write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
        self._number += 1

    def _write(self, data: bytes) -> None:
        self.sha256.update(data)
        self._file.write(data)


class Reader:
    """Reads a backup. Everything raises BackupDamaged where it is; ConfigurationError where the master key is another."""

    def __init__(self, file: BinaryIO, master: MasterKey) -> None:
        self.header, encoded = read_header(file)
        if self.header.master not in master.fingerprints:
            raise ConfigurationError(
                f"this backup was made under the master key {self.header.master}, and that is not the one given:"
                " --master-key names the file of an earlier one"
            )
        self._file = file
        self._bound = hashlib.sha256(encoded).digest()
        self._number = 0
        try:
            self._cipher = Aes256Gcm(master.unwrap(self.header.wrapped, place(self.header.id)))
        except CryptoError:
            raise BackupDamaged("the header was altered: its key does not open") from None
        self._open("the header was altered, or is that of another backup")

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """The rows, by table, a chunk at a time; at the end they were all that were written."""
        counts: Counter[str] = Counter()
        digests = {table: hashlib.sha256() for table in self.header.tables}
        while True:
            plain, last = self._open()
            if last:
                break
            try:
                table, rows = _rows.decode(plain)
                digests[table].update(plain)
            except (msgspec.MsgspecError, KeyError):
                raise BackupDamaged(f"chunk {self._number - 1} is none that this version knows") from None
            counts[table] += len(rows)
            yield table, rows
        if self._file.read(1):
            raise BackupDamaged("something follows the last chunk that is no part of the backup")
        found = {name: Part(rows=counts[name], sha256=digests[name].hexdigest()) for name in digests}
        if found != _manifest.decode(plain):
            raise BackupDamaged("its chunks are not those that its manifest counts")

    def _open(self, told: str = "") -> tuple[bytes, bool]:
        at, number = self._file.tell(), self._number
        told = told or f"chunk {number} at byte {at} was altered, moved, or belongs to another backup"
        length = self._file.read(_LENGTH)
        size = int.from_bytes(length, "big")
        if not length:
            raise BackupDamaged(f"it ends at byte {at}, before chunk {number}: its end is missing")
        if len(length) < _LENGTH or (size <= _LARGEST and len(sealed := self._file.read(size)) < size):
            raise BackupDamaged(f"it ends within chunk {number}, which begins at byte {at}")
        if size > _LARGEST:
            raise BackupDamaged(told)
        self._number += 1
        for last in (False, True):
            try:
                return self._cipher.open(sealed, _bound_to(self._bound, number, last=last)), last
            except CryptoError:
                continue
        raise BackupDamaged(told)


def read_header(file: BinaryIO) -> tuple[Header, bytes]:
    """A backup's header, and its bytes. Whether they are genuine shows when the first chunk is opened."""
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupDamaged("this is no backup, or its first bytes were altered")
    size = int.from_bytes(file.read(_LENGTH), "big")
    encoded = file.read(min(size, 1 << 20))
    try:
        return msgspec.msgpack.decode(encoded, type=Header), encoded
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BackupDamaged("its header was altered or cut off") from None


def _chunks(table: str, rows: Iterable[Row]) -> Iterator[tuple[bytes, int]]:
    held: list[msgspec.Raw] = []
    size = 0
    for row in rows:
        encoded = _encoder.encode(row)
        held.append(msgspec.Raw(encoded))
        size += len(encoded)
        if size >= CHUNK_BYTES:
            yield _encoder.encode((table, held)), len(held)
            held, size = [], 0
    if held:
        yield _encoder.encode((table, held)), len(held)


def _bound_to(header: bytes, number: int, *, last: bool) -> bytes:
    return header + number.to_bytes(8, "big") + bytes([last])
