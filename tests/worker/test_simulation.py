"""Trying another policy: what would change is counted in words, nothing is changed, and no content is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from policies.message import Direction, MessageKind
from policies.tenant import TenantPolicy
from tests.databases import Databases
from tests.flows.dump import dump
from tests.flows.harness import NOW, Replica, message, replicas, tenant, unsend
from worker.simulation import Judgement, differences, simulate
from worker.stored import stored_messages
from worker.tenants.loading import Tenant

ACME: Final = tenant()
CANARY: Final = "canary8821"


@pytest.fixture
def replica(databases: Databases) -> Iterator[Replica]:
    """A replica over a fresh store."""
    with replicas(databases) as [opened]:
        yield opened


def trying(
    replica: Replica, after: Tenant, before: Tenant = ACME
) -> list[tuple[str, Judgement, Judgement, int]]:
    """What would change."""
    with replica.store.reading() as tx:
        found = simulate(tx, replica.keyring, before, after, NOW)
    assert CANARY not in msgspec.json.encode(found).decode()
    return [(change.channel, change.before, change.after, count) for change, count in found.changes]


def test_what_would_be_dropped_is_counted_by_reason(replica: Replica) -> None:
    replica.tell(
        ACME,
        *(message(f"m{number}", CANARY) for number in range(3)),
        message("i", CANARY, kind=MessageKind.LOCATION),
    )
    stricter = tenant(never_record_kinds=(MessageKind.LOCATION,))
    assert trying(replica, stricter) == [
        ("whatsapp", Judgement("allowed"), Judgement("dropped", ("tenant_kind",)), 1)
    ]


def test_the_same_policy_changes_nothing(replica: Replica) -> None:
    replica.tell(ACME, message("m1", CANARY))
    assert trying(replica, ACME) == []


def test_what_would_be_amended_is_told(replica: Replica) -> None:
    replica.tell(ACME, message("m1", f"see https://pictures.example.org/{CANARY}", profile={"name": CANARY}))
    stricter = tenant(remove_hosts=("example.org",), record_profiles=False)
    ((channel, before, after, count),) = trying(replica, stricter)
    assert (channel, before, count) == ("whatsapp", Judgement("allowed"), 1)
    assert after == Judgement("amended", ("tenant_host", "tenant_profile"))


def test_nothing_is_changed_by_trying(replica: Replica) -> None:
    replica.tell(ACME, message("m1", CANARY))
    before = dump(replica.store, replica.keyring, "acme", ["m1"])
    trying(replica, tenant(never_record_kinds=tuple(MessageKind)))
    assert dump(replica.store, replica.keyring, "acme", ["m1"]) == before


def test_what_is_gone_and_what_is_another_tenants_is_not_judged(replica: Replica) -> None:
    replica.tell(ACME, message("m1", CANARY), message("m2", CANARY))
    replica.tell(ACME, unsend("m2"))
    replica.tell(tenant("globex"), message("m3", CANARY))
    with replica.store.reading() as tx:
        found = list(stored_messages(tx, replica.keyring, "acme"))
        assert simulate(tx, replica.keyring, ACME, ACME, NOW).messages == 1
    assert [(one.message.id, one.message.content.text, one.message.direction) for one in found] == [
        ("m1", CANARY, Direction.INBOUND)
    ]
    assert [one.value for one in found[0].message.person] == ["15550123"]


def test_every_page_of_a_long_conversation_is_read(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.stored._PAGE", 7)
    replica.tell(ACME, *(message(f"m{number}") for number in range(30)))
    with replica.store.reading() as tx:
        assert len({one.key for one in stored_messages(tx, replica.keyring, "acme")}) == 30


def test_settings_that_differ_are_named() -> None:
    assert differences(ACME, ACME) == []
    assert differences(ACME, tenant(oldest_days=7)) == [("policy.oldest_days", TenantPolicy().oldest_days, 7)]
