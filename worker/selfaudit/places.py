"""Where something could have stayed: the store's rows and files, the last log lines, the transcript."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import MetaData, select

from policies.message import Private
from worker.conformance.search import Search
from worker.selfaudit.story import Canary, Story
from worker.store.engine import Store

MOST_BYTES: Final = 256 << 20
"""Of a store's files so much is read in one audit: the write-ahead log first, then the newest part of the file."""

Sighting = tuple[str, Canary]
"""Whose story, and what of it."""

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 1 << 10
_REST_SECONDS: Final = 0.002


class Seeker:
    """Looks for the values of stories, however they may have been written."""

    def __init__(self, stories: Mapping[str, Story]) -> None:
        self._meaning = {
            value: (whose, canary)
            for whose, story in stories.items()
            for canary, some in story.values.items()
            for value in some
        }
        self._search = Search(self._meaning)

    def in_text(self, data: bytes) -> set[Sighting]:
        """What stands in a little data, also escaped or packed."""
        return {self._meaning[found.needle] for found in self._search.look(data)}

    def in_bytes(self, pieces: Iterable[bytes]) -> set[Sighting]:
        """What stands in much data, plainly or in another alphabet. Others get their turn between the pieces."""
        found: set[Sighting] = set()
        for piece in pieces:
            found.update(self._meaning[one.needle] for one in self._search.glance(piece))
            time.sleep(_REST_SECONDS)
        return found


class Files(Private, frozen=True, kw_only=True):
    """What was found in files, how much of them was searched, and how much was left out."""

    found: frozenset[Sighting]
    searched: int
    left_out: int


def in_files(seeker: Seeker, paths: Sequence[Path], most: int = MOST_BYTES) -> Files:
    """Search files in this order, each from its end, until so many bytes were read."""
    found: set[Sighting] = set()
    searched = left_out = 0
    for path in paths:
        size = path.stat().st_size if path.exists() else 0
        wanted = min(size, most - searched)
        found |= seeker.in_bytes(_pieces(path, size - wanted, wanted))
        searched, left_out = searched + wanted, left_out + size - wanted
    return Files(found=frozenset(found), searched=searched, left_out=left_out)


def files_of(*stores: Store) -> list[Path]:
    """The files of embedded stores: their write-ahead logs first, where what is new stands."""
    paths = [store.path for store in stores if store.path is not None]
    return [path.with_name(path.name + "-wal") for path in paths] + paths


def in_rows(seeker: Seeker, store: Store, metadata: MetaData, tenant: str) -> set[Sighting]:
    """What stands plainly in any row of a tenant, in any table."""
    found: set[Sighting] = set()
    with store.reading() as tx:
        for table in metadata.sorted_tables:
            if "tenant" in table.c:
                for row in tx.execute(select(table).where(table.c.tenant == tenant)):
                    found |= seeker.in_text(b"\n".join(map(_bytes, row)))
    return found


def in_lines(seeker: Seeker, lines: bytes) -> set[Sighting]:
    """What stands in the lines of a log."""
    return seeker.in_bytes(lines[at : at + _CHUNK + _OVERLAP] for at in range(0, len(lines), _CHUNK))


def in_value(seeker: Seeker, value: Any) -> set[Sighting]:
    """What stands in anything that can be written as JSON."""
    return seeker.in_text(msgspec.json.encode(value))


def _pieces(path: Path, start: int, length: int) -> Iterator[bytes]:
    """The file from ``start``, in pieces that overlap: nothing is cut in two. A file may be changed meanwhile."""
    if length <= 0:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for at in range(start, start + length, _CHUNK):
            yield os.pread(descriptor, min(_CHUNK + _OVERLAP, start + length - at), at)
    finally:
        os.close(descriptor)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
