"""What is inside a production's envelope: a tar archive of JSON lines, and last its manifest, which vouches for all of it.

``conversations/000001.jsonl`` …, ``messages/…``, ``decisions/…``, then ``manifest.json``: what was asked, on what basis, by
whom, counts, the SHA-256 and size of every other file, signed with the worker's key (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Final, cast

import msgspec

from worker.audit.signing import PublicKey, SigningKey
from worker.holds.envelope import BundleRefused, Opener, Sealer
from worker.holds.gather import Line, is_proven

FORMAT: Final = "sluicegate production 1"
MANIFEST: Final = "manifest.json"
PART_BYTES: Final = 4 << 20
"""About so large becomes a file of lines: so much of a production is in memory at a time."""

_MOST_MEMBER: Final = 64 << 20
_NAME: Final = re.compile(r"(conversations|messages|decisions)/\d{6}\.jsonl")
_encode: Final = msgspec.json.Encoder().encode

Taken = Callable[[str, bytes], None]
"""Told of every file of a bundle: its name, what is in it."""


class Writer:
    """Writes a bundle. ``lines`` for each kind in turn, then ``close`` with the manifest."""

    def __init__(self, sealer: Sealer, at: int) -> None:
        self._sealer = sealer
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", sealer), mode="w|", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by close
        self._at = at // 1_000_000
        self._files: list[Line] = []

    def lines(self, kind: str, told: Iterable[Line]) -> None:
        """Write these lines as files of that kind."""
        part, number = bytearray(), 0
        for line in told:
            part += _encode(line) + b"\n"
            if len(part) >= PART_BYTES:
                number += 1
                self._add(f"{kind}/{number:06}.jsonl", bytes(part))
                part.clear()
        if part:
            self._add(f"{kind}/{number + 1:06}.jsonl", bytes(part))

    def close(self, manifest: Mapping[str, Any], key: SigningKey) -> None:
        """Write the manifest, signed, and the end."""
        told = {"format": FORMAT, **manifest, "files": self._files, "key_id": key.public.id.hex()}
        signature = base64.b64encode(key.sign(_signed(told))).decode()
        self._member(MANIFEST, _encode(told | {"signature": signature}))
        self._tar.close()
        self._sealer.close()

    def _add(self, name: str, data: bytes) -> None:
        self._files.append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        self._member(name, data)

    def _member(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o600, self._at
        self._tar.addfile(info, io.BytesIO(data))


def check(opener: Opener, key: PublicKey | None, take: Taken = lambda _name, _data: None) -> dict[str, Any]:
    """The manifest of a bundle that is whole: every file as it was written, every decision proven.

    ``key``: the public key of who produced it; its signature is checked where that is given. Raises BundleRefused.
    """
    found: list[Line] = []
    manifest: dict[str, Any] | None = None
    tenants: set[str] = set()
    for name, data in _members(opener):
        if manifest is not None:
            raise BundleRefused(f"{name} stands behind the manifest")
        if name == MANIFEST:
            manifest = _manifest(data, key)
        else:
            found.append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
            tenants |= _proven(name, data) if name.startswith("decisions/") else set()
        take(name, data)
    if manifest is None:
        raise BundleRefused("it has no manifest")
    _compare(found, manifest.get("files"))
    if tenants - {manifest.get("tenant")}:
        raise BundleRefused("it holds decisions of another tenant")
    return manifest


def _members(opener: Opener) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", opener), mode="r|") as tar:
            for member in tar:
                known = member.name == MANIFEST or _NAME.fullmatch(member.name)
                if not member.isreg() or not known or member.size > _MOST_MEMBER:
                    raise BundleRefused("it holds something that no production holds")
                file = tar.extractfile(member)
                yield member.name, file.read() if file is not None else b""
        while opener.read(1 << 20):  # to the last block, which says that nothing was cut off
            pass
    except tarfile.TarError:
        raise BundleRefused("what is in it is no archive") from None


def _proven(name: str, data: bytes) -> set[str]:
    """The tenants of these decisions, each of which leads to the head that it names. Raises BundleRefused."""
    tenants = set()
    for number, raw in enumerate(data.splitlines(), 1):
        line = msgspec.json.decode(raw)
        if not is_proven(line):
            raise BundleRefused(
                f"{name}: the decision on line {number} does not lead to the head of its chain"
            )
        tenants.add(str(line["tenant"]))
    return tenants


def _manifest(data: bytes, key: PublicKey | None) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(data, type=dict[str, Any])
        signature = base64.b64decode(told.pop("signature"), validate=True)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        raise BundleRefused(f"{MANIFEST} is none") from None
    if told.get("format") != FORMAT:
        raise BundleRefused(f"{MANIFEST} is of a format that this version does not know")
    if key is not None and not (
        told.get("key_id") == key.id.hex() and key.verifies(signature, _signed(told))
    ):
        raise BundleRefused(f"{MANIFEST} was not signed with this key")
    return told


def _compare(found: list[Line], listed: Any) -> None:
    known = {one["name"]: one for one in listed} if isinstance(listed, list) else {}
    for one in found:
        if known.pop(one["name"], None) != one:
            raise BundleRefused(f"{one['name']} is not the file that the manifest lists")
    if known:
        raise BundleRefused(f"{min(known)} is missing")


def _signed(told: Mapping[str, Any]) -> bytes:
    return FORMAT.encode() + b"\0" + msgspec.json.encode(told, order="sorted")
