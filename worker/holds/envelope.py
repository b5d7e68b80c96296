"""The encryption of a production: one file that only the recipient's key opens, written and read as a stream.

    the line ``sluicegate production 1`` with its line feed, 4 bytes length (big-endian), header (JSON), blocks

A block is AES-256-GCM over 65,536 bytes (the last one: up to so many, also none) and 16 bytes longer than those. Its nonce
is its number from 0 (11 bytes, big-endian) and 1 byte: 1 for the last block, 0 for others; so blocks cannot be altered,
moved, or cut off. The key is HKDF-SHA256 over the X25519 agreement of ``ephemeral`` and the recipient's key, with ``salt``,
and magic, length and header as info: a header that was altered opens nothing. Each bundle has a key of its own.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from policies.message import Instant
from worker.crypto import CryptoError, sync_directory

MAGIC: Final = b"sluicegate production 1\n"
BLOCK: Final = 64 << 10

_TAG: Final = 16
_LENGTH: Final = 4
_MOST_HEADER: Final = 4 << 10
_MOST_KEY: Final = 16 << 10


class BundleRefused(Exception):
    """A bundle does not open. The text says why and where, and repeats nothing of it."""


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> int:
        """Take them all."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may know of a bundle: its id, when it expires, whose key opens it. Keys as base64."""

    id: str
    expires_at: Instant
    recipient: str
    ephemeral: str
    salt: str


class RecipientKey:
    """The public half of a recipient's key; ``id`` names it."""

    __slots__ = ("_key", "id")

    def __init__(self, key: X25519PublicKey) -> None:
        self._key = key
        self.id = hashlib.sha256(_raw(key)).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> RecipientKey:
        """Read a public key in PEM. Raises CryptoError, or OSError."""
        pem = _read(path)
        if b"PRIVATE" in pem:
            raise CryptoError("this is a private key, which stays with the recipient: give the public one")
        try:
            key = load_pem_public_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CryptoError("this is no public key in PEM") from None
        if not isinstance(key, X25519PublicKey):
            raise CryptoError("this is no X25519 key: `sluicegate produce keygen` makes one")
        return cls(key)

    @property
    def pem(self) -> bytes:
        """For whoever produces."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def seal(self, id_: str, expires_at: Instant, file: Sink) -> Sealer:
        """Begin a bundle for this recipient."""
        ephemeral, salt = X25519PrivateKey.generate(), os.urandom(32)
        header = Header(
            id=id_,
            expires_at=expires_at,
            recipient=self.id,
            ephemeral=base64.b64encode(_raw(ephemeral.public_key())).decode(),
            salt=base64.b64encode(salt).decode(),
        )
        begin = _beginning(header)
        file.write(begin)
        return Sealer(file, _cipher(ephemeral.exchange(self._key), salt, begin))


class RecipientPrivateKey:
    """The half that opens. It has no readable repr."""

    __slots__ = ("_key", "public")

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public = RecipientKey(key.public_key())

    def __repr__(self) -> str:
        return "<RecipientPrivateKey>"

    @classmethod
    def load(cls, path: Path) -> RecipientPrivateKey:
        """Read the PEM file (PKCS #8). Raises CryptoError, or OSError."""
        try:
            key = load_pem_private_key(_read(path), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CryptoError("this is no unencrypted private key in PEM") from None
        if not isinstance(key, X25519PrivateKey):
            raise CryptoError("this is no X25519 key")
        return cls(key)

    @classmethod
    def generate(cls, path: Path) -> RecipientPrivateKey:
        """Write a new key to ``path`` with mode 0600, durably. Never overwrites (FileExistsError)."""
        key = X25519PrivateKey.generate()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.absolute().parent)
        return cls(key)

    def open(self, file: BinaryIO, now: Instant) -> Opener:
        """Begin to read a bundle. Raises BundleRefused: none, made for another key, or past its expiry."""
        header, begin = _header(file)
        if header.recipient != self.public.id:
            raise BundleRefused(
                f"it was made for another key ({_word(header.recipient)}), not for {self.public.id}"
            )
        if header.expires_at <= now:
            raise BundleRefused("it has expired: it should have been destroyed; ask for another production")
        try:
            peer = X25519PublicKey.from_public_bytes(base64.b64decode(header.ephemeral, validate=True))
            shared = self._key.exchange(peer)
            salt = base64.b64decode(header.salt, validate=True)
        except ValueError:
            raise BundleRefused("its header is damaged") from None
        return Opener(file, _cipher(shared, salt, begin), len(begin))


class Sealer:
    """A file to write to: what is written is encrypted block by block. ``close`` writes the last block."""

    def __init__(self, file: Sink, cipher: AESGCM) -> None:
        self._file = file
        self._cipher = cipher
        self._number = 0
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Encrypt; every block but the last is on its way as soon as there is more."""
        self._waiting += data
        while len(self._waiting) > BLOCK:
            self._write_block(bytes(self._waiting[:BLOCK]), last=False)
            del self._waiting[:BLOCK]
        return len(data)

    def close(self) -> None:
        """Write the last block."""
        self._write_block(bytes(self._waiting), last=True)

    def _write_block(self, plain: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), plain, None))
        self._number += 1


class Opener:
    """A file to read from: what is in a bundle. Raises BundleRefused at the first block that is not as it was written."""

    def __init__(self, file: BinaryIO, cipher: AESGCM, begin: int) -> None:
        self._file = file
        self._cipher = cipher
        self._begin = begin
        self._number = 0
        self._ready = bytearray()
        self._next = file.read(BLOCK + _TAG)
        self._ended = False

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while len(self._ready) < size and not self._ended:
            self._ready += self._read_block()
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _read_block(self) -> bytes:
        sealed, self._next = self._next, self._file.read(BLOCK + _TAG)
        self._ended = not self._next
        number, self._number = self._number, self._number + 1
        try:
            return self._cipher.decrypt(_nonce(number, last=self._ended), sealed, None)
        except (InvalidTag, ValueError):
            raise BundleRefused(self._what_is_wrong(number, sealed)) from None

    def _what_is_wrong(self, number: int, sealed: bytes) -> str:
        at = self._begin + number * (BLOCK + _TAG)
        if self._ended and len(sealed) == BLOCK + _TAG and self._opens(number, sealed):
            return f"it is cut off after block {number + 1}, at byte {at + len(sealed)}"
        where = f"block {number + 1}, bytes {at} to {at + len(sealed)}"
        if number == 0 and not self._ended:
            return f"its header or its first block is damaged ({where})"
        return f"it is damaged or cut off in {where}"

    def _opens(self, number: int, sealed: bytes) -> bool:
        try:
            self._cipher.decrypt(_nonce(number, last=False), sealed, None)
        except InvalidTag:
            return False
        return True


def read_header(file: BinaryIO) -> Header:
    """What anybody may know of a bundle. Raises BundleRefused."""
    return _header(file)[0]


def _header(file: BinaryIO) -> tuple[Header, bytes]:
    start = file.read(len(MAGIC) + _LENGTH)
    if len(start) < len(MAGIC) + _LENGTH or not start.startswith(MAGIC):
        raise BundleRefused("this is no production that this version knows")
    length = int.from_bytes(start[len(MAGIC) :], "big")
    told = file.read(min(length, _MOST_HEADER))
    try:
        header = msgspec.json.decode(told, type=Header)
    except msgspec.MsgspecError:
        raise BundleRefused(f"its header is damaged (bytes {len(start)} to {len(start) + length})") from None
    return header, start + told


def _beginning(header: Header) -> bytes:
    told = msgspec.json.encode(header)
    return MAGIC + len(told).to_bytes(_LENGTH, "big") + told


def _cipher(shared: bytes, salt: bytes, begin: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=begin).derive(shared))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _word(text: str) -> str:
    return text if len(text) == 16 and text.isalnum() and text.isascii() else "?"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_KEY)
