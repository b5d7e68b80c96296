"""A tenant's end: what came from platforms goes, records stay a calendar year, then nothing is left but the signed report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import pytest

from policies.message import IdentifierKind
from policies.record import State
from policies.retention import Agreement, Retention, business_days_later
from tests.databases import ENGINES, Databases, Provisioner
from tests.flows.harness import ACCOUNTS, in_threads, message, person
from tests.worker.retention_house import DAY, House, at, keeping, served, signing_key
from tests.worker.test_retention import Died, dying
from worker.acts import Operator, told
from worker.audit.receipts import ReceiptRefused, verify_receipt
from worker.errors import ConfigurationError
from worker.holds.lifting import Lifting
from worker.holds.placing import HoldDesk, Terms
from worker.retention.ending import TenantsEnd
from worker.retention.offboard import Step
from worker.retention.report import FORMAT as REPORT
from worker.rights.erase import Eraser
from worker.store import retention
from worker.store.retention import Offboarding
from worker.tenants.loading import Tenant

OFFICER: Final = Operator(name="Ola Officer", why="the agreement ended")
BOB: Final = person(IdentifierKind.PHONE, "12025550177")
ENDS: Final = "2026-10-31"
LATER: Final = at("2026-11-02T00:00Z")
OVER: Final = at("2027-11-01T00:00Z")


@pytest.fixture(params=ENGINES)
def databases(request: pytest.FixtureRequest, provisioner: Provisioner) -> Databases:
    """Never lent to anybody else: on PostgreSQL, years make tables."""
    return provisioner.make(request.param)


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> Iterator[House]:
    opened = House(databases, signing_key(tmp_path))
    yield opened
    opened.close()


def filled(house: House, name: str, kept: Retention | None = None) -> Tenant:
    """A tenant with a message on every platform, and a text."""
    of = served(name, kept or Retention())
    for connector in ACCOUNTS:
        house.replica.tell(
            of, message(f"{name}-{connector}", f"on {connector}", connector=connector), connector=connector
        )
    return of


def offboard(
    house: House, of: Tenant | str, path: Path, ends: str = ENDS, zone: str | None = None
) -> list[str]:
    """Do what the command does; what it says."""
    name = of if isinstance(of, str) else of.id
    ending = TenantsEnd(house.means, name, None if isinstance(of, str) else of)
    return list(ending.carried_out(ending.policy(ends, zone), OFFICER, path))


def step(house: House, name: str) -> str:
    """How far it is."""
    return known(house, name).step


def known(house: House, name: str) -> Offboarding:
    """The row."""
    with house.replica.store.reading() as tx:
        found = retention.find_offboarding(tx, name)
    assert found is not None
    return found


def test_what_came_from_platforms_goes_with_the_agreement_and_a_signed_report_says_so(
    house: House, tmp_path: Path
) -> None:
    """With identifiers and keys; tombstones, records and other tenants stay."""
    acme, _ = filled(house, "acme"), filled(house, "bolt")
    before = house.rows("bolt")
    house.now = LATER
    path = tmp_path / "report.json"
    offboard(house, acme, path)
    assert step(house, "acme") == Step.REPORTED
    assert house.texts("acme") == []
    assert house.keys("acme") == []
    assert house.states("acme") == [State.ERASED] * len(ACCOUNTS)
    assert not {"content", "identifier", "conversation"} & house.rows("acme").keys()
    assert house.rows("bolt") == before
    assert house.chain_holds("acme")
    report = verify_receipt(path.read_bytes().strip(), house.signing.public, (REPORT,))
    assert report["tenant"] == "acme"
    assert report["agreement_ended_at"] == "2026-11-01T00:00:00Z"
    assert report["records_kept_until"] == "2027-11-01T00:00:00Z"
    assert report["proof_due"] == "2026-11-13"
    assert {name: report["destroyed"][name] for name in ("messages", "conversations", "keys_destroyed")} == {
        "messages": 4,
        "conversations": 4,
        "keys_destroyed": 4,
    }
    assert report["restricted_by_legal_hold"] == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert known(house, "acme").report == path.read_bytes().strip()
    altered = path.read_bytes().replace(b'"messages":4', b'"messages":5')
    with pytest.raises(ReceiptRefused, match="altered"):
        verify_receipt(altered.strip(), house.signing.public, (REPORT,))
    with house.replica.store.reading() as tx:
        (act,) = told(tx, house.replica.keyring, "acme")
    assert (act.action, act.operator) == ("offboard", OFFICER)


def test_a_calendar_year_later_nothing_is_left_but_the_report(house: House, tmp_path: Path) -> None:
    """Not a moment sooner; not while its file is in service; other tenants' rows stay as they are."""
    acme, bolt = filled(house, "acme"), filled(house, "bolt")
    before = house.rows("bolt")
    house.now = LATER
    offboard(house, acme, tmp_path / "report.json")
    house.now = OVER - DAY
    assert house.run(bolt)["acme"].records == 0
    house.now = OVER + DAY
    assert house.run(acme, bolt)["acme"].records == 0
    gone = house.run(bolt)["acme"]
    assert gone.records > 10
    assert gone.step == Step.GONE
    assert house.rows("acme") == {"offboarding": 1, "deletion_receipt": 1}
    assert known(house, "acme").report is not None
    (receipt,) = house.receipts("acme")
    assert (receipt["kind"], receipt["rule"], receipt["other_rows"]) == (
        "offboarding",
        "retention_ceiling",
        gone.records,
    )
    with house.replica.keyring.store.reading() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM tenant_key WHERE tenant = 'acme'").scalar_one() == 0
    assert house.rows("bolt") == before
    assert not house.run(bolt)["acme"].changed
    assert house.rows("acme") == {"offboarding": 1, "deletion_receipt": 1}


def test_the_tenant_s_file_may_be_gone_and_what_it_said_of_keeping_is_known(
    house: House, tmp_path: Path
) -> None:
    """Announced while it was there, ended and reported without it; a text stays until its ceiling."""
    acme = filled(house, "acme", keeping(text="6 months"))
    house.now = at("2026-10-20T12:00Z")
    assert "has not ended" in offboard(house, acme, tmp_path / "report.json")[-1]
    assert step(house, "acme") == Step.ANNOUNCED
    assert len(house.texts("acme")) == 4
    assert not house.run()["acme"].changed
    assert house.now < at("2026-11-01T00:00Z")
    house.now = LATER
    assert house.run()["acme"].step == Step.PURGED
    assert house.texts("acme") == []
    assert not (tmp_path / "report.json").exists()
    offboard(house, "acme", tmp_path / "report.json")
    assert (tmp_path / "report.json").exists()
    with house.replica.store.reading() as tx:
        kept = retention.kept_policy(tx, "acme")
    assert kept == msgspec.structs.replace(acme.retention, agreement=Agreement(ends=date(2026, 10, 31)))


def test_what_a_hold_covers_is_restricted_and_goes_when_it_is_lifted(house: House, tmp_path: Path) -> None:
    """The person and the key stay as long; and so does everything after the floor."""
    acme = filled(house, "acme")
    house.replica.tell(acme, message("bob", "bob", who=BOB))
    store, keyring = house.replica.store, house.replica.keyring
    desk = HoldDesk(store, keyring, "acme", tuple(ACCOUNTS.items()), house.clock)
    whom = Terms(matter="7", authority="the court", operator=OFFICER, person="phone:+12025550177")
    hold = bytes.fromhex(desk.place(whom))
    house.now = LATER
    offboard(house, acme, tmp_path / "report.json")
    assert house.texts("acme") == []
    assert house.rows("acme")["restricted"] == house.rows("acme")["content"] == 1
    assert len(house.keys("acme")) == 1
    assert msgspec.json.decode((tmp_path / "report.json").read_bytes())["restricted_by_legal_hold"] == 1
    house.now = OVER + DAY
    assert house.run()["acme"].records == 0
    desk.lift(hold, OFFICER)
    erase = Eraser(store, keyring, house.clock).conversation
    assert (
        Lifting(store, keyring, house.signing, clock=house.clock, erase=erase).complete("acme").destroyed == 1
    )
    assert house.run()["acme"].step == Step.GONE
    assert house.rows("acme") == {"offboarding": 1, "deletion_receipt": 1}


def test_who_still_writes_to_a_tenant_that_ended_is_purged_again(house: House, tmp_path: Path) -> None:
    acme = filled(house, "acme")
    house.now = LATER
    offboard(house, acme, tmp_path / "report.json")
    house.replica.tell(acme, message("late", "late"))
    assert house.texts("acme") == ["late"]
    assert house.run(acme)["acme"].contents == 1
    assert house.texts("acme") == []
    assert house.keys("acme") == []


@pytest.mark.parametrize(
    ("ends", "zone"),
    [
        ("", None),
        ("soon", None),
        ("2026-02-30", None),
        ("9999-12-31", None),
        (ENDS, "Canary/4711"),
        (ENDS, "../etc"),
    ],
)
def test_what_is_no_day_or_zone(house: House, ends: str, zone: str | None, tmp_path: Path) -> None:
    acme = filled(house, "acme")
    before = house.rows("acme")
    with pytest.raises(ConfigurationError, match="expected a day such as") as refused:
        offboard(house, acme, tmp_path / "report.json", ends, zone)
    assert "4711" not in str(refused.value)
    assert house.rows("acme") == before


def test_what_cannot_be_is_said_and_changes_nothing(house: House, tmp_path: Path) -> None:
    """Nobody knows the tenant; it was offboarded; it is being offboarded with another end."""
    path = tmp_path / "report.json"
    with pytest.raises(ConfigurationError, match="no such tenant"):
        offboard(house, "nobody", path)
    assert house.rows("nobody") == {}
    acme = filled(house, "acme")
    house.now = at("2026-10-01T00:00Z")
    offboard(house, acme, path)
    with pytest.raises(ConfigurationError, match="with another end"):
        offboard(house, acme, path, "2026-11-30")
    house.now = LATER
    offboard(house, acme, path)
    before = house.rows("acme")
    for again in (acme, "acme"):
        with pytest.raises(ConfigurationError, match="was offboarded"):
            offboard(house, again, path)
        ending = TenantsEnd(house.means, "acme", None)
        with pytest.raises(ConfigurationError, match="was offboarded"):
            list(ending.foreseen(ending.policy(ENDS, None)))
    assert house.rows("acme") == before
    bolt = filled(house, "bolt")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        offboard(house, bolt, tmp_path / "nowhere" / "report.json")
    assert step(house, "bolt") == Step.PURGED  # the next try goes on from here
    offboard(house, bolt, tmp_path / "bolt.json")
    assert step(house, "bolt") == Step.REPORTED


def test_what_would_be_done_is_counted_and_nothing_changed(house: House) -> None:
    acme = filled(house, "acme")
    before = house.rows("acme")
    ending = TenantsEnd(house.means, "acme", acme)
    lines = list(ending.foreseen(ending.policy(ENDS, "Europe/Berlin")))
    assert "2026-10-31T23:00:00Z" in lines[0]
    assert lines[1].startswith("4 contents would go, 0 would be restricted")
    assert house.rows("acme") == before


def test_killed_at_any_transaction_it_is_gone_on_with(house: House, tmp_path: Path) -> None:
    """Each step may be cut off, also between the file and its being noted: the end is the same, and each receipt once."""
    for after in count():
        name = f"t{after}"
        house.now = at("2026-10-10T00:00Z")
        of = filled(house, name)
        house.now = LATER
        path, died = tmp_path / name, False
        with dying(house, after):
            try:
                offboard(house, of, path)
            except Died:
                died = True
        house.now += 2 * DAY
        if not died:
            break
        if step_or_none(house, name) != Step.REPORTED:
            offboard(house, name, path)
        assert path.exists()
        assert house.texts(name) == []
        assert house.keys(name) == []
        told = verify_receipt(path.read_bytes().strip(), house.signing.public, (REPORT,))
        assert told["destroyed"]["messages"] == told["destroyed"]["conversations"] == 4
        assert house.chain_holds(name)
    assert after > 6


def step_or_none(house: House, name: str) -> str | None:
    """How far it is, None where it was not begun."""
    with house.replica.store.reading() as tx:
        found = retention.find_offboarding(tx, name)
    return None if found is None else found.step


def test_killed_at_any_transaction_of_the_very_end(house: House, tmp_path: Path) -> None:
    """Whatever is left goes with the next run."""
    for after in count(0, 1 if house.replica.store.is_sqlite else 4):
        name = f"t{after}"
        house.now = at("2026-10-10T00:00Z")
        of = served(name, Retention())
        house.replica.tell(of, message(name))
        house.now = LATER
        offboard(house, of, tmp_path / name)
        house.now, died = OVER + DAY, False
        with dying(house, after):
            try:
                house.end(name)
            except Died:
                died = True
        house.end(name)
        assert house.rows(name) == {"offboarding": 1, "deletion_receipt": 1}
        assert step(house, name) == Step.GONE
        if not died:
            break
    assert after > 10


def test_two_who_offboard_at_once_do_it_once(house: House, tmp_path: Path) -> None:
    """Both come to an end, or one is told that the other did it."""
    acme = filled(house, "acme")
    house.now = LATER
    other = House(house.replica.databases, house.signing)
    other.now = house.now

    def attempt(one: House, name: str) -> str:
        try:
            offboard(one, acme, tmp_path / name)
        except ConfigurationError as refused:
            return str(refused)
        return "done"

    said = in_threads(lambda: attempt(house, "one"), lambda: attempt(other, "two"))
    assert "done" in said
    assert step(house, "acme") == Step.REPORTED
    with house.replica.store.reading() as tx:
        assert len(told(tx, house.replica.keyring, "acme")) == 1
    assert sum(one["messages"]["count"] for one in house.receipts("acme")) == 4
    assert house.chain_holds("acme")
    other.close()


@pytest.mark.parametrize(
    ("day", "later"),
    [
        ("2026-11-01", "2026-11-13"),
        ("2026-11-02", "2026-11-16"),
        ("2026-10-31", "2026-11-13"),
        ("2026-11-06", "2026-11-20"),
    ],
)
def test_business_days(day: str, later: str) -> None:
    assert business_days_later(date.fromisoformat(day), 10).isoformat() == later
