"""An account that its platform stops sends nothing; what waits goes when the standing is restored (SM-2, SM-4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from policies.event import AccountAspect, AccountChanged, AccountState
from policies.message import Instant
from policies.rules.account_standing import WAIT
from policies.sms.purpose import Purpose
from tests.databases import Databases
from tests.worker.handing_in import NOON, SECOND, SENDER, Desk, text
from tests.worker.sending import NAME, House
from worker.status import StoreProbe
from worker.store.accounts import change_accounts, standings, stopped
from worker.store.engine import Store
from worker.store.outbox import OutboxState

SECONDS = WAIT // 1_000_000 + 1


def change(
    state: AccountState,
    at: Instant = NOON,
    account: str = SENDER,
    aspect: AccountAspect = AccountAspect.ACCOUNT,
    detail: str = "told",
) -> AccountChanged:
    return AccountChanged(account=account, aspect=aspect, state=state, occurred_at=at, detail=detail)


@pytest.fixture
def house(databases: Databases) -> Iterator[House]:
    made = House(databases)
    yield made
    made.close()


@pytest.fixture
def desk(databases: Databases) -> Iterator[Desk]:
    made = Desk(databases)
    yield made
    made.close()


@pytest.mark.parametrize("state", ["revoked", "suspended", "restricted", "unreviewed"])
def test_what_waits_goes_when_the_standing_is_restored(house: House, state: str) -> None:
    """Held back for as long as it lasts, without another word being written; then sent once."""
    house.tell(change(AccountState(state), house.clock.now))
    key = house.hand_in()
    for _ in range(4):
        house.rounds()
        house.clock.advance(SECONDS)
    assert house.provider.taken == []
    [row] = house.rows()
    assert (row.state, row.attempts, row.epoch) == (OutboxState.QUEUED, 0, 0)
    house.tell(change(AccountState.ACTIVE, house.clock.now))
    house.clock.advance(SECONDS)
    house.rounds()
    assert house.provider.ids == [row.id.hex()]
    assert house.state(key) is OutboxState.SENT


def test_another_account_goes_on(house: House) -> None:
    """What is wrong with one sender is nothing to the next."""
    house.tell(change(AccountState.SUSPENDED, house.clock.now))
    house.hand_in()
    other = house.hand_in(sender=SECOND)
    house.rounds()
    assert [one["from"] for one in house.provider.taken] == [SECOND]
    assert house.state(other) is OutboxState.SENT


def test_what_names_no_account_is_about_all(house: House) -> None:
    """The whole of a connector is shut off."""
    house.tell(change(AccountState.REVOKED, house.clock.now, account=""))
    house.hand_in()
    house.hand_in(sender=SECOND)
    house.rounds()
    assert house.provider.taken == []


def test_marketing_that_waits_for_its_hours_does_not_hold_the_account_till_then(house: House) -> None:
    """Both reasons stand against one text; the others go as soon as the account may send again."""
    house.clock.advance(12 * 3600)  # deep in the night
    house.tell(change(AccountState.SUSPENDED, house.clock.now))
    plain = house.hand_in("+12025550199")
    house.hand_in(purpose=Purpose.MARKETING)
    house.rounds()
    house.tell(change(AccountState.ACTIVE, house.clock.now))
    house.clock.advance(SECONDS)
    house.rounds()
    assert house.state(plain) is OutboxState.SENT


def test_the_submitter_is_told_why(desk: Desk) -> None:
    """Delayed, with the reason, before anything is sent."""
    with desk.replica.store.transaction() as tx:
        change_accounts(tx, "acme", [("sms-console", change(AccountState.SUSPENDED))])
    answer = desk.told(text())
    assert (answer.verdict, answer.until) == ("delayed", NOON + WAIT)
    assert [(one.code, one.clauses) for one in answer.reasons] == [("account_suspended", ("SM-2", "SM-4"))]
    assert desk.told(text(sender=SECOND)).verdict == "accepted"


def told(store: Store, of: str, *changes: AccountChanged) -> AccountState:
    for one in changes:
        with store.transaction() as tx:
            change_accounts(tx, of, [(NAME, one)])
    with store.reading() as tx:
        return standings(tx, of, [(NAME, SENDER)])[NAME, SENDER]


def test_a_notice_lifts_nothing(databases: Databases) -> None:
    """In whatever order they come: it is not a standing. A template's is not the account's."""
    store = databases.store()
    moving = change(AccountState.SUSPENDED, NOON)
    notices = [change(AccountState.INFORMED, NOON + 5), change(AccountState.UNKNOWN, NOON + 9)]
    for number, order in enumerate(permutations([moving, *notices])):
        assert told(store, f"t{number}", *order) is AccountState.SUSPENDED
        with store.transaction() as tx:
            change_accounts(tx, f"b{number}", [(NAME, one) for one in order])
        assert told(store, f"b{number}") is AccountState.SUSPENDED
    assert told(store, "notices", *notices) is AccountState.ACTIVE
    template = change(AccountState.REVOKED, aspect=AccountAspect.TEMPLATE)
    assert told(store, "template", template) is AccountState.ACTIVE
    store.close()


def test_the_status_page_names_it(databases: Databases) -> None:
    """Tenant, account, state, why and since when; nothing of it once it is restored."""
    store = databases.store()
    probe = StoreProbe(store)
    told(store, "acme", change(AccountState.RESTRICTED))
    [shown] = probe.standings() or ()
    expected: dict[str, Any] = {
        "tenant": "acme",
        "connector": NAME,
        "account": SENDER,
        "aspect": "account",
        "state": "restricted",
        "why": "told",
        "since": "2026-11-30T17:00:00+00:00",
    }
    assert shown == expected
    told(store, "acme", change(AccountState.ACTIVE, NOON + 1))
    assert probe.standings() == []
    with store.reading() as tx:
        assert stopped(tx) == []
    probe.close()
    store.close()
