"""Encryption: the master key, authenticated ciphers, keyed references. No key ever has a readable repr."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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


class MasterKey:
    """The key that wraps all others. It lives in a file of its own, never beside what it opens."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise CryptoError("a master key has 32 bytes, written as base64")
        self._aead = Aes256Gcm(key)

    def __repr__(self) -> str:
        return "<MasterKey>"

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read the key file. Raises CryptoError (not base64 of 32 bytes) or OSError (cannot be read)."""
        try:
            return cls(base64.b64decode(path.read_bytes().strip(), validate=True))
        except binascii.Error:
            raise CryptoError("the master key file does not hold base64") from None

    @classmethod
    def generate(cls, path: Path) -> MasterKey:
        """Write a new key to ``path`` with mode 0600, durably. Never overwrites (FileExistsError)."""
        key = os.urandom(KEY_BYTES)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
        return cls(key)

    def wrap(self, key: bytes, place: bytes) -> bytes:
        """``key`` sealed for ``place``; it does not open anywhere else."""
        return self._aead.seal(key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """The key that was wrapped for ``place``. Raises CryptoError."""
        return self._aead.open(wrapped, place)


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
