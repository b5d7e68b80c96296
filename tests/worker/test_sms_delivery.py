"""What becomes of texts in the outbox: sent once, tried again only where that is safe, and nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from connectors.contract import HttpAnswer
from policies.event import DeliveryReported, DeliveryStatus, Failure
from policies.sms.purpose import Purpose
from policies.sms.traffic import Rate
from tests.databases import Databases
from tests.worker.handing_in import NOON, OTHER, RECIPIENT, SECOND, SENDER
from tests.worker.sending import GRANT, LOOKUP, NAME, Died, House, provided, with_policy
from worker.inbound import Committed, Delivery, Governed
from worker.log.lines import Level
from worker.store import outbox
from worker.store.outbox import OutboxState
from worker.tenants.loading import Tenants, Version

HOUR = 3600
MINUTE = 60


@pytest.fixture
def house(databases: Databases) -> Iterator[House]:
    made = House(databases)
    yield made
    made.close()


@pytest.fixture
def small(sqlite: Databases) -> Iterator[House]:
    """Where the engine makes no difference."""
    made = House(sqlite)
    yield made
    made.close()


@pytest.fixture
def build(sqlite: Databases) -> Iterator[Callable[..., House]]:
    """Houses that differ from the plain one."""
    made: list[House] = []

    def make(*tenants: Any, **how: Any) -> House:
        made.append(House(sqlite, *tenants, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- the plain walk --------------------------------------------------------------------------------------------------------


def test_a_text_is_sent_and_its_transcript_says_so(house: House) -> None:
    key = house.hand_in()
    house.rounds()
    assert [(one["from"], one["to"], one["text"]) for one in house.provider.taken] == [
        (SENDER, RECIPIENT, "Your table is ready.")
    ]
    [row] = house.rows()
    assert (row.state, row.sealed, row.attempts, row.epoch) == (OutboxState.SENT, None, 1, 1)
    assert house.status(key) == DeliveryStatus.SENT.rank
    assert house.lines.states(key) == ["sent"]
    assert house.provider.hosts == [frozenset({"provider.example"})]


def test_reports_under_the_providers_id_are_about_the_same_text(house: House) -> None:
    key = house.hand_in()
    house.rounds()
    house.report(house.provider.ids[0], DeliveryStatus.DELIVERED)
    assert house.status(key) == DeliveryStatus.DELIVERED.rank
    house.report(house.provider.ids[0], DeliveryStatus.SENT)
    assert house.status(key) == DeliveryStatus.DELIVERED.rank


def test_a_report_by_the_providers_id_alone_finds_the_text(house: House) -> None:
    key = house.hand_in()
    house.rounds()
    id_ = house.provider.ids[0]
    house.tell(
        DeliveryReported(
            account=SENDER,
            message_id=f"p-{id_}",
            status=DeliveryStatus.DELIVERED,
            occurred_at=house.clock.now,
        )
    )
    assert house.status(key) == DeliveryStatus.DELIVERED.rank


def test_nothing_is_sent_before_its_time(small: House) -> None:
    small.hand_in(delayed=90)
    small.rounds()
    assert small.provider.calls == []
    small.clock.advance(91)
    small.rounds()
    assert len(small.provider.calls) == 1


def test_texts_of_a_pair_go_in_order_and_pairs_do_not_wait_for_one_another(house: House) -> None:
    house.provider.script.extend(["throttled"])
    first, second = house.hand_in(), house.hand_in()
    other = house.hand_in(OTHER)
    house.clock.advance(1)
    house.rounds()
    assert [house.state(one) for one in (first, second, other)] == [
        OutboxState.QUEUED,
        OutboxState.QUEUED,
        OutboxState.SENT,
    ]
    house.settle_down(hours=0.1)
    to_first = [one["id"] for one in house.provider.taken if one["to"] == RECIPIENT]
    assert to_first == sorted(to_first)
    assert len(house.provider.taken) == 3


# --- what follows from what the provider says ------------------------------------------------------------------------------

AGAIN = [
    ("throttled", 5),
    ("provider", 10),
    ("busy", 30),
    ("temporary", HOUR),
    ("quota", 24 * HOUR),
    ("registration", 900),
    ("sender", 900),
    ("account", 300),
    ("down", 5),
]


@pytest.mark.parametrize(("behaviour", "wait"), AGAIN, ids=[name for name, _ in AGAIN])
def test_what_was_surely_not_sent_is_tried_again_after_its_wait(
    small: House, behaviour: str, wait: int
) -> None:
    small.provider.script.extend([behaviour] * (3 if behaviour == "down" else 1))
    key = small.hand_in()
    small.rounds()
    [row] = small.rows()
    failure = "provider" if behaviour == "down" else behaviour
    assert (row.state, row.failure) == (OutboxState.QUEUED, failure)
    small.clock.advance(wait - 1)
    small.rounds()
    assert small.provider.ids == []
    small.clock.advance(2)
    small.rounds()
    assert len(small.provider.ids) == 1
    assert small.lines.states(key) == ["queued", "sent"]


@pytest.mark.parametrize("failure", ["opted_out", "dead_number", "filtered", "rejected"])
def test_what_would_fail_again_has_failed(small: House, failure: str) -> None:
    small.provider.script.append(failure)
    key = small.hand_in()
    small.rounds()
    [row] = small.rows()
    assert (row.state, row.failure, row.code, row.sealed) == (OutboxState.FAILED, failure, 7, None)
    assert small.status(key) == DeliveryStatus.FAILED.rank
    small.settle_down()
    assert len(small.provider.calls) == 1


@pytest.mark.parametrize("behaviour", [name for name, _ in AGAIN])
def test_nothing_is_tried_for_ever(small: House, behaviour: str) -> None:
    small.provider.script.extend([behaviour] * 100)
    key = small.hand_in()
    small.settle_down(hours=6)
    assert small.state(key) is OutboxState.FAILED
    assert small.provider.ids == []
    assert small.lines.states(key)[-1] == "failed"


def test_a_provider_that_knows_of_an_opt_out_is_believed(house: House) -> None:
    house.provider.script.append("opted_out")
    house.hand_in()
    later = house.hand_in()
    house.settle_down()
    assert house.state(later) is OutboxState.STOPPED
    assert len(house.provider.calls) == 1


def test_retry_after_is_heeded_and_cut_off(build: Callable[..., House]) -> None:
    class Asking:
        def send(self, *_call: Any) -> HttpAnswer:
            return HttpAnswer(status=429, headers={"retry-after": waits.pop(0)}, body=b"{}")

    waits = ["90", "99999999"]

    house = build(provider=Asking())
    key = house.hand_in()
    house.clock.advance(1)
    house.rounds()
    assert house.rows()[0].not_before == house.clock.now + 90_000_000
    house.clock.advance(90)
    house.rounds()
    assert house.rows()[0].not_before == house.clock.now + 6 * HOUR * 1_000_000
    assert house.state(key) is OutboxState.QUEUED


# --- what nobody knows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["lost", "swallowed", "broken"])
def test_what_nobody_knows_is_never_sent_again_and_shown_to_a_person(house: House, behaviour: str) -> None:
    house.provider.script.append(behaviour)
    key = house.hand_in()
    later = house.hand_in()
    house.rounds()
    assert (house.state(key), house.state(later)) == (OutboxState.UNKNOWN, OutboxState.QUEUED)
    house.clock.advance(HOUR - 60)
    house.rounds()
    assert house.state(key) is OutboxState.UNKNOWN
    house.clock.advance(120)
    house.rounds()
    assert house.state(key) is OutboxState.UNRESOLVED
    house.clock.advance(1)
    house.rounds()
    assert house.state(later) is OutboxState.SENT
    assert len(house.provider.calls) == 2
    assert house.lines.states(key) == ["unknown", "unresolved"]
    assert [line.level for line in house.lines.sends if line.state == "unresolved"] == [Level.ERROR]
    [row] = [row for row in house.rows() if row.key == key]
    assert row.sealed is not None


@pytest.mark.parametrize(
    ("status", "state"),
    [(DeliveryStatus.DELIVERED, OutboxState.SENT), (DeliveryStatus.FAILED, OutboxState.FAILED)],
)
def test_a_report_resolves_what_nobody_knew(house: House, status: DeliveryStatus, state: OutboxState) -> None:
    house.provider.script.append("lost")
    key, later = house.hand_in(), house.hand_in()
    house.rounds()
    house.report(house.provider.ids[0], status)
    assert house.state(key) is state
    house.clock.advance(1)
    house.rounds()
    assert house.state(later) is OutboxState.SENT


def test_a_provider_that_can_be_asked_is_asked(sqlite: Databases) -> None:
    house = House(sqlite, provided(lookup=LOOKUP))
    house.provider.script.append("lost")
    key = house.hand_in()
    house.rounds()
    assert house.state(key) is OutboxState.UNKNOWN
    house.clock.advance(6)
    house.rounds()
    assert house.state(key) is OutboxState.SENT
    assert house.lines.states(key) == ["unknown", "sent"]
    house.close()


def test_that_a_provider_does_not_know_a_text_is_no_proof(sqlite: Databases) -> None:
    house = House(sqlite, provided(lookup=LOOKUP))
    house.provider.script.append("swallowed")
    key = house.hand_in()
    house.settle_down(hours=0.01)
    assert house.state(key) is OutboxState.UNRESOLVED
    looks = len(house.provider.hosts) - 1
    assert 5 <= looks <= 30
    house.close()


@pytest.mark.parametrize("behaviour", ["dies_before", "dies_after", "dies_writing"])
def test_a_process_that_dies_in_a_call_leaves_an_unknown_text(databases: Databases, behaviour: str) -> None:
    house = House(databases)
    house.provider.script.append(behaviour)
    key = house.hand_in()
    with pytest.raises(Died):
        house.rounds()
    house.close()
    heir = House(databases, provider=house.provider, clock=house.clock)
    heir.rounds()
    assert heir.state(key) is OutboxState.CALLING
    heir.clock.advance(120)
    heir.rounds()
    assert heir.state(key) is OutboxState.UNKNOWN
    heir.settle_down()
    assert heir.state(key) is OutboxState.UNRESOLVED
    assert len(heir.provider.calls) == 1
    heir.close()


def test_a_late_answer_still_counts(house: House) -> None:
    """The call outlived its lease, and somebody has called it unknown meanwhile."""
    key = house.hand_in()
    send = house.provider.send

    def late(*call: Any) -> Any:
        house.clock.advance(200)
        house.delivery._keeper._age("acme")
        assert house.state(key) is OutboxState.UNKNOWN
        return send(*call)

    house.provider.send = late
    house.rounds()
    assert house.state(key) is OutboxState.SENT


def test_whoever_stood_still_since_the_claim_calls_nobody(small: House) -> None:
    key = small.hand_in()
    work: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
    inline = small.delivery._pool
    held: Any = type("Held", (), {"submit": lambda _self, call, *args: work.append((call, args))})()
    small.delivery._pool = held
    small.delivery.round()
    small.clock.advance(31)
    [(call, arguments)] = work
    call(*arguments)
    assert small.provider.calls == []
    assert small.state(key) is OutboxState.QUEUED
    small.delivery._pool = inline
    small.rounds()
    assert len(small.provider.calls) == 1


# --- the last check --------------------------------------------------------------------------------------------------------


def test_an_opt_out_before_the_last_check_stops_a_text(house: House) -> None:
    key = house.hand_in()
    house.opt_out()
    house.rounds()
    assert house.provider.calls == []
    assert house.state(key) is OutboxState.STOPPED
    assert house.status(key) == DeliveryStatus.FAILED.rank
    [line] = house.lines.sends
    assert [reason.code for reason in line.reasons] == ["opted_out"]
    assert line.sequence > 0


def test_the_confirmation_of_an_opt_out_goes_all_the_same(house: House) -> None:
    house.opt_out()
    key = house.hand_in(text="You are opted out.", answers_opt_out=True, reviewed=True)
    house.rounds()
    assert house.state(key) is OutboxState.SENT


def test_a_text_that_is_too_late_has_expired(small: House) -> None:
    key = small.hand_in(delayed=60, not_after=NOON + 120_000_000)
    small.clock.advance(121)
    small.rounds()
    assert small.state(key) is OutboxState.EXPIRED
    assert small.provider.calls == []


def test_quiet_hours_are_looked_at_again(small: House) -> None:
    """It was handed in at noon and could not be sent before night."""
    small.provider.script.append("throttled")
    key = small.hand_in(purpose=Purpose.MARKETING, text="New dishes. Reply STOP to end.")
    small.rounds()
    small.clock.advance(14 * HOUR)
    small.rounds()
    assert small.state(key) is OutboxState.QUEUED
    assert len(small.provider.calls) == 1
    small.clock.advance(10 * HOUR)
    small.rounds()
    assert small.state(key) is OutboxState.SENT


def _without_sender(house: House) -> None:
    tenant = house.tenants.versions["acme"].tenant
    assert tenant.sms is not None
    senders = tuple(one for one in tenant.sms.policy.senders if one.address != SENDER)
    house.serve(with_policy(tenant, senders=senders))


def _without_texts(house: House) -> None:
    house.serve(msgspec.structs.replace(house.tenants.versions["acme"].tenant, sms=None))


def _without_connector(house: House) -> None:
    house.serve(msgspec.structs.replace(house.tenants.versions["acme"].tenant, connectors={}))


def _only_listening(house: House) -> None:
    tenant = house.tenants.versions["acme"].tenant
    source = msgspec.structs.replace(tenant.connectors[NAME], sending=None)
    house.serve(msgspec.structs.replace(tenant, connectors={NAME: source}))


@pytest.mark.parametrize("remove", [_without_sender, _without_texts, _without_connector, _only_listening])
def test_a_text_of_a_sender_that_is_gone_is_stopped(small: House, remove: Callable[[House], None]) -> None:
    key = small.hand_in()
    remove(small)
    small.rounds()
    assert small.state(key) is OutboxState.STOPPED
    assert small.provider.calls == []
    [line] = small.lines.sends
    assert [reason.code for reason in line.reasons] == ["sender_unknown"]


def test_texts_of_a_tenant_that_is_gone_wait_and_are_shown(small: House) -> None:
    key = small.hand_in()
    before = small.tenants
    small.tenants = Tenants()
    small.rounds()
    assert small.state(key) is OutboxState.QUEUED
    assert small.delivery.status()["outbox"]["acme"]["queued"]["count"] == 1
    small.tenants = before
    small.rounds()
    assert small.state(key) is OutboxState.SENT


def test_texts_of_a_connector_that_cannot_start_wait_for_it(small: House) -> None:
    key = small.hand_in()
    tenant = small.tenants.versions["acme"].tenant
    for refused in ({"out_of_service": frozenset({NAME})}, {"not_sending": frozenset({NAME})}):
        small.tenants = Tenants(
            versions={"acme": Version(tenant=msgspec.structs.replace(tenant, connectors={}), **refused)}
        )
        small.rounds()
        assert small.state(key) is OutboxState.QUEUED
    small.serve(tenant)
    small.rounds()
    assert small.state(key) is OutboxState.SENT


def test_what_was_erased_is_not_sent(house: House) -> None:
    key = house.hand_in()
    with house.store.transaction() as tx:
        tx.execute(outbox.outbox.update().values(sealed=b"nothing that opens"))
    house.rounds()
    assert house.state(key) is OutboxState.STOPPED
    assert house.provider.calls == []


def test_a_senders_rate_holds_and_order_stays(build: Callable[..., House]) -> None:
    house = build(with_policy(provided(), sender_rate=Rate(messages=1, seconds=2)), threads=8)
    keys = [house.hand_in(f"+1202555018{digit}") for digit in range(5)]
    other = house.hand_in("+12025550190", sender=SECOND)
    sent_at: list[int] = []
    for second in range(12):
        house.rounds()
        sent = [one for one in house.provider.taken if one["from"] == SENDER]
        sent_at += [second] * (len(sent) - len(sent_at))
        house.clock.advance(1)
    assert sent_at == [0, 2, 4, 6, 8]
    assert house.state(other) is OutboxState.SENT
    assert [house.state(key) for key in keys] == [OutboxState.SENT] * 5


# --- who is left alone -----------------------------------------------------------------------------------------------------


def test_a_provider_that_fails_again_and_again_is_left_alone_and_then_asked_once(small: House) -> None:
    small.provider.script.extend(["broken"] * 6)
    for digit in range(9):
        small.hand_in(f"+1202555018{digit}")
        small.clock.advance(0.2)
    for _ in range(10):
        small.rounds()
        small.clock.advance(0.2)
    assert len(small.provider.calls) == 5
    [down] = small.lines.senders
    assert (down.in_service, down.account, down.why, down.level) == (False, "", "unknown", Level.ERROR)
    assert [one["state"] for one in small.delivery.status()["out_of_service"]] == ["open"]
    small.clock.advance(16)
    small.rounds()
    assert len(small.provider.calls) == 6
    small.clock.advance(29)
    small.rounds()
    assert len(small.provider.calls) == 6
    small.clock.advance(2)
    for _ in range(10):
        small.rounds()
        small.clock.advance(0.2)
    assert len(small.provider.ids) == 3
    assert [line.in_service for line in small.lines.senders] == [False, True]
    assert small.delivery.status()["out_of_service"] == []


@pytest.mark.parametrize("failure", ["registration", "sender"])
def test_a_sender_that_may_not_send_is_left_alone_and_others_go_on(small: House, failure: str) -> None:
    small.provider.script.append(failure)
    refused = small.hand_in()
    small.rounds()
    waiting, other = small.hand_in(OTHER), small.hand_in(OTHER, sender=SECOND)
    small.clock.advance(1)
    small.rounds()
    states = [small.state(one) for one in (refused, waiting, other)]
    assert states == [OutboxState.QUEUED, OutboxState.QUEUED, OutboxState.SENT]
    [line] = small.lines.senders
    assert (line.account, line.why, line.in_service) == (SENDER, failure, False)
    assert f'sender_out_of_service{{account="{SENDER}"' in small.metrics.page().decode()
    small.settle_down(hours=0.1)
    assert small.state(refused) is OutboxState.SENT
    assert [line.in_service for line in small.lines.senders] == [False, True]


def test_credentials_that_are_refused_stop_the_connector_at_once_until_they_are_changed(small: House) -> None:
    small.provider.script.append("account")
    small.hand_in()
    small.rounds()
    other = small.hand_in(OTHER, sender=SECOND)
    small.clock.advance(1)
    small.rounds()
    assert small.state(other) is OutboxState.QUEUED
    tenant = small.tenants.versions["acme"].tenant
    small.delivery.configured(small.tenants)
    source = tenant.connectors[NAME]
    assert source.sending is not None
    sending = msgspec.structs.replace(source.sending, secrets={"token": (b"new",)})
    changed = msgspec.structs.replace(source, sending=sending)
    small.serve(msgspec.structs.replace(tenant, connectors={NAME: changed}))
    small.delivery.configured(small.tenants)
    assert [(line.in_service, line.why) for line in small.lines.senders] == [
        (False, "account"),
        (True, "configured"),
    ]
    assert 'sender_out_of_service{account="",connector="sms-test",tenant="acme"} 0.0' in (
        small.metrics.page().decode()
    )
    small.rounds()
    assert small.state(other) is OutboxState.SENT


def test_what_a_provider_reports_later_stops_a_sender_too(small: House) -> None:
    tenant = small.tenants.versions["acme"].tenant
    event = DeliveryReported(
        account=SENDER,
        message_id="p",
        status=DeliveryStatus.FAILED,
        occurred_at=NOON,
        error_codes=(30034,),
        failure=Failure.REGISTRATION,
    )
    told = Delivery(
        tenant=tenant, source=tenant.connectors[NAME], received_at=NOON, size=1, events=[Governed(event)]
    )
    committed = Committed(delivery=told, settled=[], sequence=1, head="", queued=0, commit=0, batch=1)
    small.delivery.heard([committed])
    key = small.hand_in()
    small.rounds()
    assert small.state(key) is OutboxState.QUEUED
    [line] = small.lines.sends
    assert (line.state, line.failure, line.code, line.level) == (
        "reported",
        "registration",
        30034,
        Level.ERROR,
    )


# --- access tokens ---------------------------------------------------------------------------------------------------------


class Granting:
    """A provider that wants tokens: counts those that it gave, and refuses all but the last."""

    def __init__(self) -> None:
        self.given = 0
        self.valid = ""
        self.sent: list[str] = []
        self.refuses_all = False

    def send(self, request: Any, *_rest: Any) -> Any:
        if request.url.endswith("/token"):
            self.given += 1
            self.valid = f"token-{self.given}"
            return HttpAnswer(status=200, headers={}, body=msgspec.json.encode({"token": self.valid}))
        if self.refuses_all or request.headers.get("authorization") != f"Bearer {self.valid}":
            return HttpAnswer(status=401, headers={}, body=b'{"failure": "account"}')
        self.sent.append(msgspec.json.decode(request.body)["id"])
        return HttpAnswer(status=200, headers={}, body=b'{"sent": "p"}')


@pytest.fixture
def granting(build: Callable[..., House]) -> House:
    return build(provided(grant=GRANT), provider=Granting())


def test_a_token_is_kept_until_it_ends(granting: House) -> None:
    for digit in range(5):
        granting.hand_in(f"+1202555018{digit}")
        granting.clock.advance(1)
        granting.rounds()
    assert (granting.provider.given, len(granting.provider.sent)) == (1, 5)
    granting.clock.advance(HOUR)
    granting.hand_in()
    granting.rounds()
    assert (granting.provider.given, len(granting.provider.sent)) == (2, 6)


def test_a_token_that_is_refused_is_asked_for_once_more(granting: House) -> None:
    granting.hand_in()
    granting.rounds()
    granting.provider.valid = "revoked"
    key = granting.hand_in(OTHER)
    granting.clock.advance(1)
    granting.rounds()
    assert granting.state(key) is OutboxState.SENT
    assert granting.provider.given == 2
    assert granting.lines.states(key) == ["queued", "sent"]


def test_a_fresh_token_that_is_refused_is_the_accounts_fault(granting: House) -> None:
    granting.provider.refuses_all = True
    granting.hand_in()
    granting.rounds()
    assert granting.rows()[0].failure == "account"
    assert granting.provider.given == 1
    assert [line.why for line in granting.lines.senders] == ["account"]


# --- metrics and status ----------------------------------------------------------------------------------------------------


def test_metrics_and_status_say_what_is_not_done(small: House) -> None:
    small.provider.script.extend(["lost", "throttled"])
    small.hand_in()
    small.hand_in(OTHER, sender=SECOND)
    small.clock.advance(0.2)
    small.rounds()
    small.clock.advance(1)
    small.rounds()
    page = small.metrics.page().decode()
    assert 'sluicegate_outbox{state="unknown",tenant="acme"} 1.0' in page
    assert 'sluicegate_outbox{state="queued",tenant="acme"} 1.0' in page
    assert 'state="unknown",tenant="acme"} 1.0' in page
    assert small.delivery.status()["outbox"]["acme"].keys() == {"queued", "unknown"}
    assert small.delivery.status()["calls"] == 0


def test_no_line_holds_what_a_text_holds(small: House) -> None:
    small.provider.script.extend(["lost", "throttled", "rejected"])
    for digit in range(3):
        small.hand_in(f"+1202555018{digit}", text="quite confidential")
        small.clock.advance(1)
    small.settle_down()
    told = "".join(str(msgspec.to_builtins(line)) for line in small.lines.all)
    assert "confidential" not in told
    assert "+1202555018" not in told
