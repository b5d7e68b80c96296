"""What must hold: a transcript export and the answers, judged against the labels. Pure; one function per promise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, assert_never
from urllib.parse import unquote

import msgspec

from policies.event import DeliveryStatus
from policies.message import REMOVED_CDN
from worker.conformance.labels import Case, Expected, Item, Outcome, UrlExpectation, url_text
from worker.conformance.search import SHORTEST, Search

Entry = Mapping[str, Any]
"""One entry of a transcript export."""

_DIRECTIONS: Final = {"in": "inbound", "out": "outbound"}
_STATUSES: Final = {word.value for word in DeliveryStatus}


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """One promise that did not hold: for which label, which promise, and what was seen instead."""

    label: str
    judgement: str
    detail: str


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What one case left behind: the answers' statuses and bodies, and the tenant's export.

    ``refs`` gives the references that a platform id has on any of the tenant's accounts.
    """

    statuses: Sequence[int]
    bodies: Sequence[bytes]
    export: Mapping[str, Any]
    refs: Callable[[str], frozenset[str]]


def judge(case: Case, observed: Observed) -> list[Miss]:
    """Every promise that the case's label makes and that does not hold."""
    transcript = Transcript(observed)
    verdicts = [*_answered(observed), *_absent(forbidden(case), observed)]
    match case.expected:
        case Expected() as expected if case.ambiguous:
            del expected  # counts and texts of ambiguous bodies are nobody's to say
        case Expected() as expected:
            verdicts += _delivery(expected, transcript)
        case Outcome() as outcome:
            verdicts += _outcome(outcome, transcript, observed)
        case UrlExpectation() as url:
            verdicts += _url(url, transcript)
        case _:
            assert_never(case.expected)
    return [Miss(label=case.name, judgement=judgement, detail=detail) for judgement, detail in verdicts]


Verdicts = Iterator[tuple[str, str]]
"""Pairs of the promise's name and what was seen instead."""


class Transcript:
    """An export, by message."""

    def __init__(self, observed: Observed) -> None:
        conversations = observed.export["conversations"]
        self.conversations: list[Mapping[str, Any]] = list(conversations)
        self.attributed = [entry for conversation in conversations for entry in conversation["entries"]]
        self.entries: list[Entry] = [*self.attributed, *observed.export["unattributed"]]
        self._refs = observed.refs

    def find(self, platform_id: str) -> list[Entry]:
        """The entries of this message, on any account."""
        refs = self._refs(platform_id)
        return [entry for entry in self.entries if entry["ref"] in refs]

    def stored(self, platform_id: str) -> Entry | None:
        """The stored message of this id, if there is one."""
        return next((entry for entry in self.find(platform_id) if entry["state"] == "stored"), None)

    def messages(self) -> list[Entry]:
        """What counts as a message of a conversation: stored, and no interaction."""
        return [entry for entry in self.attributed if entry["state"] == "stored" and not entry["interaction"]]

    def person(self, entry: Entry) -> set[str]:
        """Every identifier of the person whose conversation (or one linked with it) holds the entry."""
        homes = [talk for talk in self.conversations if entry in talk["entries"]]
        related = {talk["id"] for talk in homes} | {other for talk in homes for other in talk["linked"]}
        joined = [talk for talk in self.conversations if talk["id"] in related]
        return {identifier["value"] for talk in joined for identifier in talk["identifiers"]}


def forbidden(case: Case) -> frozenset[str]:
    """What must not be found anywhere, in any spelling: URLs without their scheme, and content taken back."""
    match case.expected:
        case Expected() as expected:
            return frozenset(without_scheme(url) for url in expected.forbidden())
        case Outcome() as outcome:
            return frozenset(without_scheme(text) for text in outcome.must_not_contain)
        case UrlExpectation(url=url, meta_cdn=True):
            return frozenset({without_scheme(url)})
        case UrlExpectation():
            return frozenset()
        case _:
            assert_never(case.expected)


def without_scheme(url: str) -> str:
    """A URL kept without ``https://`` is kept all the same."""
    return re.sub(r"^(?:https?:)?(?:\\?/){2}", "", url, flags=re.IGNORECASE)


def _answered(observed: Observed) -> Verdicts:
    for number, status in enumerate(observed.statuses, start=1):
        if status != 200:
            yield "answer", f"delivery {number} was answered {status}"


def _absent(needles: frozenset[str], observed: Observed) -> Verdicts:
    """Nothing forbidden in the decrypted export (also the short strings) nor in an answer."""
    export = msgspec.json.encode(observed.export)
    search = Search(needles)
    for found in search.look(export):
        yield "absence", f"the export holds {found.needle!r} ({found.spelling})"
    for needle in sorted(needle for needle in needles if len(needle) < SHORTEST):
        if needle in export.decode():
            yield "absence", f"the export holds {needle!r}"
    for number, body in enumerate(observed.bodies, start=1):
        for found in search.look(body):
            yield "absence", f"answer {number} holds {found.needle!r} ({found.spelling})"


def _delivery(expected: Expected, transcript: Transcript) -> Verdicts:
    messages = [item for item in expected.items if item.event == "message" and item.mid is not None]
    yield from _count(expected, messages, transcript)
    for mid in dict.fromkeys(item.mid for item in messages if item.mid not in expected.unsent):
        versions = [item for item in messages if item.mid == mid]
        yield from _message(str(mid), versions, expected.forbidden(), transcript)
    for target in expected.unsent:
        yield from _unsent(target, transcript)
    for item in expected.items:
        if item.event == "edit" and item.target_mid is not None:
            yield from _edited(item, item.target_mid, expected.forbidden(), transcript)
    for target, (word, errors) in _highest(expected.items).items():
        yield from _status(target, word, errors, transcript)
    if expected.story_mention and not any(_is_placeholder(entry) for entry in transcript.messages()):
        yield "story_mention", "no placeholder stands for the story mention"
    # A receipt for a message that never came is kept apart; it is no row of a transcript.
    rows = [entry for entry in transcript.entries if entry["state"] != "absent"]
    if expected.ignored and rows:
        yield "ignored", f"{len(rows)} entries, although nothing in it may change a transcript"


def _count(expected: Expected, messages: Sequence[Item], transcript: Transcript) -> Verdicts:
    """A message that is known by its edit alone has an entry, and is not counted."""
    only_edited = set(expected.edited) - {item.mid for item in messages}
    uncounted = {ref for mid in only_edited for entry in transcript.find(mid) for ref in [entry["ref"]]}
    count = sum(entry["ref"] not in uncounted for entry in transcript.messages())
    if count != expected.transcript_messages:
        yield "count", f"{count} messages, expected {expected.transcript_messages}"


def _message(mid: str, versions: Sequence[Item], removed: frozenset[str], transcript: Transcript) -> Verdicts:
    """``versions``: a body may hold one id twice, with different texts; either may stand."""
    entry = transcript.stored(mid)
    if entry is None:
        yield "message", f"{mid!r} is not stored"
        return
    if entry["id"] != mid:
        yield "message", f"{mid!r} is stored under the id {entry['id']!r}"
    item = versions[0]
    if item.direction is not None and entry["direction"] != _DIRECTIONS[item.direction]:
        yield "direction", f"{mid!r} is {entry['direction']}, expected {_DIRECTIONS[item.direction]}"
    texts = [version.text for version in versions if version.text is not None]
    if texts and not any(reads_as(entry["text"], text, removed) for text in texts):
        yield "text", f"{mid!r} reads {entry['text']!r}, expected {texts[0]!r}"
    for word in ("standby", "history"):
        if getattr(item, word) and not entry[word]:
            yield word, f"{mid!r} is not marked"
    for identifier in (item.user, item.bsuid):
        if identifier is not None and str(identifier) not in transcript.person(entry):
            yield "person", f"{mid!r} stands in a conversation that does not know {str(identifier)!r}"


def _unsent(mid: str, transcript: Transcript) -> Verdicts:
    """Gone, and a tombstone in its place."""
    entries = transcript.find(mid)
    if not any(entry["state"] == "unsent" for entry in entries):
        yield "unsent", f"{mid!r} has no tombstone"
    for entry in entries:
        left = [
            key
            for key in ("id", "text", "media", "details", "profile")
            if entry["state"] == "unsent" and entry[key]
        ]
        if left:
            yield "unsent", f"{mid!r} still has its {', '.join(left)}"


def _edited(item: Item, mid: str, removed: frozenset[str], transcript: Transcript) -> Verdicts:
    entry = transcript.stored(mid)
    if entry is None:
        yield "edited", f"{mid!r} is not stored"
    elif not reads_as(entry["text"], item.text or "", removed):
        yield "edited", f"{mid!r} reads {entry['text']!r}, expected {item.text!r}"
    elif not entry["edits"]:
        yield "edited", f"{mid!r} is not marked as edited"


def _highest(items: Sequence[Item]) -> dict[str, tuple[str, Sequence[int]]]:
    """By message the highest status that is reported of it, and its errors.

    Words that are no delivery status (a call that rings, a status of tomorrow) move nothing.
    """
    highest: dict[str, tuple[str, Sequence[int]]] = {}
    for item in items:
        word = item.event.removeprefix("status.")
        if not item.event.startswith("status.") or item.target_mid is None or word not in _STATUSES:
            continue
        before = highest.get(item.target_mid)
        if before is None or DeliveryStatus(word).rank > DeliveryStatus(before[0]).rank:
            highest[item.target_mid] = (word, item.errors)
    return highest


def _status(mid: str, word: str, errors: Sequence[int], transcript: Transcript) -> Verdicts:
    entry = next(iter(transcript.find(mid)), None)
    if entry is None or entry["status"] != word:
        yield "status", f"{mid!r} is {entry and entry['status']}, expected {word}"
    elif errors and entry["error_code"] not in errors:
        yield "status", f"{mid!r} has the error code {entry['error_code']}, expected one of {list(errors)}"


def _is_placeholder(entry: Entry) -> bool:
    """The mention is there, and nothing leads to its media."""
    mentions = [media for media in entry["media"] if media["kind"] == "story_mention"]
    return bool(mentions) and not any(media.get("url") or media.get("id") for media in mentions)


def _outcome(outcome: Outcome, transcript: Transcript, observed: Observed) -> Verdicts:
    if outcome.stored_mids is not None:
        refs = [transcript.stored(mid) for mid in outcome.stored_mids]
        missing = [mid for mid, entry in zip(outcome.stored_mids, refs, strict=True) if entry is None]
        if missing:
            yield "stored", f"{missing} are not stored"
        count = len(transcript.messages())
        if count != len(outcome.stored_mids):
            yield "count", f"{count} messages, expected {len(outcome.stored_mids)}"
    for mid in outcome.tombstones:
        yield from _unsent(mid, transcript)
    for mid, text in outcome.current_text.items():
        entry = transcript.stored(mid)
        if entry is None or not reads_as(entry["text"], text, frozenset()):
            yield "text", f"{mid!r} reads {entry and entry['text']!r}, expected {text!r}"
    for mid, word in outcome.final_status.items():
        yield from _status(mid, word, (), transcript)
    plain = msgspec.json.encode(observed.export).decode()
    for text in outcome.must_contain:
        if msgspec.json.encode(text).decode()[1:-1] not in plain:
            yield "presence", f"the export does not hold {text!r}"


def _url(expected: UrlExpectation, transcript: Transcript) -> Verdicts:
    texts = [entry["text"] for entry in transcript.messages()]
    if len(texts) != 1:
        yield "count", f"{len(texts)} messages, expected 1"
        return
    kept, removed = url_text(expected.url), url_text(REMOVED_CDN)
    wanted = {True: [removed], False: [kept], None: [kept, removed]}[expected.meta_cdn]
    if texts[0] not in wanted:
        yield "text", f"it reads {texts[0]!r}, expected {wanted[0]!r}"


def reads_as(actual: str | None, label: str, removed: frozenset[str]) -> bool:
    """Whether ``actual`` is the label's text with the removal token wherever one of the URLs stood.

    What the token replaced must hold one of the URLs ``removed`` (also percent-encoded, in a wrapper).
    """
    pieces = (actual or "").split(REMOVED_CDN)
    pattern = r"(\S+?)".join(re.escape(piece) for piece in pieces)
    match = re.fullmatch(pattern, label, flags=re.DOTALL)
    return match is not None and all(_holds_one(gap, removed) for gap in match.groups())


def _holds_one(gap: str, urls: frozenset[str]) -> bool:
    plain = unquote(unquote(gap)).lower()
    return any(without_scheme(url).lower() in plain for url in urls)
