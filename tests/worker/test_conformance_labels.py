"""Reading a corpus: the shipped one is whole, and a label that is no label is named with its place."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from connectors.decode import decode
from connectors.registry import CONNECTORS, SOCIAL
from policies.event import MessageReceived, MessageUnsent
from worker.conformance.exceptions import read_exceptions
from worker.conformance.judge import forbidden
from worker.conformance.labels import Case, Corpus, Expected, Outcome, UrlExpectation, read_corpus
from worker.conformance.rig import Guest
from worker.conformance.run import Subject, accounts_of, waves
from worker.errors import ConfigurationError

SHIPPED = Path(str(resources.files("worker") / "conformance" / "corpus"))


@pytest.fixture(scope="module")
def shipped() -> Corpus:
    """The corpus that ships with the product."""
    return read_corpus(SHIPPED)


def test_the_shipped_corpus_covers_every_connector_and_form(shipped: Corpus) -> None:
    """There are bodies and sequences of every connector, URLs on each, and vectors."""
    bodies = [case for case in shipped.cases if isinstance(case.expected, Expected)]
    assert len(bodies) >= 60
    assert {case.connector for case in bodies} == set(SOCIAL)
    assert {c.connector for c in shipped.cases if isinstance(c.expected, Outcome)} == set(SOCIAL)
    assert {c.connector for c in shipped.cases if isinstance(c.expected, UrlExpectation)} == set(SOCIAL)
    assert shipped.signatures is not None
    assert shipped.signatures.handshake
    assert shipped.signatures.signed_request
    assert shipped.signatures.x


def test_every_body_of_the_shipped_corpus_is_listed() -> None:
    """No file lies in a channel's folder without a label."""
    lying = {str(path.relative_to(SHIPPED)) for path in SHIPPED.glob("*/*.json")}
    lines = [line for index in SHIPPED.glob("*/index.jsonl") for line in index.read_bytes().splitlines()]
    listed = {msgspec.json.decode(line)["file"] for line in lines}
    assert {name for name in lying if not name.startswith("sequences/")} == listed


def test_labels_speak_of_what_the_bodies_hold(shipped: Corpus) -> None:
    """Every forbidden URL, message id and text of a label stands in its body."""
    for case in shipped.cases:
        if isinstance(case.expected, Expected):
            _assert_label_fits_body(case, case.expected)


def _assert_label_fits_body(case: Case, expected: Expected) -> None:
    payload, _ = decode(case.deliveries[0])
    events = list(CONNECTORS[case.connector].parse(payload, 0))
    received = {event.message.id for event in events if isinstance(event, MessageReceived)}
    assert {item.mid for item in expected.items if item.event == "message"} <= received, case.name
    unsent = {event.message_id for event in events if isinstance(event, MessageUnsent)}
    assert set(expected.unsent) == unsent, case.name
    if not expected.cdn_urls_encoded:
        plain = msgspec.json.encode(payload).decode().replace("\\", "")
        assert all(needle in plain for needle in forbidden(case)), case.name


def test_a_case_names_all_its_accounts(shipped: Corpus) -> None:
    """The fresh tenant owns what the bodies name: both accounts of a batch, numbers and business accounts."""
    accounts = {case.name: accounts_of(case) for case in shipped.cases}
    assert accounts["instagram/batch.json"] == {"917841400000021", "917841400000022"}
    assert accounts["whatsapp/text.json"] == {"950000000000032"}
    assert accounts["whatsapp/account_restricted.json"] == {"940000000000031"}
    assert accounts["whatsapp/foreign_object.json"] == frozenset()


def test_no_two_tenants_of_a_wave_own_the_same_account(shipped: Corpus) -> None:
    """Labels of different files use the same accounts; an account belongs to one tenant at a time."""
    subjects = [
        Subject(case=case, guest=Guest.fresh(str(number), {case.connector: sorted(accounts_of(case))}))
        for number, case in enumerate(shipped.cases)
    ]
    groups = waves(subjects)
    assert sorted(one.guest.id for group in groups for one in group) == sorted(
        one.guest.id for one in subjects
    )
    for group in groups:
        owned = [
            (name, a) for one in group for name, accounts in one.guest.accounts.items() for a in accounts
        ]
        assert len(owned) == len(set(owned))
    assert len(groups) == max(Counter(a for case in shipped.cases for a in accounts_of(case)).values())


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("instagram/index.jsonl", '{"file": "instagram/a.json"', "instagram/index.jsonl:1"),
        ("instagram/index.jsonl", '\n{"file": 7, "channel": "instagram", "expected": {}}', "index.jsonl:2"),
        (
            "instagram/index.jsonl",
            '{"file":"instagram/none.json","channel":"instagram","expected":{"transcript_messages":0,"items":[]}}',
            "cannot be read",
        ),
        ("sequences/a.json", '{"name":"a","deliveries":[{"object":"fax"}],"expected_final":{}}', "channel"),
        ("sequences/a.json", "[]", "sequences/a.json"),
        ("urls.jsonl", '{"url": 1}', "urls.jsonl:1"),
        ("signatures.json", '{"vectors": []}', "signatures.json"),
        ("readme.txt", "nothing here", "no index.jsonl"),
    ],
)
def test_a_bad_label_is_named_with_its_place(tmp_path: Path, path: str, text: str, said: str) -> None:
    """A corpus that cannot be read says where."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_corpus(tmp_path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ConfigurationError, match="no such directory"):
        read_corpus(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[exception]]\nlabels = ['a']\njudgements = ['count']\nreason = ' '", "needs a reason"),
        ("[[exception]]\nlabels = ['a']\nreason = 'b'", "judgements"),
        ("[[exception]]\nlabels = ['a']\njudgements = ['c']\nreason = 'b'\nwhy = 'd'", "why"),
        ("[[exception", "exceptions.toml"),
    ],
)
def test_exceptions_say_which_promise_and_why(tmp_path: Path, text: str, said: str) -> None:
    """An exception without label, promise and reason is refused."""
    path = tmp_path / "exceptions.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_exceptions(path)
