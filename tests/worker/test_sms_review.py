"""The review: who decides and why is on the record, and a release lifts no opt-out, no hour and no sender's standing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import pytest
from sqlalchemy import select

from policies.event import Consent
from policies.sms.policy import Scope
from policies.sms.purpose import Purpose
from tests.databases import Databases
from tests.flows.harness import in_threads
from tests.worker.handing_in import NOON, PLAIN, RECIPIENT, SENDER, Desk, text
from worker import acts, chain
from worker.acts import Operator
from worker.sms.payload import SUPPRESSION, open_payload, suppression_reference
from worker.sms.review import Decided, Fate, NothingWaits, Reviewing
from worker.sms.submission import Answer, Ruling
from worker.store import decisions, outbox, suppressions
from worker.transcripts import export

LURE: Final = "Your account is locked, verify your password at https://bit.ly/3xYz now"
WHO: Final = Operator(name="Robin", why="asked the customer")


@pytest.fixture
def desk(databases: Databases) -> Iterator[Desk]:
    """On both engines."""
    opened = Desk(databases)
    yield opened
    opened.close()


@pytest.fixture
def small(sqlite: Databases) -> Iterator[Desk]:
    """On SQLite alone: what does not depend on the engine."""
    opened = Desk(sqlite)
    yield opened
    opened.close()


def reviewing(desk: Desk) -> Reviewing:
    """The review of the desk's tenant."""
    return Reviewing(desk.replica.store, desk.replica.keyring, desk.tenant, lambda: desk.now)


def held(desk: Desk, said: str = LURE, **more: object) -> Answer:
    """A text that waits for a person."""
    answer = desk.told(text(said, **more))
    assert answer.verdict is Ruling.QUARANTINED
    return answer


def waiting_to_go(desk: Desk) -> list[str]:
    """What stands in the outbox, opened."""
    keyring = desk.replica.keyring
    with desk.replica.store.reading() as tx:
        rows = tx.execute(select(outbox.outbox).order_by(outbox.outbox.c.id)).all()
    keys = keyring.keys("acme", [row.conversation for row in rows])
    return [open_payload(keys[row.conversation].cipher, "acme", row.key, row.sealed).text for row in rows]


def oppose(desk: Desk) -> None:
    """The recipient asks for no more texts."""
    key = desk.replica.keyring.tenant_key("acme", SUPPRESSION)
    change = suppressions.Change(
        reference=suppression_reference(key, Scope.TENANT, "", RECIPIENT),
        consent=Consent.WITHDRAWN,
        source="keyword",
        changed_at=NOON,
    )
    with desk.replica.store.transaction() as tx:
        suppressions.change(tx, "acme", [change], NOON)


def fates(decided: list[Decided]) -> list[Fate]:
    """What became of each."""
    return [one.fate for one in decided]


def entry(desk: Desk) -> dict[str, object]:
    """The transcript's only entry."""
    (conversation,) = export(desk.replica.store, desk.replica.keyring, "acme")["conversations"]
    (only,) = conversation["entries"]
    return dict(only)


def test_a_released_text_goes_and_is_part_of_the_transcript(desk: Desk) -> None:
    """Once, with the act on the record and the chain whole."""
    answer = held(desk)
    assert entry(desk)["withheld"] is True
    assert fates(reviewing(desk).release(answer.id, WHO)) == [Fate.QUEUED]
    assert waiting_to_go(desk) == [LURE]
    assert (entry(desk)["withheld"], entry(desk)["text"]) == (False, LURE)
    with desk.replica.store.reading() as tx:
        (act,) = acts.told(tx, desk.replica.keyring, "acme")
        assert (act.action, act.operator) == ("release", WHO)
        assert act.about == answer.id
        assert decisions.verify(tx, "acme") is None
        events = [
            one.event for commit in decisions.read(tx, "acme") for one in chain.decode(commit.decisions)
        ]
    assert events[-1] == "release"
    with pytest.raises(NothingWaits):
        reviewing(desk).release(answer.id, WHO)
    assert len(waiting_to_go(desk)) == 1


def test_a_rejected_text_never_goes(desk: Desk) -> None:
    answer = held(desk)
    assert fates(reviewing(desk).reject(answer.id, WHO)) == [Fate.REJECTED]
    assert waiting_to_go(desk) == []
    assert entry(desk)["withheld"] is True
    with pytest.raises(NothingWaits):
        reviewing(desk).release(answer.id, WHO)


def test_of_two_reviewers_one_decides(desk: Desk) -> None:
    answer = held(desk)

    def decide(act: str) -> str:
        try:
            getattr(reviewing(desk), act)(answer.id, WHO)
        except NothingWaits:
            return "late"
        return act

    told = in_threads(lambda: decide("release"), lambda: decide("reject"))
    assert told.count("late") == 1
    assert len(waiting_to_go(desk)) == ("release" in told)


def test_a_release_lifts_no_opt_out(small: Desk) -> None:
    """VT-1.5: whoever said no between the hold and the release is not sent anything."""
    answer = held(small)
    oppose(small)
    (decided,) = reviewing(small).release(answer.id, WHO)
    assert decided.fate is Fate.REFUSED
    assert [reason.code for reason in decided.reasons] == ["opted_out"]
    assert waiting_to_go(small) == []
    assert entry(small)["withheld"] is True


def test_a_release_lifts_no_quiet_hours(small: Desk) -> None:
    answer = held(small, purpose=Purpose.MARKETING, zone="Asia/Tokyo")
    (decided,) = reviewing(small).release(answer.id, WHO)
    assert (decided.fate, [reason.code for reason in decided.reasons]) == (Fate.DELAYED, ["quiet_hours"])
    with small.replica.store.reading() as tx:
        (row,) = tx.execute(select(outbox.outbox)).all()
    assert row.not_before > NOON + 3_600_000_000


def test_a_release_lifts_no_senders_standing(small: Desk) -> None:
    """A sender that was taken out of the register while its text waited."""
    answer = held(small)
    sms = small.tenant.sms
    assert sms is not None
    gone = msgspec.structs.replace(sms, register=msgspec.structs.replace(sms.register, senders=()))
    without = msgspec.structs.replace(small.tenant, sms=gone)
    reviews_ = Reviewing(small.replica.store, small.replica.keyring, without, lambda: small.now)
    (decided,) = reviews_.release(answer.id, WHO)
    assert decided.fate is Fate.REFUSED
    assert waiting_to_go(small) == []


def test_a_cluster_is_decided_at_once(desk: Desk) -> None:
    """Near-duplicates to several people are one line of the list, and one act."""
    for number in range(3):
        held(desk, LURE.replace("now", f"now {number}"), recipient=f"+1202555017{number}")
    (cluster,) = reviewing(desk).clusters()
    assert cluster.count == 3
    assert fates(reviewing(desk).release(cluster.cluster.hex(), WHO)) == [Fate.QUEUED] * 3
    assert len(waiting_to_go(desk)) == 3
    assert reviewing(desk).clusters() == []


def test_a_reviewer_sees_evidence_and_what_would_change_it(small: Desk) -> None:
    (one,) = reviewing(small).waiting(held(small).id)
    assert one.payload is not None
    assert (one.payload.sender, one.payload.recipient, one.payload.text) == (SENDER, RECIPIENT, LURE)
    assert one.payload.remedies
    assert one.payload.evidence


def test_what_passes_waits_for_nobody(small: Desk) -> None:
    assert small.told(PLAIN).verdict is Ruling.ACCEPTED
    assert reviewing(small).clusters() == []
    with pytest.raises(NothingWaits):
        reviewing(small).waiting("00")


def test_an_id_that_is_none_is_told_apart(small: Desk) -> None:
    with pytest.raises(ValueError, match="hex"):
        reviewing(small).waiting("zz")
