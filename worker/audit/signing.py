"""The key that signs evidence: Ed25519 (RFC 8032) in a PEM file of its own, its public half for whoever checks offline."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from worker.crypto import CryptoError, sync_directory

KEY_ID_BYTES: Final = 8
_MOST_BYTES = 16 << 10


class PublicKey:
    """The half that checks."""

    __slots__ = ("_key", "id")

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(raw).digest()[:KEY_ID_BYTES]

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Read a PEM file: a public key, or a private one, whose public half it is. Raises CryptoError or OSError."""
        pem = _read(path)
        try:
            key = (
                load_pem_private_key(pem, None).public_key()
                if b"PRIVATE" in pem
                else load_pem_public_key(pem)
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CryptoError("this is no key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise CryptoError("this is no Ed25519 key")
        return cls(key)

    @property
    def pem(self) -> bytes:
        """For whoever checks."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the other half signed exactly this."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The half that signs. It has no readable repr."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    def __repr__(self) -> str:
        return "<SigningKey>"

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read the PEM file (PKCS #8). Raises CryptoError or OSError."""
        try:
            key = load_pem_private_key(_read(path), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CryptoError("this is no unencrypted private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise CryptoError("this is no Ed25519 key")
        return cls(key)

    @classmethod
    def generate(cls, path: Path) -> SigningKey:
        """Write a new key to ``path`` with mode 0600, durably. Never overwrites (FileExistsError)."""
        key = Ed25519PrivateKey.generate()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)
