"""Texts that are handed in: the verdict, what it leaves in the store, and the same answer for the same call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from policies.event import Consent
from policies.message import MessageKind
from policies.sms.policy import Scope
from policies.sms.purpose import Purpose
from policies.sms.traffic import Rate
from policies.tenant import TenantPolicy
from tests.databases import Databases
from tests.flows.dump import audit
from tests.flows.harness import in_threads
from tests.worker.handing_in import (
    NOON,
    OTHER,
    PLAIN,
    RECIPIENT,
    SECOND,
    SENDER,
    UNCONNECTED,
    Desk,
    codes,
    sends,
    text,
    verdicts,
)
from worker.sms.facts import Circumstances
from worker.sms.ids import Ids
from worker.sms.outbound import REMEMBERED
from worker.sms.payload import SUPPRESSION, Payload, open_payload, suppression_reference
from worker.sms.submission import Answer, Rejection, Ruling, Submission
from worker.store import decisions, outbox, reviews, submissions, suppressions
from worker.store.messages import messages
from worker.transcripts import export

HOUR: Final = 3_600 * 1_000_000
LURE: Final = "Your account is locked, verify your password at https://bit.ly/3xYz now"
CDN: Final = "https://scontent.xx.fbcdn.net/v/t1/a.jpg?oh=1"


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


def count(desk: Desk, table: Any) -> int:
    """How many rows a table has."""
    with desk.replica.store.reading() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def payloads(desk: Desk, table: Any) -> list[Payload]:
    """What rows of outbox or review hold, opened, in the order of their ids."""
    keyring = desk.replica.keyring
    with desk.replica.store.reading() as tx:
        rows = tx.execute(select(table).order_by(table.c.id)).all()
    return [
        open_payload(
            keyring.keys("acme", [row.conversation])[row.conversation].cipher, "acme", row.key, row.sealed
        )
        for row in rows
    ]


def entries(desk: Desk) -> list[dict[str, Any]]:
    """The transcript's entries."""
    found = export(desk.replica.store, desk.replica.keyring, "acme")
    return [*(entry for talk in found["conversations"] for entry in talk["entries"]), *found["unattributed"]]


def oppose(desk: Desk, recipient: str = RECIPIENT) -> None:
    """The recipient asks for no more texts."""
    key = desk.replica.keyring.tenant_key("acme", SUPPRESSION)
    change = suppressions.Change(
        reference=suppression_reference(key, Scope.TENANT, "", recipient),
        consent=Consent.WITHDRAWN,
        source="keyword",
        changed_at=NOON,
    )
    with desk.replica.store.transaction() as tx:
        suppressions.change(tx, "acme", [change], NOON)


# --- verdicts ---------------------------------------------------------------------------------------------------------------

VERDICTS: Final[list[tuple[str, Submission, Ruling, list[str]]]] = [
    ("plain", text(), Ruling.ACCEPTED, []),
    ("later", text(send_after=NOON + HOUR), Ruling.DELAYED, ["send_after"]),
    ("a lure", text(LURE), Ruling.QUARANTINED, ["shortener"]),
    ("nobody's number", text(sender="+12025550199"), Ruling.REFUSED, ["sender_unknown"]),
    ("nobody's name", text(sender="Larkf1eld"), Ruling.REFUSED, ["sender_unknown", "sender_lookalike"]),
    ("an emergency number", text(recipient="911"), Ruling.REFUSED, ["recipient_emergency"]),
    ("a premium number", text(recipient="+19005550123"), Ruling.REFUSED, ["recipient_premium"]),
    (
        "too late for its hours",
        text(purpose=Purpose.MARKETING, zone="Asia/Tokyo", not_after=NOON + HOUR),
        Ruling.REFUSED,
        ["send_expired"],
    ),
    ("a link to the content network", text(f"look {CDN}"), Ruling.REFUSED, ["facebook_cdn"]),
]


@pytest.mark.parametrize(
    ("submission", "ruling", "expected"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
def test_the_verdict_and_what_it_leaves(
    small: Desk, submission: Submission, ruling: Ruling, expected: list[str]
) -> None:
    """A row of the outbox for what goes, of the review for what is held; an entry and a decision for each."""
    answer = small.told(submission)
    assert answer.verdict is ruling
    assert set(expected) <= set(codes(answer))
    going = ruling in {Ruling.ACCEPTED, Ruling.DELAYED}
    assert count(small, outbox.outbox) == going
    assert count(small, reviews.reviews) == (ruling is Ruling.QUARANTINED)
    assert count(small, submissions.submissions) == 1
    (entry,) = entries(small)
    assert entry["direction"] == "outbound"
    assert entry["withheld"] is not going
    (done,) = small.replica.committed
    (settled,) = done.settled
    assert (
        settled.disposition.value
        == {
            Ruling.ACCEPTED: "queued",
            Ruling.DELAYED: "delayed",
            Ruling.QUARANTINED: "withheld",
            Ruling.REFUSED: "refused",
        }[ruling]
    )
    assert [reason.code.value for reason in settled.reasons if not reason.shadow] == codes(answer)
    with small.replica.store.reading() as tx:
        assert decisions.verify(tx, "acme") is None
        assert decisions.end_of(tx, "acme")[0] == 1
    audit(small.replica.store, "acme")


def test_an_accepted_text_waits_as_it_was_handed_in(desk: Desk) -> None:
    """Sealed, with all that sending needs; the transcript has the same text and says who answers for it."""
    answer = desk.told(text(campaign="autumn", not_after=NOON + HOUR, zone="America/New_York"))
    (payload,) = payloads(desk, outbox.outbox)
    assert payload == Payload(
        id=answer.id,
        sender=SENDER,
        recipient=RECIPIENT,
        text=PLAIN.text,
        purpose=Purpose.TRANSACTIONAL,
        campaign="autumn",
        submitter="Jane Roe",
        not_after=NOON + HOUR,
        zone="America/New_York",
    )
    (entry,) = entries(desk)
    assert entry["text"] == PLAIN.text
    assert entry["details"]["submission"] == {
        "purpose": "transactional",
        "submitter": "Jane Roe",
        "campaign": "autumn",
    }
    with desk.replica.store.reading() as tx:
        (row,) = tx.execute(select(outbox.outbox)).all()
    assert (row.id.hex(), row.account, row.not_before, row.not_after) == (
        answer.id,
        SENDER,
        NOON,
        NOON + HOUR,
    )


def test_a_delayed_text_waits_for_its_hour(small: Desk) -> None:
    """The answer and the row name the same instant."""
    answer = small.told(text(send_after=NOON + HOUR))
    with small.replica.store.reading() as tx:
        assert tx.execute(select(outbox.outbox.c.not_before)).scalar_one() == answer.until == NOON + HOUR


def test_a_held_text_shows_its_reviewer_why(small: Desk) -> None:
    """Score, evidence and remedies are sealed beside it; its submitter is told codes alone."""
    answer = small.told(text(LURE))
    (payload,) = payloads(small, reviews.reviews)
    assert payload.score > 0
    assert payload.evidence
    assert payload.remedies
    with small.replica.store.reading() as tx:
        (row,) = tx.execute(select(reviews.reviews)).all()
    assert row.codes.split() == codes(answer)
    assert row.score == round(payload.score * 1000)
    said = msgspec.json.encode(answer).decode()
    assert not any(remedy in said for remedy in payload.remedies)


def test_an_answer_holds_no_content(small: Desk) -> None:
    """Whatever the verdict: neither text nor number nor name."""
    for _, submission, _, _ in VERDICTS:
        said = msgspec.json.encode(small.told(submission)).decode()
        number = submission.recipient.removeprefix("+1")
        assert not any(part in said for part in (submission.text, number, "Jane Roe") if len(part) > 4)


def test_who_claims_to_be_somebody_else_is_content(small: Desk) -> None:
    """A sender that is none of the tenant's is in the transcript, and on no line and in no plain column."""
    small.told(text(sender="Larkf1eld"))
    (done,) = small.replica.committed
    assert [one.account for one in done.settled] == [""]
    (entry,) = entries(small)
    assert entry["details"]["submission"]["sender"] == "Larkf1eld"


def test_a_sender_without_its_provider_is_out_of_service(small: Desk) -> None:
    """Nothing is written, so that the same call works later; other senders go on."""
    results = small.all(text(sender=UNCONNECTED, reference="r"), text())
    assert verdicts(results) == ["out_of_service", "accepted"]
    assert count(small, submissions.submissions) == 1


def test_a_tenant_that_sends_nothing_has_no_sender(small: Desk) -> None:
    """Refused like any unknown sender."""
    silent = msgspec.structs.replace(small.tenant, sms=None, connectors={})
    assert codes(small.told(text(), silent)) == ["sender_unknown"]


def test_what_the_provider_would_not_take_whole_is_refused(small: Desk) -> None:
    """Vonage takes fewer characters than we do."""
    connector = small.tenant.connectors["sms-console"]
    assert connector.connector.outbound is not None
    short = msgspec.structs.replace(connector.connector.outbound, most_characters=20)
    narrow = msgspec.structs.replace(
        connector, connector=msgspec.structs.replace(connector.connector, outbound=short)
    )
    tenant = msgspec.structs.replace(small.tenant, connectors={"sms-console": narrow})
    assert codes(small.told(text("x" * 21), tenant)) == ["too_long"]
    assert small.told(text("Your table is ready."), tenant).verdict is Ruling.ACCEPTED


# --- what is sent is what was governed --------------------------------------------------------------------------------------


def test_a_text_that_may_not_be_recorded_is_refused_and_not_altered(desk: Desk) -> None:
    """The amended text is kept, withheld; nothing goes out; what was removed is nowhere."""
    answer = desk.told(text(f"look at {CDN} please"))
    assert (answer.verdict, codes(answer)) == (Ruling.REFUSED, ["facebook_cdn"])
    assert count(desk, outbox.outbox) == 0
    (entry,) = entries(desk)
    assert "fbcdn" not in entry["text"]
    assert "please" in entry["text"]


def test_a_campaign_s_name_is_governed_too(small: Desk) -> None:
    """Whatever is kept of a submission went through NEVER_RECORD."""
    assert codes(small.told(text(campaign=CDN))) == ["facebook_cdn"]
    assert CDN not in str(entries(small))


def test_a_tenant_that_records_no_texts_sends_none(small: Desk) -> None:
    """Nothing of the content is kept, and the answer says why."""
    strict = sends(policy=TenantPolicy(never_record_kinds=(MessageKind.TEXT,)))
    answer = small.told(text(), strict)
    assert (answer.verdict, codes(answer)) == (Ruling.REFUSED, ["tenant_kind"])
    assert count(small, messages) == 0
    assert small.one(text(reference="r"), strict) == small.one(text(reference="r"), strict)


def test_typographic_characters_become_plain_before_the_text_is_judged(small: Desk) -> None:
    """What is judged, kept and sent is the same text; the answer tells its size."""
    tenant = sends(smart_encoding=True)
    answer = small.told(text("It’s ready – see you…"), tenant)
    assert answer.encoding.alphabet.value == "gsm7"
    assert [one.text for one in payloads(small, outbox.outbox)] == ["It's ready - see you..."]
    assert entries(small)[0]["text"] == "It's ready - see you..."
    assert small.told(text("It’s ready"), sends()).encoding.alphabet.value == "ucs2"


def test_a_rule_that_is_tried_is_recorded_and_not_told(small: Desk) -> None:
    """Shadow: the text goes, the record says what would have been."""
    answer = small.told(text(LURE), sends(shadow=("screening",)))
    assert (answer.verdict, answer.reasons) == (Ruling.ACCEPTED, ())
    (done,) = small.replica.committed
    tried = [reason.code.value for reason in done.settled[0].reasons if reason.shadow]
    assert "shortener" in tried


def test_who_opted_out_gets_nothing(desk: Desk) -> None:
    """Refused with the reason; others are not concerned."""
    oppose(desk)
    assert codes(desk.told(text())) == ["opted_out"]
    assert desk.told(text(recipient=OTHER)).verdict is Ruling.ACCEPTED


# --- later ones see earlier ones --------------------------------------------------------------------------------------------

MARKETING: Final = "Larkfield: new lamps are in, see larkfield.example. Reply STOP to opt out"


@pytest.mark.parametrize("batch", [True, False], ids=["in one call", "in two"])
def test_the_same_marketing_goes_to_somebody_once(desk: Desk, batch: bool) -> None:  # noqa: FBT001 - a case
    """The second is a nuisance, in the same call as in the next."""
    twice = [text(MARKETING, purpose=Purpose.MARKETING, campaign="lamps")] * 2
    results = desk.all(*twice) if batch else [desk.one(one) for one in twice]
    assert verdicts(results) == ["accepted", "quarantined"]
    assert codes(results[1]) == ["nuisance"]


def test_a_day_later_it_is_no_repetition(small: Desk) -> None:
    """Windows end."""
    often = sends(recipient_rate=Rate(messages=1, seconds=3600))
    marketing = text(MARKETING, purpose=Purpose.MARKETING, campaign="lamps")
    assert small.told(marketing, often).verdict is Ruling.ACCEPTED
    small.now += 25 * HOUR
    assert small.told(marketing, often).verdict is Ruling.ACCEPTED


def test_a_one_time_password_every_day_is_no_nuisance(small: Desk) -> None:
    """A code like the last one, to the same person, ten days running."""
    for day in range(10):
        small.now = NOON + day * 23 * HOUR
        assert small.told(text(f"Your Larkfield code is {100000 + day}")).verdict is Ruling.ACCEPTED


@pytest.mark.parametrize("batch", [True, False], ids=["in one call", "in several"])
def test_a_burst_is_looked_at(small: Desk, batch: bool) -> None:  # noqa: FBT001 - a case
    """Of one sender; another one goes on."""
    calm = sends(burst=Rate(messages=3, seconds=60))
    said = [
        text(f"Your Larkfield code is {number}", recipient=f"+120255501{number}") for number in range(10, 15)
    ]
    results = small.all(*said, tenant=calm) if batch else [small.one(one, calm) for one in said]
    assert verdicts(results) == ["accepted"] * 3 + ["quarantined"] * 2
    assert codes(results[-1]) == ["burst"]
    assert small.told(text(sender=SECOND), calm).verdict is Ruling.ACCEPTED
    small.now += 3 * 60 * 1_000_000
    assert small.told(text(), calm).verdict is Ruling.ACCEPTED


@pytest.mark.parametrize("batch", [True, False], ids=["in one call", "in several"])
def test_an_undeclared_campaign_is_looked_at(small: Desk, batch: bool) -> None:  # noqa: FBT001 - a case
    """Near-duplicates to many; named, or one of the tenant's templates, it goes."""
    few = sends(alike_recipients=3)
    numbers = [f"+120255501{number}" for number in range(10, 15)]
    alike = [
        text(f"Dear guest {number}, our terrace opens again next Sunday", recipient=number)
        for number in numbers
    ]
    results = small.all(*alike, tenant=few) if batch else [small.one(one, few) for one in alike]
    assert verdicts(results) == ["accepted"] * 3 + ["quarantined"] * 2
    assert codes(results[-1]) == ["near_duplicates"]
    with small.replica.store.reading() as tx:
        assert len(reviews.clusters(tx, "acme")) == 1
    named = [msgspec.structs.replace(one, campaign="terrace") for one in alike]
    assert set(verdicts(small.all(*named, tenant=few))) == {"accepted"}


def test_the_same_text_from_many_senders_is_looked_at(small: Desk) -> None:
    """Spread over numbers so that none is conspicuous."""
    wary = sends(alike_senders=1)
    said = "Dear guest, our terrace opens again next Sunday"
    assert small.told(text(said), wary).verdict is Ruling.ACCEPTED
    assert codes(small.told(text(said, sender=SECOND, recipient=OTHER), wary)) == ["snowshoeing"]


def test_a_crowded_network_is_noted(small: Desk) -> None:
    """And stops nothing (VT-7)."""
    committed = sends(committed_rate=Rate(messages=20, seconds=3600))
    results = [small.one(text(f"Your Larkfield code is {number}"), committed) for number in range(3)]
    assert [codes(one) for one in results] == [[], [], ["network_share"]]
    assert verdicts(results) == ["accepted"] * 3


def test_what_is_refused_counts_for_nothing(small: Desk) -> None:
    """Neither for a recipient nor for a sender."""
    calm = sends(burst=Rate(messages=2, seconds=60), recipient_rate=Rate(messages=1, seconds=3600))
    for _ in range(6):
        assert small.told(text(f"see {CDN}"), calm).verdict is Ruling.REFUSED
    assert (
        small.told(text(MARKETING, purpose=Purpose.MARKETING, campaign="c"), calm).verdict is Ruling.ACCEPTED
    )


# --- the same call, the same answer -----------------------------------------------------------------------------------------


def test_the_same_reference_and_body_get_the_same_answer_and_one_text(desk: Desk) -> None:
    """However often, also after a restart, also by another replica."""
    first = desk.told(text(reference="order-17"))
    desk.now += HOUR
    assert desk.one(text(reference="order-17")) == first
    again = Desk(desk.replica.databases)
    assert again.one(text(reference="order-17")) == first
    again.close()
    assert count(desk, outbox.outbox) == count(desk, messages) == 1


def test_the_same_reference_with_another_body_is_a_conflict(desk: Desk) -> None:
    """And writes nothing."""
    desk.told(text(reference="order-17"))
    others = [
        text("Something else.", reference="order-17"),
        text(reference="order-17", recipient=OTHER),
        text(reference="order-17", campaign="c"),
        text(reference="order-17", not_after=NOON + HOUR),
        text(reference="order-17", submitter="John Roe"),
    ]
    assert desk.all(*others) == [Rejection.CONFLICT] * len(others)
    assert count(desk, outbox.outbox) == 1


def test_another_tenant_s_reference_is_another_reference(small: Desk) -> None:
    """References are a tenant's own."""
    first = small.told(text(reference="order-17"))
    other = small.told(text("Something else.", reference="order-17"), sends("globex"))
    assert first.id != other.id


def test_after_thirty_days_a_reference_is_new(desk: Desk) -> None:
    """And a moment before it is not."""
    first = desk.told(text(reference="order-17"))
    desk.now = NOON + REMEMBERED - 1
    assert desk.one(text(reference="order-17")) == first
    desk.now = NOON + REMEMBERED
    second = desk.told(text("Another order.", reference="order-17"))
    assert second.id != first.id
    assert desk.one(text("Another order.", reference="order-17")) == second
    assert count(desk, outbox.outbox) == 2


def test_without_a_reference_every_text_is_new(small: Desk) -> None:
    """Twice the same is two texts."""
    assert small.told(text()).id != small.told(text()).id
    assert count(small, outbox.outbox) == 2


def test_an_answer_stays_when_the_time_has_passed(small: Desk) -> None:
    """What was accepted in time is answered the same later; what comes late for the first time is not judged."""
    soon = text(not_after=NOON + HOUR, reference="r")
    first = small.told(soon)
    small.now += 2 * HOUR
    assert small.one(soon) == first
    assert small.one(text(not_after=NOON + HOUR, reference="s")) is Rejection.TOO_LATE
    assert count(small, submissions.submissions) == 1


def test_who_submits_by_default_is_no_part_of_the_body(small: Desk) -> None:
    """A key that was exchanged for another makes no conflict."""
    anonymous = text(reference="r", submitter="")
    one = small.outbound.submit(small.tenant, [anonymous], by="old key")
    assert small.outbound.submit(small.tenant, [anonymous], by="new key") == one
    assert [payload.submitter for payload in payloads(small, outbox.outbox)] == ["old key"]


bodies = st.tuples(st.sampled_from(["", "a", "b", "c"]), st.sampled_from(["one", "two"]))


@settings(max_examples=15)
@given(calls=st.lists(st.lists(bodies, min_size=1, max_size=5), min_size=1, max_size=4))
def test_the_first_body_under_a_reference_wins(
    shared_databases: Databases, calls: list[list[tuple[str, str]]]
) -> None:
    """Whatever comes in whatever calls: the model is a dictionary."""
    desk = Desk(shared_databases)
    desk.tenant = sends(f"t{Ids().next(NOON).hex()[-20:]}", alike_recipients=1000)
    first: dict[str, tuple[str, Answer]] = {}
    new = 0
    for call in calls:
        results = desk.all(*(text(f"Your Larkfield code is {said}1", reference=name) for name, said in call))
        for (name, said), result in zip(call, results, strict=True):
            if not name or name not in first:
                assert isinstance(result, Answer)
                new += 1
                first[name] = (said, result)
            else:
                assert result == (first[name][1] if first[name][0] == said else Rejection.CONFLICT)
    with desk.replica.store.reading() as tx:
        rows = tx.execute(
            select(func.count()).where(submissions.submissions.c.tenant == desk.tenant.id)
        ).scalar_one()
    desk.close()
    assert rows == new


def test_replicas_that_are_handed_the_same_at_once_make_one_text(databases: Databases) -> None:
    """Each time one of them writes; all answer the same."""
    desks = [Desk(databases) for _ in range(4)]
    for number in range(5):
        same = text(
            f"Your Larkfield code is {number}77", reference=f"r{number}", recipient=f"+1202555010{number}"
        )
        results = in_threads(*(partial(desk.one, same) for desk in desks))
        assert all(isinstance(one, Answer) for one in results)
        assert len(set(map(msgspec.json.encode, results))) == 1
    first = desks[0]
    assert count(first, outbox.outbox) == count(first, messages) == count(first, submissions.submissions) == 5
    with first.replica.store.reading() as tx:
        assert decisions.verify(tx, "acme") is None
    for desk in desks:
        desk.close()


def test_replicas_with_batches_that_overlap_make_each_text_once(databases: Databases) -> None:
    """In opposite orders."""
    desks = [Desk(databases, sends(alike_recipients=1000)) for _ in range(3)]
    batch = [
        text(f"Your Larkfield code is {n}", reference=f"r{n}", recipient=f"+120255501{n}")
        for n in range(10, 40)
    ]
    orders = [batch, batch[::-1], batch[15:] + batch[:15]]
    results = in_threads(*(partial(desk.all, *order) for desk, order in zip(desks, orders, strict=True)))
    told = [
        {submission.reference: result for submission, result in zip(order, some, strict=True)}
        for order, some in zip(orders, results, strict=True)
    ]
    assert told[0] == told[1] == told[2]
    assert count(desks[0], outbox.outbox) == len(batch)
    for desk in desks:
        desk.close()


# --- all or nothing ---------------------------------------------------------------------------------------------------------


def test_what_fails_leaves_nothing_and_works_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the last step: no row anywhere, nothing told, and the same call succeeds afterwards."""

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(Circumstances, "save", fail)
        with pytest.raises(RuntimeError):
            desk.one(text(reference="r"))
    tables = (outbox.outbox, messages, submissions.submissions, decisions.commits)
    assert [count(desk, table) for table in tables] == [0, 0, 0, 0]
    assert desk.replica.committed == []
    assert desk.told(text(reference="r")).verdict is Ruling.ACCEPTED


def test_one_bad_text_does_not_fail_its_batch(small: Desk) -> None:
    """Each has a result of its own, in order; one commit, a line for each connector."""
    results = small.all(
        text(LURE), text(), text(sender="Nobody"), text(not_after=1), text(send_after=NOON + HOUR)
    )
    assert verdicts(results) == ["quarantined", "accepted", "refused", "too_late", "delayed"]
    assert sorted(one.delivery.source.connector.name for one in small.replica.committed) == [
        "sms",
        "sms-console",
    ]
    assert {one.sequence for one in small.replica.committed} == {1}


def test_texts_of_a_pair_keep_their_order(small: Desk) -> None:
    """Their ids grow within a call and over calls, though the clock stands still or goes back."""
    many = [text(f"Your Larkfield code is {number}") for number in range(3)]
    told = [one.id for one in small.all(*many) if isinstance(one, Answer)]
    small.now -= HOUR
    told += [one.id for one in small.all(*many) if isinstance(one, Answer)]
    assert told == sorted(told)
    assert len(set(told)) == 6


@given(instants=st.lists(st.integers(0, 2**47 * 1000), min_size=1, max_size=50))
def test_ids_are_version_seven_and_grow(instants: list[int]) -> None:
    """Whatever the clock does, and with the time in front."""
    ids = Ids()
    made = [ids.next(instant) for instant in instants]
    assert made == sorted(set(made))
    assert {one[6] >> 4 for one in made} == {7}
    assert {one[8] >> 6 for one in made} == {2}
    assert int.from_bytes(made[0][:6], "big") == instants[0] // 1000


def test_names_in_tallies_are_keyed(small: Desk) -> None:
    """Who has the database and not the keyring cannot look for a number in it: each tenant's names are its own."""
    for tenant in (small.tenant, sends("globex")):
        small.told(text(), tenant)
    with small.replica.store.reading() as tx:
        names = [
            {row.name for row in tx.exec_driver_sql("SELECT name FROM tally WHERE tenant = ?", (tenant,))}
            for tenant in ("acme", "globex")
        ]
    assert all(len(some) >= 3 for some in names)
    assert names[0].isdisjoint(names[1])
