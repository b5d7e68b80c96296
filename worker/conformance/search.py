"""Looking for strings in bytes, however they may have been written: the search behind "nothing of it remains".

A string may stand in a file, a log line or an answer as itself, escaped for JSON, HTML or a URL (once or
several times over), in hex, in base64 at any alignment, in UTF-16, and inside a gzip or zlib stream.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ahocorasick_rs import BytesAhoCorasick

SHORTEST: Final = 8
"""Shorter strings turn up by chance in ciphertext, digests and base64: they are not searched for in bytes."""

_MAX_INFLATED = 16 * 1024 * 1024
_NESTED_STREAMS = 3
_ESCAPED_OVER = 6
_compressed = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_escape = re.compile(
    rb"%([0-9a-f]{2})"
    rb"|\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u([0-9a-f]{4})|\\(.)"
    rb"|&#(\d{1,7});|&#x([0-9a-f]{1,6});|&(amp|lt|gt|quot|apos);"
    rb"|(\+)",
    re.IGNORECASE | re.DOTALL,
)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_ENTITIES = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}


class Found(NamedTuple):
    """One hit: the string sought, the spelling that gave it away, and the streams it was packed in."""

    needle: str
    spelling: str
    layer: str


class Search:
    """A set of strings to look for, in one pass for all of them; letter case plays no part."""

    def __init__(self, needles: Iterable[str]) -> None:
        sought = sorted({needle for needle in needles if len(needle) >= SHORTEST})
        self._spelled = _Automaton((n, name, text) for n in sought for name, text in _spellings(n))
        self._base64 = _Automaton((n, name, text) for n in sought for name, text in _base64_spellings(n))

    def look(self, data: bytes) -> Iterator[Found]:
        """Every string found in ``data`` or in a compressed stream within it, once per spelling and layer."""
        for layer, content in unpacked(data):
            hits = set(self._base64.hits(content))
            for view in unescaped(content):
                hits.update(self._spelled.hits(view))
            yield from (Found(needle, spelling, layer) for needle, spelling in sorted(hits))

    def glance(self, data: bytes) -> Iterator[Found]:
        """As ``look``, for much data: without undoing escapes, which change no letter or digit, or unpacking anything."""
        hits = {*self._base64.hits(data), *self._spelled.hits(data.lower())}
        yield from (Found(needle, spelling, "") for needle, spelling in sorted(hits))


def unescaped(data: bytes) -> Iterator[bytes]:
    """``data`` in lower case, then with its JSON, URL and HTML escapes undone, until there are none left.

    Each stage counts: undoing an escape may also eat the first letter of what only stood behind a backslash.
    """
    view = data.lower()
    yield view
    for _ in range(_ESCAPED_OVER):
        plainer = _escape.sub(_undo, view).lower()
        if plainer == view:
            return
        view = plainer
        yield view


def _undo(escape: re.Match[bytes]) -> bytes:
    percent, high, low, unit, short, decimal, hexadecimal, entity, _plus = escape.groups()
    if percent:
        return bytes.fromhex(percent.decode())
    if high:
        return bytes.fromhex((high + low).decode()).decode("utf-16-be").encode()
    if unit:
        return chr(int(unit, 16)).encode("utf-8", errors="surrogatepass")
    if short:
        return _CONTROLS.get(short, short)
    if decimal or hexadecimal:
        number = int(decimal) if decimal else int(hexadecimal, 16)
        return chr(number).encode("utf-8", errors="surrogatepass") if number <= 0x10FFFF else escape.group()
    return _ENTITIES[entity] if entity else b" "


def _spellings(needle: str) -> Iterator[tuple[str, bytes]]:
    raw = needle.encode("utf-8", errors="surrogatepass")
    *_, plain = unescaped(raw)
    yield "raw", raw.lower()
    yield "escaped", plain
    yield "hex", raw.hex().encode()
    yield "utf-16-le", needle.encode("utf-16-le", errors="surrogatepass").lower()
    yield "utf-16-be", needle.encode("utf-16-be", errors="surrogatepass").lower()


def _base64_spellings(needle: str) -> Iterator[tuple[str, bytes]]:
    """The characters at the edges also depend on the neighbouring bytes, so they are left out."""
    raw = needle.encode("utf-8", errors="surrogatepass")
    for shift, lead in enumerate((0, 2, 3)):
        trail = (0, 3, 2)[(len(raw) + shift) % 3]
        encoded = base64.b64encode(b"\0" * shift + raw)
        core = encoded[lead : len(encoded) - trail]
        yield "base64", core
        yield "base64url", core.replace(b"+", b"-").replace(b"/", b"_")


def unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """``data`` itself (layer ""), then what every gzip or zlib stream in it holds, streams in streams too."""
    waiting = [("", data)]
    while waiting:
        layer, content = waiting.pop()
        yield layer, content
        if layer.count("stream") < _NESTED_STREAMS:
            waiting.extend((f"{layer}stream at {start} ", inner) for start, inner in _streams(content))


def _streams(data: bytes) -> Iterator[tuple[int, bytes]]:
    view = memoryview(data)
    for start in _compressed.finditer(data):
        inflated = _inflate(view[start.start() :])
        if len(inflated) >= SHORTEST:
            yield start.start(), inflated


def _inflate(stream: memoryview) -> bytes:
    """As much as can be read: a stream may be cut off by a page border, or be no stream at all."""
    inflater = zlib.decompressobj(wbits=47)  # zlib or gzip, by its first bytes
    parts: list[bytes] = []
    size = 0
    for at in range(0, len(stream), 256):
        try:
            part = inflater.decompress(stream[at : at + 256], _MAX_INFLATED)
        except zlib.error:
            break
        parts.append(part)
        size += len(part)
        if inflater.eof or size >= _MAX_INFLATED:
            break
    return b"".join(parts)


class _Automaton:
    """Patterns with the names of what they are spellings of; one pass over the data finds them all."""

    def __init__(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        meanings: dict[bytes, tuple[str, str]] = {}
        for needle, spelling, pattern in rows:
            if len(pattern) >= SHORTEST:
                meanings.setdefault(pattern, (needle, spelling))
        self._meanings = tuple(meanings.values())
        self._automaton = BytesAhoCorasick(list(meanings)) if meanings else None

    def hits(self, data: bytes) -> Iterator[tuple[str, str]]:
        """Needle and spelling of every match."""
        if self._automaton is None or not data:
            return
        matches = self._automaton.find_matches_as_indexes(data, overlapping=True)
        yield from (self._meanings[index] for index, _, _ in matches)
