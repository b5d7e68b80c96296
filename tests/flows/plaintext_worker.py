"""``sluicegate`` with a cipher that hides nothing: it exists here alone, so that leaks cannot hide in ciphertext."""

from __future__ import annotations

import faulthandler
from functools import partial

from worker import crypto, keyring


class Plaintext:
    """Seals by writing down; still refuses what was moved to another place."""

    def __init__(self, key: bytes) -> None:
        self._tag = crypto.reference(key, "tag")

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """The plain bytes after a tag over their place."""
        return crypto.reference(self._tag, associated.hex()) + plain

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """The plain bytes; CryptoError where the place is another."""
        if sealed[: crypto.REFERENCE_BYTES] != crypto.reference(self._tag, associated.hex()):
            raise crypto.CryptoError("a ciphertext does not open under its key and place")
        return sealed[crypto.REFERENCE_BYTES :]


def main() -> None:
    """Put the cipher in place before whoever opens the keyring is imported, then run the command line."""
    keyring.open_keyring = partial(keyring.open_keyring, factory=Plaintext)
    faulthandler.enable()
    from worker.cli import main as command_line  # noqa: PLC0415 - after the cipher

    command_line()


if __name__ == "__main__":
    main()
