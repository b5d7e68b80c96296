"""What conformance calls a miss: every promise is broken once, and the judge must say so and say nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from policies.message import REMOVED_CDN
from worker.conformance.exceptions import WrongLabels, excuse
from worker.conformance.judge import Miss, Observed, judge, reads_as
from worker.conformance.labels import Case, Expected, Outcome, UrlExpectation, url_text

CDN = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=555&signature=planted"


def entry(mid: str | None, **other: Any) -> dict[str, Any]:
    """An entry of an export; its reference is made from the id."""
    blank: dict[str, Any] = {
        "ref": f"ref:{mid}",
        "id": mid,
        "kind": "text",
        "direction": "inbound",
        "state": "stored",
        "edits": 0,
        "text": "hello there",
        "media": [],
        "details": {},
        "profile": {},
        "status": None,
        "error_code": None,
        "standby": False,
        "history": False,
        "interaction": False,
    }
    return blank | other


def tombstone(mid: str, **other: Any) -> dict[str, Any]:
    """What is left of a message that was taken back."""
    return entry(mid, id=None, state="unsent", text=None, **other)


def observed(
    *entries: dict[str, Any],
    apart: Sequence[dict[str, Any]] = (),
    statuses: Sequence[int] = (200,),
    body: bytes = b"",
) -> Observed:
    """One conversation with ``entries``, and ``apart`` entries of none."""
    talk = {
        "id": "aa",
        "linked": [],
        "identifiers": [{"kind": "igsid", "value": "4711"}],
        "entries": list(entries),
    }
    return Observed(
        statuses=statuses,
        bodies=(body,),
        export={"tenant": "t", "conversations": [talk], "unattributed": list(apart)},
        refs=lambda id_: frozenset({f"ref:{id_}"}),
    )


def label(*items: dict[str, Any], count: int = 1, **other: Any) -> Expected:
    """An ``expected`` object as a corpus writes it."""
    return msgspec.convert({"transcript_messages": count, "items": items, **other}, Expected)


MESSAGE = {"event": "message", "mid": "m1", "direction": "in", "text": "hello there", "user": 4711}
MENTION = {"kind": "story_mention", "url": None, "id": None, "removed": "story_mention"}
PLAIN = label(MESSAGE)
UNSENT = label({"event": "unsent", "target_mid": "m1"}, count=0, unsent=["m1"])
EDIT = label({"event": "edit", "target_mid": "m1", "text": "now this"}, count=0, edited=["m1"])
BOTH = label(
    *({"event": f"status.{word}", "target_mid": "m1"} for word in ("read", "failed", "sent")), count=0
)
FAILED = label({"event": "status.failed", "target_mid": "m1", "errors": [131026]}, count=0)
STORY = label({**MESSAGE, "text": None}, story_mention=True, must_not_persist=[CDN])
NOTHING = label(count=0, ignored=True)

JUDGED: list[tuple[str, Expected | Outcome | UrlExpectation, Observed, set[str]]] = [
    ("as promised", PLAIN, observed(entry("m1")), set()),
    ("refused", PLAIN, observed(entry("m1"), statuses=(401,)), {"answer"}),
    ("stored under another id", PLAIN, observed(entry("m2")), {"message"}),
    ("stored twice", PLAIN, observed(entry("m1"), entry("m2")), {"count"}),
    ("not stored", PLAIN, observed(), {"count", "message"}),
    ("said by the wrong side", PLAIN, observed(entry("m1", direction="outbound")), {"direction"}),
    ("another text", PLAIN, observed(entry("m1", text="hello")), {"text"}),
    ("another person", label({**MESSAGE, "user": "4712"}), observed(entry("m1")), {"person"}),
    ("not marked as standby", label({**MESSAGE, "standby": True}), observed(entry("m1")), {"standby"}),
    ("marked as standby", label({**MESSAGE, "standby": True}), observed(entry("m1", standby=True)), set()),
    ("an interaction is not counted", PLAIN, observed(entry("m1"), entry("r", interaction=True)), set()),
    ("either text of a doubled id", label({**MESSAGE, "text": "x"}, MESSAGE), observed(entry("m1")), set()),
    ("taken back", UNSENT, observed(apart=[tombstone("m1")]), set()),
    ("taken back without a trace", UNSENT, observed(), {"unsent"}),
    ("taken back and still there", UNSENT, observed(entry("m1")), {"count", "unsent"}),
    ("taken back, text left", UNSENT, observed(apart=[tombstone("m1") | {"text": "x"}]), {"unsent"}),
    ("taken back, media left", UNSENT, observed(apart=[tombstone("m1", media=[{"kind": "image"}])]), {"unsent"}),
    ("edited, known by its edit alone", EDIT, observed(entry("m1", text="now this", edits=1)), set()),
    ("edit lost", EDIT, observed(), {"edited"}),
    ("edit not applied", EDIT, observed(entry("m1", text="before", edits=1)), {"edited"}),
    ("edit not marked", EDIT, observed(entry("m1", text="now this")), {"edited"}),
    ("failed", FAILED, observed(apart=[tombstone("m1", status="failed", error_code=131026)]), set()),
    ("failure lost", FAILED, observed(), {"status"}),
    ("failure without its code", FAILED, observed(apart=[tombstone("m1", status="failed")]), {"status"}),
    ("the highest of several", BOTH, observed(apart=[tombstone("m1", status="read")]), set()),
    ("the last of several", BOTH, observed(apart=[tombstone("m1", status="sent")]), {"status"}),
    ("status of tomorrow", label({"event": "status.beamed", "target_mid": "m1"}, count=0), observed(), set()),
    ("story mention", STORY, observed(entry("m1", text=None, media=[MENTION])), set()),
    ("story mention dropped whole", STORY, observed(entry("m1", text=None)), {"story_mention"}),
    (
        "story mention kept",
        STORY,
        observed(entry("m1", media=[MENTION | {"url": CDN}])),
        {"story_mention", "absence"},
    ),
    ("story id kept", STORY, observed(entry("m1", media=[MENTION | {"id": "555"}])), {"story_mention"}),
    ("url without its scheme", STORY, observed(entry("m1", media=[MENTION], text=CDN[8:])), {"absence"}),
    ("url in an answer", STORY, observed(entry("m1", media=[MENTION]), body=CDN.encode().hex().encode()), {"absence"}),
    ("ignored", NOTHING, observed(), set()),
    ("ignored, and yet", NOTHING, observed(entry("m1")), {"ignored", "count"}),
    ("ignored, and yet an interaction", NOTHING, observed(entry("m1", interaction=True)), {"ignored"}),
    ("ignored, and yet a tombstone", NOTHING, observed(apart=[tombstone("m1")]), {"ignored"}),
    ("ignored, a receipt apart", NOTHING, observed(apart=[tombstone("m1", status="read") | {"state": "absent"}]), set()),
    ("sequence", Outcome(stored_mids=("m1",), must_contain=("hello",)), observed(entry("m1")), set()),
    ("sequence lost one", Outcome(stored_mids=("m1", "m2")), observed(entry("m1")), {"stored", "count"}),
    ("sequence kept one too many", Outcome(stored_mids=()), observed(entry("m1")), {"count"}),
    ("sequence without tombstone", Outcome(tombstones=("m1",)), observed(), {"unsent"}),
    ("sequence kept a word", Outcome(must_not_contain=("hello",)), observed(entry("m1")), {"absence"}),
    ("sequence kept a phrase", Outcome(must_not_contain=("hello there",)), observed(entry("m1")), {"absence"}),
    ("sequence lost a word", Outcome(must_contain=("good bye",)), observed(entry("m1")), {"presence"}),
    ("sequence's text", Outcome(current_text={"m1": "now"}), observed(entry("m1")), {"text"}),
    ("sequence's status", Outcome(final_status={"m1": "read"}), observed(entry("m1", status="sent")), {"status"}),
    ("url removed", UrlExpectation(url=CDN, meta_cdn=True), observed(entry("u", text=url_text(REMOVED_CDN))), set()),
    ("url kept", UrlExpectation(url=CDN, meta_cdn=True), observed(entry("u", text=url_text(CDN))), {"text", "absence"}),
    ("look-alike kept", UrlExpectation(url="https://a.b", meta_cdn=False), observed(entry("u", text=url_text("https://a.b"))), set()),
    ("look-alike removed", UrlExpectation(url="https://a.b", meta_cdn=False), observed(entry("u", text=url_text(REMOVED_CDN))), {"text"}),
    ("url of either kind", UrlExpectation(url="https://a.b", meta_cdn=None), observed(entry("u", text=url_text(REMOVED_CDN))), set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "seen", "missed"), [row[1:] for row in JUDGED], ids=[row[0] for row in JUDGED]
)
def test_judgement(expected: Expected | Outcome | UrlExpectation, seen: Observed, missed: set[str]) -> None:
    """Exactly the broken promises are named."""
    case = Case(name="a label", connector="instagram", deliveries=(), expected=expected)
    assert {miss.judgement for miss in judge(case, seen)} == missed


def test_ambiguous_bodies_are_judged_on_absence_and_answers() -> None:
    """Counts and texts of an ambiguous body are not judged; what may not persist is."""
    case = Case(name="a", connector="instagram", deliveries=(), expected=STORY, ambiguous=True)
    assert judge(case, observed()) == []
    kept = judge(case, observed(entry("m9", text=CDN), statuses=(500,)))
    assert {miss.judgement for miss in kept} == {"answer", "absence"}


@pytest.mark.parametrize(
    ("actual", "text", "same"),
    [
        ("plain", "plain", True),
        ("plain", "plain ", False),
        (f"see {REMOVED_CDN} soon", f"see {CDN} soon", True),
        (f"see {REMOVED_CDN}, soon", f"see {CDN}, soon", True),
        (f"see {REMOVED_CDN}", "see https://l.instagram.com/?u=https%3A%2F%2Flookaside.fbsbx.com%2Fig_messaging_cdn%2F%3Fasset_id%3D555%26signature%3Dplanted&e=1", True),
        (f"see {REMOVED_CDN} {REMOVED_CDN}", f"see {CDN} {CDN}", True),
        (f"see {REMOVED_CDN} soon", "see https://example.org/ soon", False),
        (f"{REMOVED_CDN} soon", f"see {CDN} soon", False),
        (f"{REMOVED_CDN}", "", False),
        (None, "", True),
        (None, "text", False),
    ],
)  # fmt: skip
def test_texts_are_compared_after_removal(actual: str | None, text: str, *, same: bool) -> None:
    """A token may stand where a listed URL stood, and nowhere else."""
    assert reads_as(actual, text, frozenset({CDN})) is same


def test_an_exception_excuses_one_promise_of_one_label_and_must_be_needed() -> None:
    """A wrong label is excused by name and promise; an exception that is not needed is a miss."""
    misses = [
        Miss(label="a.json", judgement="count", detail="2 messages, expected 1"),
        Miss(label="a.json", judgement="text", detail="other"),
    ]
    exceptions = [
        WrongLabels(labels=("a.json",), judgements=("count",), reason="two ids, both real"),
        WrongLabels(labels=("b.json",), judgements=("count",), reason="was wrong once"),
    ]
    standing, excused = excuse(misses, exceptions)
    assert [(miss.label, miss.judgement) for miss in standing] == [
        ("a.json", "text"),
        ("b.json", "exception"),
    ]
    assert excused == misses[:1]
