"""Reading a corpus: labelled webhook bodies, sequences of them, URLs, and signature vectors.

A corpus is a directory with ``<channel>/index.jsonl`` beside the bodies, and optionally ``sequences/``,
``urls.jsonl`` and ``signatures.json``; ``docs/conformance.md`` describes each key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from connectors.registry import SOCIAL
from worker.errors import ConfigurationError
from worker.tour import samples

CONNECTOR_OF: Final = {
    **{name: name for name in SOCIAL},
    "messenger": "facebook",
    # A sequence names no channel: its bodies do.
    "whatsapp_business_account": "whatsapp",
    "page": "facebook",
}
"""A corpus' channel, or a body's ``object``, to the connector that receives it."""

Id = str | int
"""Platforms write ids as strings; some senders write integers."""

T = TypeVar("T")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What one event of a body is: only what is judged here."""

    event: str
    mid: str | None = None
    target_mid: str | None = None
    direction: str | None = None
    text: str | None = None
    user: Id | None = None
    bsuid: str | None = None
    account: Id | None = None
    standby: bool = False
    history: bool = False
    kind: str | None = None
    kinds: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    story_mention_urls: tuple[str, ...] = ()
    story_urls: tuple[str, ...] = ()


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What must be left of one delivery."""

    transcript_messages: int
    items: tuple[Item, ...]
    story_mention: bool = False
    story_mention_urls: tuple[str, ...] = ()
    must_not_persist: tuple[str, ...] = ()
    must_not_persist_min: tuple[str, ...] = ()
    cdn_urls: tuple[str, ...] = ()
    cdn_urls_encoded: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    ignored: bool = False

    def forbidden(self) -> frozenset[str]:
        """The URLs that may not be kept, in any spelling."""
        listed = (self.story_mention_urls, self.must_not_persist, self.must_not_persist_min)
        found = (self.cdn_urls, self.cdn_urls_encoded)
        told = (item.story_mention_urls + item.story_urls for item in self.items)
        return frozenset(url for urls in (*listed, *found, *told) for url in urls)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What must be left of a sequence of deliveries. None: not said."""

    stored_mids: tuple[str, ...] | None = None
    tombstones: tuple[str, ...] = ()
    must_contain: tuple[str, ...] = ()
    must_not_contain: tuple[str, ...] = ()
    current_text: dict[str, str] = {}
    final_status: dict[str, str] = {}


class UrlExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """A URL shape: removed (True), kept (False), or as the policy likes (None)."""

    url: str
    meta_cdn: bool | None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries for one fresh tenant, and what must be left of them."""

    name: str
    connector: str
    deliveries: tuple[bytes, ...]
    expected: Expected | Outcome | UrlExpectation
    ambiguous: bool = False


class SignatureVector(msgspec.Struct, frozen=True, kw_only=True):
    """A body and the signature that its exact bytes have; the others belong to the body written anew."""

    file: str
    x_hub_signature_256: str
    reserialised_utf8: str
    reserialised_ascii: str


class SignedRequestVector(msgspec.Struct, frozen=True, kw_only=True):
    """Meta's ``signed_request`` and what it says."""

    value: str
    decoded: dict[str, Any]


class HandshakeVector(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription request and how it is answered."""

    request_query: str
    ok_status: int
    ok_body: str
    wrong_token_status: int


class ChallengeVector(msgspec.Struct, frozen=True, kw_only=True):
    """X's challenge under ``consumer_secret``, and the signature of ``body`` under it."""

    consumer_secret: str
    crc_token: str
    response_token: str
    body: str
    x_twitter_webhooks_signature: str


class Signatures(msgspec.Struct, frozen=True, kw_only=True):
    """``signatures.json``: vectors under one app secret. Whatever is absent is not judged."""

    app_secret: str
    vectors: tuple[SignatureVector, ...] = ()
    signed_request: SignedRequestVector | None = None
    handshake: HandshakeVector | None = None
    x: ChallengeVector | None = None


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a directory holds."""

    directory: Path
    cases: tuple[Case, ...]
    signatures: Signatures | None


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    channel: str
    expected: Expected
    ambiguous: tuple[str, ...] = ()


class _Sequence(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    deliveries: tuple[msgspec.Raw, ...]
    expected_final: Outcome
    channel: str | None = None


def read_corpus(directory: Path) -> Corpus:
    """Everything in ``directory``. Raises ConfigurationError, naming file and line, where a label is no label."""
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: there is no such directory")
    cases = (*_bodies(directory), *_sequences(directory), *_urls(directory))
    signatures = directory / "signatures.json"
    if not cases and not signatures.exists():
        raise ConfigurationError(
            f"{directory}: no index.jsonl, sequences, urls.jsonl or signatures.json in it"
        )
    return Corpus(
        directory=directory,
        cases=cases,
        signatures=_decode(signatures.read_bytes(), Signatures, signatures.name)
        if signatures.exists()
        else None,
    )


def _bodies(directory: Path) -> Iterator[Case]:
    for index in sorted(directory.glob("*/index.jsonl")):
        if index.parent.name == "sequences":
            continue
        for place, row in _lines(index, _Row, directory):
            yield Case(
                name=row.file,
                connector=_connector(row.channel, place),
                deliveries=(_body(directory / row.file, place),),
                expected=row.expected,
                ambiguous=bool(row.ambiguous),
            )


def _sequences(directory: Path) -> Iterator[Case]:
    for path in sorted((directory / "sequences").glob("*.json")):
        place = str(path.relative_to(directory))
        sequence = _decode(path.read_bytes(), _Sequence, place)
        deliveries = tuple(bytes(raw) for raw in sequence.deliveries)
        yield Case(
            name=place,
            connector=_connector(sequence.channel or _object(deliveries), place),
            deliveries=deliveries,
            expected=sequence.expected_final,
        )


def _urls(directory: Path) -> Iterator[Case]:
    """Every URL as a text on every channel: a CDN URL is removed wherever it comes from."""
    path = directory / "urls.jsonl"
    if not path.exists():
        return
    for place, row in _lines(path, UrlExpectation, directory):
        for connector in SOCIAL:
            body = samples.text(connector, samples.Scene.fresh(), url_text(row.url))
            yield Case(name=f"{place} {connector}", connector=connector, deliveries=(body,), expected=row)


def url_text(url: str) -> str:
    """The message in which a URL of ``urls.jsonl`` is sent."""
    return f"before {url} after"


def _lines(path: Path, kind: type[T], directory: Path) -> Iterator[tuple[str, T]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            place = f"{path.relative_to(directory)}:{number}"
            yield place, _decode(line, kind, place)


def _decode(data: bytes, kind: type[T], place: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{place}: {error}") from None


def _body(path: Path, place: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError(f"{place}: the body cannot be read") from None


def _connector(channel: str, place: str) -> str:
    if channel not in CONNECTOR_OF:
        raise ConfigurationError(f"{place}: the channel is none of {', '.join(sorted(CONNECTOR_OF))}")
    return CONNECTOR_OF[channel]


def _object(deliveries: tuple[bytes, ...]) -> str:
    class Envelope(msgspec.Struct):
        object: str = ""

    return msgspec.json.decode(deliveries[0], type=Envelope).object if deliveries else ""
