"""The self-audit finds what it plants wherever it stays, finds nothing in a worker that is right, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import MetaData, func, select

from policies.message import MessageKind
from policies.record import Record
from policies.rules import NEVER_RECORD
from policies.tenant import TenantPolicy
from tests.collected import Collected
from tests.databases import MASTER, Databases
from tests.flows.harness import NOW, Replica, message, tenant, ticking
from worker import govern, observe, settle
from worker.crypto import Cipher
from worker.jobs import Alarm
from worker.keyring import Keyring
from worker.ledger import Ledger
from worker.log.lines import Level, LibraryLine, Line, SelfAuditLine
from worker.log.writer import RECENT_BYTES, Log
from worker.metrics import Metrics
from worker.selfaudit import places, standing
from worker.selfaudit.audit import AuditFailed, Finding, SelfAudit
from worker.selfaudit.places import Seeker, in_files
from worker.selfaudit.standing import audit_tenants, last_findings, show_survivors
from worker.selfaudit.story import Canary, tell
from worker.store import cursors, decisions
from worker.store.engine import Store
from worker.store.shadow import is_shadow, shadow_of
from worker.store.tables import KeyringTable, Table
from worker.tenants.file import TENANT_ID
from worker.tenants.loading import Tenant, Tenants, Version
from worker.transcripts import export

ACME, BOLT = tenant("acme"), tenant("bolt")


class House:
    """A store with a tenant's own message in it, and an audit."""

    def __init__(self, databases: Databases) -> None:
        self.replica = Replica(databases)
        self.store, self.keyring = self.replica.store, self.replica.keyring
        self.replica.tell(ACME, message("wamid.own"))
        self.log = Collected()
        self.faults: list[Exception] = []
        self.audit = self.auditing(self.keyring)

    def auditing(self, keyring: Keyring) -> SelfAudit:
        return SelfAudit(self.store, keyring, self.log, ticking(NOW), self.faults.append)

    def survivors(self, *tenants: Tenant) -> list[str]:
        """What an audit of one tenant finds."""
        findings = self.audit.run(tenants or (ACME,))
        assert self.faults == []
        return [one for finding in findings.values() for one in finding.survivors]

    def rows(self) -> dict[str, int]:
        """How many there are in each table of both databases."""
        return {**_rows(self.store, Table.metadata), **_rows(self.keyring.store, KeyringTable.metadata)}

    def scheduled(self, *tenants: Tenant) -> bool:
        known = Tenants(versions={one.id: Version(tenant=one) for one in tenants or (ACME,)})
        return audit_tenants(self.store, self.audit, self.log, ticking(NOW), known, lambda: False)


def _rows(store: Store, metadata: MetaData) -> dict[str, int]:
    with store.reading() as tx:
        count = select(func.count())
        return {t.name: tx.execute(count.select_from(t)).scalar_one() for t in metadata.sorted_tables}


@pytest.fixture
def house(databases: Databases) -> Iterator[House]:
    opened = House(databases)
    yield opened
    opened.replica.close()


STRICT = msgspec.structs.replace(
    tenant("strict"),
    policy=TenantPolicy(never_record_kinds=(MessageKind.TEXT,), record_media_references=False, oldest_days=1),
)


@pytest.mark.parametrize("of", [ACME, STRICT], ids=["usual", "strict"])
def test_a_worker_that_is_right_keeps_nothing(house: House, of: Tenant) -> None:
    """Whatever the tenant's own rules; and the audit leaves no row, in either database."""
    before = house.rows()
    assert house.survivors(of) == []
    assert house.rows() == before


def test_what_a_search_has_to_find_is_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story is really stored: without the text that stays in its transcript the audit proves nothing, and says so."""
    monkeypatch.setattr(places, "in_value", lambda *_: set())
    monkeypatch.setattr("worker.selfaudit.audit.in_value", lambda *_: set())
    assert house.audit.run((ACME,)) == {}
    assert [type(one) for one in house.faults] == [AuditFailed]


def test_rules_that_are_gone_are_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story's address and the number are in the transcript."""
    monkeypatch.setattr(govern, "NEVER_RECORD", ())
    assert house.survivors() == ["government_id:transcript", "story_url:transcript"]


@pytest.mark.parametrize("rule", [r for r in NEVER_RECORD if r.name in {"government_id", "facebook_cdn"}])
def test_one_rule_that_is_gone_is_noticed(house: House, monkeypatch: pytest.MonkeyPatch, rule: Any) -> None:
    """Each of those that the story is about."""
    monkeypatch.setattr(govern, "NEVER_RECORD", tuple(one for one in NEVER_RECORD if one is not rule))
    found = {"government_id": "government_id:transcript", "facebook_cdn": "story_url:transcript"}
    assert house.survivors() == [found[rule.name]]


def test_an_unsend_that_does_nothing_is_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is taken back, and its text is still shown."""
    monkeypatch.setattr(settle, "record_of_unsend", lambda *_: Record())
    assert house.survivors() == ["unsent_text:transcript"]


def test_a_log_that_repeats_content_is_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the lines of the story itself, and in those of the process."""
    tell_ = observe._tell

    def chatty(one: Any, now: int, lines: list[Line]) -> None:
        tell_(one, now, lines)
        said = [getattr(item.event, "message", None) for item in one.delivery.events]
        lines += [
            LibraryLine(logger="x", template=m.content.text or "", exception="", frames=[]) for m in said if m
        ]

    monkeypatch.setattr(observe, "_tell", chatty)
    assert set(house.survivors()) == {"kept_text:log", "unsent_text:log"}


class Plain(Cipher):
    """Seals nothing."""

    def __init__(self, _key: bytes) -> None:
        pass

    def seal(self, plain: bytes, _place: bytes) -> bytes:
        return plain

    def open(self, sealed: bytes, _place: bytes) -> bytes:
        return sealed


def test_a_store_that_is_not_sealed_is_noticed(databases: Databases) -> None:
    """In its rows, on either engine; in the files of the embedded one."""
    house = House(databases)
    house.audit = house.auditing(Keyring(house.keyring.store, MASTER, Plain))
    found = set(house.survivors())
    house.replica.close()
    rows = {"kept_text:rows", "message_id:rows", "person:rows"}
    files = {one.replace("rows", "files") for one in rows} | {"unsent_text:files"}
    assert found == (rows | files if databases.engine == "sqlite" else rows)


def test_the_shadow_is_nowhere_where_somebody_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the story is stored: no transcript of the tenant, no list of chains, no line or number of the worker."""
    seen: list[dict[str, Any]] = []
    search = SelfAudit._search

    def looking(audit: SelfAudit, *args: Any) -> dict[str, Finding]:
        with house.store.reading() as tx:
            chains = decisions.tenants(tx)
            end = decisions.end_of(tx, shadow_of("acme"))
        seen.append({"acme": export(house.store, house.keyring, "acme"), "chains": chains, "end": end})
        return search(audit, *args)

    before = export(house.store, house.keyring, "acme")
    monkeypatch.setattr(SelfAudit, "_search", looking)
    house.survivors()
    (during,) = seen
    assert during["end"][0] == 2
    assert during["acme"] == before == export(house.store, house.keyring, "acme")
    assert during["chains"] == ["acme"]
    assert house.log.lines == []


def test_no_tenants_file_can_be_called_like_a_shadow() -> None:
    """So nobody's data is ever cleaned away."""
    assert TENANT_ID.fullmatch(shadow_of("acme")) is None
    assert is_shadow(shadow_of("acme"))
    assert not is_shadow("acme")


def test_nothing_of_a_shadow_is_in_the_journal(house: House) -> None:
    """A restored store need not be told what a shadow took back."""
    noted: list[Any] = []
    house.store.journal = noted.extend
    house.survivors()
    assert noted == []


def test_what_an_audit_left_that_was_cut_off_goes_with_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may die at any moment of it."""
    before = house.rows()
    with monkeypatch.context() as dying:
        dying.setattr(SelfAudit, "clean", lambda *_: None)
        house.survivors()
    assert house.rows() != before
    house.survivors()
    assert house.rows() == before


def test_several_tenants_are_audited_in_one_search(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding is about its own story; one that cannot be told does not keep the others."""
    submit = Ledger.submit
    with monkeypatch.context() as full:
        full.setattr(Ledger, "submit", lambda self, one: one.tenant.id != "~bolt" and submit(self, one))
        assert set(house.audit.run((ACME, BOLT, tenant("calm")))) == {"acme", "calm"}
    assert [type(one) for one in house.faults] == [AuditFailed]
    monkeypatch.setattr(govern, "NEVER_RECORD", ())
    findings = house.audit.run((ACME, BOLT))
    expected = ("government_id:transcript", "story_url:transcript")
    assert {name: one.survivors for name, one in findings.items()} == {"acme": expected, "bolt": expected}


# -- on a schedule -------------------------------------------------------------------------------------------


def test_a_survivor_is_an_alarm_until_an_audit_finds_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the log, a number in the metrics, on every worker; and then it is over."""
    metrics = Metrics("1")
    known = Tenants(versions={"acme": Version(tenant=ACME)})
    assert house.scheduled()
    with monkeypatch.context() as broken:
        broken.setattr(govern, "NEVER_RECORD", ())
        with pytest.raises(Alarm):
            house.scheduled()
    fine, bad = house.log.of(SelfAuditLine)
    assert (fine.level, fine.survivors) == (Level.INFO, [])
    assert (bad.level, bad.survivors) == (Level.ERROR, ["government_id:transcript", "story_url:transcript"])
    show_survivors(house.store, metrics, known)
    assert b'sluicegate_self_audit_survivors{tenant="acme"} 2.0' in metrics.page()
    with pytest.raises(Alarm):  # whoever is asked meanwhile, and cannot audit
        audit_tenants(house.store, house.audit, house.log, ticking(NOW), known, lambda: True)
    assert house.scheduled()
    show_survivors(house.store, metrics, known)
    assert b'sluicegate_self_audit_survivors{tenant="acme"} 0.0' in metrics.page()


def test_an_audit_that_proves_nothing_clears_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last finding stands, and the job failed."""
    with house.store.transaction() as tx:
        bad = Finding(survivors=("story_url:log",))
        cursors.move(tx, "acme", standing.CURSOR, msgspec.msgpack.encode(bad), NOW)
    monkeypatch.setattr(SelfAudit, "_tell", lambda *_: 1 / 0)
    with pytest.raises(Alarm):
        house.scheduled()
    with pytest.raises(AuditFailed):
        house.scheduled(BOLT)
    known = Tenants(versions={"acme": Version(tenant=ACME)})
    assert last_findings(house.store, known)["acme"].survivors == ("story_url:log",)


def test_of_many_tenants_those_come_first_that_waited_longest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has a bound, and everybody has a turn."""
    monkeypatch.setattr(standing, "MOST_TENANTS", 2)
    many = tuple(tenant(f"t{n}") for n in range(4))
    for _ in range(2):
        assert house.scheduled(*many)
    assert sorted(one.tenant for one in house.log.of(SelfAuditLine)) == ["t0", "t1", "t2", "t3"]


# -- what it searches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelt",
    [str.encode, str.upper, lambda v: v.encode().hex().encode(), lambda v: v.encode("utf-16-le")],
    ids=["plain", "capitals", "hex", "utf-16"],
)
@pytest.mark.parametrize("at", [0, 1 << 20, (1 << 20) - 5, (3 << 20) - 80])
def test_files_are_searched_whole(tmp_path: Path, spelt: Callable[[str], Any], at: int) -> None:
    """Also where a value stands across the border of two pieces."""
    story = tell(NOW)
    (value,) = story.values[Canary.STORY_URL]
    written = spelt(value)
    written = written.encode() if isinstance(written, str) else written
    content = bytearray(3 << 20)
    content[at : at + len(written)] = written
    (tmp_path / "file").write_bytes(content[: 3 << 20])
    found = in_files(Seeker({"acme": story}), [tmp_path / "file", tmp_path / "absent"])
    assert found.found == {("acme", Canary.STORY_URL)}
    assert (found.searched, found.left_out) == (3 << 20, 0)


def test_of_very_large_files_the_newest_part_is_searched(tmp_path: Path) -> None:
    """And how much was not is told."""
    story = tell(NOW)
    (old,), (new,) = story.values[Canary.KEPT], story.values[Canary.STORY_URL]
    (tmp_path / "log").write_bytes(new.encode())
    (tmp_path / "file").write_bytes(old.encode() + bytes(1 << 20))
    files = [tmp_path / "log", tmp_path / "file"]
    found = in_files(Seeker({"acme": story}), files, most=1 << 19)
    assert found.found == {("acme", Canary.STORY_URL)}
    assert found.searched == 1 << 19
    assert found.searched + found.left_out == sum(one.stat().st_size for one in files)


def test_the_log_remembers_its_last_lines_and_no_more(tmp_path: Path) -> None:
    """In memory, within a bound, as they were written."""
    with (tmp_path / "out").open("wb") as out:
        log = Log(out.fileno(), lambda: NOW)
        log.start()
        wide = LibraryLine(logger="x" * 4096, template="", exception="", frames=[])
        for _ in range(3 * RECENT_BYTES // 4096):
            log.emit(wide)
        log.emit(LibraryLine(logger="the last", template="", exception="", frames=[]))
        assert log.close(20)
    recent, written = log.recent(), (tmp_path / "out").read_bytes()
    assert written.endswith(recent)
    assert b"the last" in recent
    assert RECENT_BYTES // 2 < len(recent) <= RECENT_BYTES


def test_every_telling_has_values_of_its_own() -> None:
    """What one audit left is not taken for another's."""
    one, other = tell(NOW), tell(NOW)
    for canary in Canary:
        assert not set(one.values[canary]) & set(other.values[canary])
