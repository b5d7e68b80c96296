"""Encryption: the master key, authenticated ciphers, keyed references. No key ever has a readable repr."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from policies.message import Private

KEY_BYTES: Final = 32
REFERENCE_BYTES: Final = 16
_NONCE_BYTES = 12


class CryptoError(Exception):
    """A ciphertext does not open, or a key is not one. Never carries what it was about."""


class Cipher(Protocol):
    """One key's authenticated encryption; ``associated`` is bound to the ciphertext, not hidden in it."""

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """The sealed form of ``plain``."""

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """What was sealed. Raises CryptoError where key, ciphertext or ``associated`` do not fit."""


CipherFactory = Callable[[bytes], Cipher]
"""From 32 key bytes to a cipher."""


class Aes256Gcm:
    """AES-256-GCM with a random 96-bit nonce in front (NIST SP 800-38D)."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """The plain bytes; CryptoError when anything was altered or moved."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
        except (InvalidTag, ValueError):
            raise CryptoError("a ciphertext does not open under its key and place") from None


class MasterKeys(Private, frozen=True):
    """What a master key's file holds: the key that wraps, and while it is exchanged the one before or after it.

    One line of base64 for each; the other two begin with the word ``next:`` or ``previous:``.
    """

    current: bytes
    next: bytes | None = None
    previous: bytes | None = None

    @property
    def all(self) -> tuple[bytes, ...]:
        """Every key that opens something, the one that wraps first."""
        return tuple(key for key in (self.current, self.next, self.previous) if key is not None)

    @classmethod
    def read(cls, path: Path) -> MasterKeys:
        """Raises CryptoError (not such a file) or OSError (cannot be read)."""
        found: dict[str, bytes] = {}
        for line in path.read_bytes().split(b"\n"):
            if line.strip():
                role, _, text = line.strip().rpartition(b":")
                name = _ROLES.get(role.strip())
                if name is None or name in found:
                    raise CryptoError("the master key file holds a line that is none of its own")
                found[name] = _decoded(text.strip())
        if "current" not in found:
            raise CryptoError("the master key file does not hold a key")
        return cls(**found)

    def write(self, path: Path) -> None:
        """Put this in the place of the file, durably and at once, with mode 0600. Raises OSError."""
        beside = path.with_name(f"{path.name}.new")
        beside.unlink(missing_ok=True)
        self.create(beside)
        beside.rename(path)
        sync_directory(path.parent)

    def create(self, path: Path) -> None:
        """Write a file that is not there yet (FileExistsError), durably, with mode 0600."""
        words = (("", self.current), ("next: ", self.next), ("previous: ", self.previous))
        lines = [word.encode() + base64.b64encode(key) + b"\n" for word, key in words if key is not None]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)


_ROLES: Final = {b"": "current", b"next": "next", b"previous": "previous"}


class MasterKey:
    """The key that wraps all others. It lives in a file of its own, never beside what it opens.

    While it is exchanged there are two, and both open. A process that has it from a file takes up what is written there
    meanwhile: before it wraps, and when something does not open.
    """

    __slots__ = ("_ciphers", "_keys", "_seen", "_source")

    def __init__(self, key: bytes, *others: bytes, source: Path | None = None) -> None:
        self._source = source
        self._seen = _state(source)
        self._hold((key, *others))

    def __repr__(self) -> str:
        return "<MasterKey>"

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read the key file. Raises CryptoError (not base64 of 32 bytes) or OSError (cannot be read)."""
        seen = _state(path)
        made = cls(*MasterKeys.read(path).all, source=path)
        made._seen = seen
        return made

    @classmethod
    def generate(cls, path: Path) -> MasterKey:
        """Write a new key to ``path`` with mode 0600, durably. Never overwrites (FileExistsError)."""
        key = os.urandom(KEY_BYTES)
        MasterKeys(key).create(path)
        return cls(key, source=path)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that tell the key that wraps from others, and nothing else about it."""
        return fingerprint(self._keys[0])

    @property
    def fingerprints(self) -> frozenset[str]:
        """Those of all keys that open."""
        return frozenset(map(fingerprint, self._keys))

    def wrap(self, key: bytes, place: bytes) -> bytes:
        """``key`` sealed for ``place``; it does not open anywhere else."""
        self._refresh()
        return self._ciphers[0].seal(key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """The key that was wrapped for ``place``. Raises CryptoError."""
        opened = self._opened(wrapped, place)
        if opened is None and self._refresh():
            opened = self._opened(wrapped, place)
        if opened is None:
            raise CryptoError("a wrapped key does not open under the master key and at its place")
        return opened

    def rewrap(self, wrapped: bytes, place: bytes) -> bytes | None:
        """The same under the key that wraps now; None where it is under that already. Raises CryptoError."""
        try:
            self._ciphers[0].open(wrapped, place)
        except CryptoError:
            return self.wrap(self.unwrap(wrapped, place), place)
        return None

    def _opened(self, wrapped: bytes, place: bytes) -> bytes | None:
        for cipher in self._ciphers:
            with suppress(CryptoError):
                return cipher.open(wrapped, place)
        return None

    def _hold(self, keys: tuple[bytes, ...]) -> None:
        if any(len(key) != KEY_BYTES for key in keys):
            raise CryptoError("a master key has 32 bytes, written as base64")
        self._keys = keys
        self._ciphers = tuple(map(Aes256Gcm, keys))

    def _refresh(self) -> bool:
        """Whether the file says something else now. A file without any key that is known here is somebody's mistake."""
        seen = _state(self._source)
        if self._source is None or seen is None or seen == self._seen:
            return False
        try:
            keys = MasterKeys.read(self._source).all
        except (CryptoError, OSError):
            return False
        self._seen = seen
        if not set(keys) & set(self._keys) or keys == self._keys:
            return False
        self._hold(keys)
        return True


def fingerprint(key: bytes) -> str:
    """Eight hex digits that tell a key from others."""
    return derive(key, b"fingerprint")[:4].hex()


def _decoded(text: bytes) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CryptoError("the master key file does not hold base64") from None
    if len(key) != KEY_BYTES:
        raise CryptoError("a master key has 32 bytes, written as base64")
    return key


def _state(path: Path | None) -> tuple[int, int, int] | None:
    """What changes when somebody writes a file, or puts another in its place."""
    try:
        stat = path.stat() if path is not None else None
    except OSError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat is not None else None


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def reference(key: bytes, *parts: str) -> bytes:
    """A 16-byte keyed reference to something named by ``parts`` (which never contain U+0000)."""
    return mac(key, "\0".join(parts).encode("utf-8", "replace"))


def mac(key: bytes, message: bytes) -> bytes:
    """A 16-byte message authentication code: keyed BLAKE2b (RFC 7693), a quarter of HMAC-SHA256's time."""
    return hashlib.blake2b(message, key=key, digest_size=REFERENCE_BYTES).digest()


def derive(key: bytes, purpose: bytes) -> bytes:
    """A subkey for one purpose (HMAC-SHA256 as a PRF)."""
    return hmac.digest(key, purpose, "sha256")


def sync_directory(directory: Path) -> None:
    """Make a new directory entry durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
