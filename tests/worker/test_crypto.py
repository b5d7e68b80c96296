"""Encryption: what was altered or moved does not open, and no key is ever shown."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.crypto import (
    KEY_BYTES,
    REFERENCE_BYTES,
    Aes256Gcm,
    CryptoError,
    MasterKey,
    derive,
    mac,
    new_key,
    reference,
)
from worker.keyring import ConversationKey

KEY = bytes(range(KEY_BYTES))
PLACE = b"row 7"


@given(plain=st.binary(max_size=200), place=st.binary(max_size=40))
def test_what_is_sealed_opens(plain: bytes, place: bytes) -> None:
    """Under its key and place."""
    cipher = Aes256Gcm(KEY)
    assert cipher.open(cipher.seal(plain, place), place) == plain


@given(plain=st.binary(min_size=1, max_size=40), position=st.integers(0), bit=st.integers(0, 7))
def test_an_altered_ciphertext_does_not_open(plain: bytes, position: int, bit: int) -> None:
    """One bit of nonce, ciphertext or tag is enough."""
    cipher = Aes256Gcm(KEY)
    sealed = bytearray(cipher.seal(plain, PLACE))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(CryptoError):
        cipher.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 27])
def test_a_truncated_ciphertext_does_not_open(length: int) -> None:
    """Not even with an exception of another kind."""
    cipher = Aes256Gcm(KEY)
    with pytest.raises(CryptoError):
        cipher.open(cipher.seal(b"text", PLACE)[:length], PLACE)


def test_a_moved_ciphertext_does_not_open() -> None:
    """Nor under another key; and neither error shows anything."""
    cipher = Aes256Gcm(KEY)
    sealed = cipher.seal(b"a secret", PLACE)
    for other, place in ((cipher, b"row 8"), (Aes256Gcm(new_key()), PLACE)):
        with pytest.raises(CryptoError) as refused:
            other.open(sealed, place)
        assert "secret" not in str(refused.value)
        assert refused.value.__cause__ is None


def test_sealing_twice_gives_two_ciphertexts() -> None:
    """A nonce is never used again: equal texts cannot be told by their ciphertexts."""
    cipher = Aes256Gcm(KEY)
    assert len({cipher.seal(b"yes", PLACE) for _ in range(1000)}) == 1000


def test_a_master_key_is_made_once(tmp_path: Path) -> None:
    """In a file of its owner's alone; never over another one."""
    path = tmp_path / "master.key"
    made = MasterKey.generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(path.read_bytes())) == KEY_BYTES
    assert MasterKey.load(path).unwrap(made.wrap(KEY, PLACE), PLACE) == KEY
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        MasterKey.generate(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"short", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"\xff" * 44, bytes(32)],
    ids=["empty", "no base64", "31 bytes", "33 bytes", "no ascii", "not encoded"],
)
def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    """Refused, and what it holds is not shown."""
    path = tmp_path / "master.key"
    path.write_bytes(content)
    with pytest.raises(CryptoError) as refused:
        MasterKey.load(path)
    assert not content or content.decode("latin-1") not in str(refused.value)
    assert refused.value.__cause__ is None


def test_wrapped_keys_open_in_their_place_alone() -> None:
    """A wrapped key that was copied to another tenant's row does not open."""
    master = MasterKey(KEY)
    wrapped = master.wrap(new_key(), b"acme\0pseudonym")
    with pytest.raises(CryptoError):
        master.unwrap(wrapped, b"globex\0pseudonym")


def test_keys_are_never_shown() -> None:
    """Nor are there attributes to print by accident."""
    for holder in (MasterKey(KEY), ConversationKey(KEY, Aes256Gcm)):
        assert repr(holder) == f"<{type(holder).__name__}>"
        assert not hasattr(holder, "__dict__")


@given(st.lists(st.text(st.characters(exclude_characters="\0")), max_size=4))
def test_references_are_keyed_and_separate_their_parts(parts: list[str]) -> None:
    """The same for the same parts and key, and for no others."""
    made = reference(KEY, *parts)
    assert len(made) == REFERENCE_BYTES
    assert made == reference(KEY, *parts)
    assert made != reference(new_key(), *parts)
    assert made != reference(KEY, *parts, "more")
    if len(parts) > 1 and parts[0]:
        assert made != reference(KEY, parts[0] + parts[1], *parts[2:])


def test_references_to_what_cannot_be_encoded() -> None:
    """A lone surrogate in an id is no reason to fail."""
    assert len(reference(KEY, "\ud800")) == REFERENCE_BYTES


def test_purposes_do_not_share_a_key() -> None:
    """Content and decisions have keys of their own."""
    assert len({derive(KEY, purpose) for purpose in (b"content", b"decisions", b"")} | {KEY}) == 4
    assert mac(KEY, b"x") != derive(KEY, b"x")[:REFERENCE_BYTES]
