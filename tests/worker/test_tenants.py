"""Tenant files and their secrets: loaded whole or refused whole, and never a value in what is said about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import meta
from connectors.contract import Connector, WebhookAnswer, WebhookRequest
from policies.event import Event
from policies.message import Channel
from policies.tenant import TenantPolicy
from worker.tenants.file import Problem, read_tenant
from worker.tenants.loading import NOBODY, Tenants, TenantsInForce, TenantSource, load_all
from worker.tenants.secrets import SecretRefused, Secrets


def _parse(_payload: object, _now: int) -> Iterator[Event]:
    return iter(())


def _handshake(_request: WebhookRequest, _credentials: object) -> WebhookAnswer | None:
    return None


def _connector(name: str, *needs: str) -> Connector:
    return Connector(
        name=name,
        channel=Channel(name),
        handshake=_handshake,
        verify=meta.verify,
        parse=_parse,
        signature_headers=(meta.SIGNATURE_HEADER,),
        sample_signature=meta.sample_signature,
        needs=needs,
    )


CONNECTORS: Mapping[str, Connector] = {
    "whatsapp": _connector("whatsapp", "signing_secrets", "verify_tokens"),
    "x": _connector("x", "signing_secrets"),
}

ACME = """
name = "Acme"
[connectors.whatsapp]
accounts = ["111", "222"]
signing_secrets = ["file:app", "file:app.previous"]
verify_tokens = ["file:token"]
[connectors.x]
accounts = ["333"]
signing_secrets = ["env:SLUICEGATE_SECRET_X"]
"""
SECRETS = {"app": b"current\n", "app.previous": b"previous", "token": b"token\n"}


class House:
    """A directory of tenants and one of secrets."""

    def __init__(self, root: Path) -> None:
        self.tenants = root / "tenants"
        self.secrets = root / "secrets"
        self.tenants.mkdir()
        self.secrets.mkdir()
        self.environment = {"SLUICEGATE_SECRET_X": "consumer"}

    def tenant(self, id_: str, text: str, secrets: Mapping[str, bytes] = SECRETS) -> None:
        (self.tenants / f"{id_}.toml").write_text(text)
        folder = self.secrets / id_
        folder.mkdir(exist_ok=True)
        for name, value in secrets.items():
            (folder / name).write_bytes(value)

    @property
    def source(self) -> TenantSource:
        secrets = Secrets(directory=self.secrets, environment=self.environment)
        return TenantSource(directory=self.tenants, secrets=secrets, connectors=CONNECTORS)

    def load(self, previous: Tenants = NOBODY) -> Tenants:
        return load_all(self.source, previous)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_good_file_is_loaded_with_its_rings_in_order(house: House) -> None:
    """Current secrets come first; one trailing newline is not part of a secret; defaults are filled in."""
    house.tenant("acme", ACME)
    tenants = house.load()
    assert not tenants.problems
    acme = tenants.versions["acme"].tenant
    assert (acme.id, acme.name, acme.policy) == ("acme", "Acme", TenantPolicy())
    assert acme.connectors["whatsapp"].accounts == {"111", "222"}
    assert acme.connectors["whatsapp"].credentials.signing_secrets == (b"current", b"previous")
    assert acme.connectors["whatsapp"].credentials.verify_tokens == (b"token",)
    assert acme.connectors["x"].credentials.signing_secrets == (b"consumer",)


WRONG = [
    ("a b = 1", "", "not TOML (at line 1"),
    ("name = ", "", "not TOML (at end of document)"),
    ("nom = 1", "nom", "a key that is one of"),
    ("", "name", 'a name, such as "Acme"'),
    ('name = "a\\u0000b"', "name", 'a name, such as "Acme"'),
    ('name = "A"', "connectors", "a table [connectors]"),
    ('name = "A"\n[connectors]', "connectors", "a table [connectors]"),
    ('name = "A"\nconnectors = 3', "connectors", "a table [connectors]"),
    ('name = "A"\npolicy = 3', "policy", "a table [policy]"),
    ('name = "A"\n[connectors.fax]\naccounts=["1"]', "connectors.fax", "one of: whatsapp, x"),
    ('name = "A"\n[connectors.x]\naccount=["1"]', "connectors.x.account", "a key that is one of"),
    ('name = "A"\n[connectors.x]\naccounts=["1"]', "connectors.x.signing_secrets", "at least one"),
    ('name = "A"\n[connectors.x]\naccounts=[]', "connectors.x.accounts", "account ids"),
    ('name = "A"\n[connectors.x]\naccounts=[1]', "connectors.x.accounts", "account ids"),
    ('name = "A"\n[connectors.x]\naccounts=["1","1"]', "connectors.x.accounts", "each once"),
    (
        'name = "A"\n[connectors.x]\nsigning_secrets=["s3cr3t"]',
        "connectors.x.signing_secrets[0]",
        "file:<name>",
    ),
    ('name = "A"\n[connectors.x]\nsigning_secrets=["file:../a"]', "connectors.x.signing_secrets[0]", "file:"),
    (
        'name = "A"\n[connectors.x]\nsigning_secrets=["file:/etc/a"]',
        "connectors.x.signing_secrets[0]",
        "file:",
    ),
    ('name = "A"\n[connectors.x]\nsigning_secrets=["file:.a"]', "connectors.x.signing_secrets[0]", "file:"),
    ('name = "A"\n[connectors.x]\nsigning_secrets=["env:PATH"]', "connectors.x.signing_secrets[0]", "env:"),
    ('name = "A"\n[connectors.x]\nsigning_secrets=[7]', "connectors.x.signing_secrets[0]", "file:<name>"),
    ('name = "A"\n[policy]\nrecord_standby="no"', "policy.record_standby", "true or false"),
    ('name = "A"\n[policy]\noldest_days="7"', "policy.oldest_days", "a whole number"),
    ('name = "A"\n[policy]\noldest_days=0', "policy.oldest_days", "1 or more"),
    ('name = "A"\n[policy]\nremove_hosts=["Example.org"]', "policy.remove_hosts", "lower case"),
    ('name = "A"\n[policy]\nremove_hosts=["*"]', "policy.remove_hosts", "registrable"),
    ('name = "A"\n[policy]\nnever_record_kinds=["gossip"]', "policy.never_record_kinds", "story_mention"),
    ('name = "A"\n[policy]\nrecord_cdn=true', "policy.record_cdn", "a key that is one of"),
]


@pytest.mark.parametrize(("text", "key", "expected"), WRONG)
def test_a_wrong_file_is_refused_with_its_key_and_what_was_expected(
    text: str, key: str, expected: str
) -> None:
    """The message names file, key and expectation; it never repeats the value."""
    entry, problems = read_tenant("acme.toml", text.encode(), CONNECTORS)
    found = [problem for problem in problems if problem.key == key]
    assert entry is None
    assert len(found) == 1
    assert expected in found[0].expected
    assert str(found[0]).startswith("acme.toml: ")
    assert "s3cr3t" not in str(problems)


def test_every_error_of_every_file_is_named_at_once(house: House) -> None:
    """Nobody mends one error to be told the next."""
    house.tenant("one", 'nom = "A"\n[policy]\noldest_days = 0\n[connectors.fax]\naccounts = ["1"]')
    house.tenant("two", "=")
    house.tenant("UPPER", ACME)
    problems = house.load().problems
    assert {(problem.file, problem.key) for problem in problems} == {
        ("one.toml", "nom"),
        ("one.toml", "name"),
        ("one.toml", "policy.oldest_days"),
        ("one.toml", "connectors.fax"),
        ("two.toml", ""),
        ("UPPER.toml", ""),
    }


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_file_whatever_is_in_it_raises(text: bytes) -> None:
    """A tenant file is refused or read; nothing else happens."""
    entry, problems = read_tenant("acme.toml", text, CONNECTORS)
    assert (entry is None) == bool(problems)


def test_a_deeply_nested_file_is_refused() -> None:
    """The TOML parser recurses; what is too deep is not TOML to us."""
    entry, problems = read_tenant("acme.toml", b"a = " + b"[" * 5000, CONNECTORS)
    assert entry is None
    assert problems[0].expected.startswith("not TOML")


def test_a_bad_file_at_the_first_start_refuses_that_tenant_and_no_other(house: House) -> None:
    """The others serve; the refused one is known, so that its platforms are told to come back."""
    house.tenant("acme", ACME)
    house.tenant("broken", "name =")
    tenants = house.load()
    assert set(tenants.versions) == {"acme"}
    assert tenants.refused == {"broken"}


def test_a_bad_file_on_reload_keeps_the_previous_version(house: House) -> None:
    """An operator's slip does not take a tenant out of service."""
    house.tenant("acme", ACME)
    before = house.load()
    house.tenant("acme", ACME.replace("Acme", "New") + "\nsurprise = 1")
    after = house.load(before)
    assert after.versions == before.versions
    assert after.problems


def test_a_removed_file_removes_the_tenant(house: House) -> None:
    """Taking the file away is how a tenant is taken away."""
    house.tenant("acme", ACME)
    before = house.load()
    (house.tenants / "acme.toml").unlink()
    assert house.load(before) == Tenants()


def test_an_unreadable_directory_keeps_everything(house: House) -> None:
    """A mount that is gone for a moment does not remove every tenant."""
    house.tenant("acme", ACME)
    before = house.load()
    for path in house.tenants.iterdir():
        path.unlink()
    house.tenants.rmdir()
    after = house.load(before)
    assert after.versions == before.versions
    assert len(after.problems) == 1


def test_a_file_that_cannot_be_read_concerns_its_tenant_alone(house: House) -> None:
    """It is not taken for a tenant that was removed; the others are loaded, and it keeps what it had."""
    house.tenant("acme", ACME)
    house.tenant("two", X_ONLY.format('"8"'))
    before = house.load()
    (house.tenants / "two.toml").unlink()
    (house.tenants / "two.toml").symlink_to("nowhere")
    assert house.load(before).versions == before.versions
    fresh = house.load()
    assert set(fresh.versions) == {"acme"}
    assert fresh.refused == {"two"}
    assert str(fresh.problems[0]) == "two.toml: expected a file that can be read"
    house.source.digest()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/proc/self/mem")])
def test_what_is_no_file_is_neither_waited_for_nor_taken_for_a_removed_tenant(
    make: Callable[[Path], None], house: House
) -> None:
    """A pipe, a directory, a file whose content the system refuses, and a link to a pipe."""
    house.tenant("acme", ACME)
    house.tenant("two", X_ONLY.format('"8"'))
    before = house.load()
    (house.tenants / "two.toml").rename(house.tenants / "two")
    make(house.tenants / "two.toml")
    (house.tenants / "three.toml").symlink_to("two.toml")
    after = house.load(before)
    assert (after.versions, after.refused) == (before.versions, frozenset({"three"}))


ENDLESS_KEYS = {
    "bare": b"a." * 500_000 + b"a = 1",
    "quoted": b'"a b" . ' * 100_000 + b"a = 1",
    "literal": b"''." * 300_000 + b"a = 1",
    "table": b"[" + b"a." * 500_000 + b"a]",
    "inline": b"a = {" + b"a\t.\t" * 200_000 + b"a = 1}",
    "one long part": b"a" * 1_000_000 + b" = 1",
    "many short keys": b"a.b.c = 1\n" * 100_000,
    "quotes without an end": b"'\"" * 500_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ENDLESS_KEYS.values(), ids=ENDLESS_KEYS.keys())
def test_a_file_of_endless_keys_takes_no_time(text: bytes) -> None:
    """The parser would work on it for hours, and every tenant's reload would wait."""
    assert read_tenant("acme.toml", text, CONNECTORS)[0] is None


def test_a_missing_secret_refuses_to_start_that_connector_and_says_so(house: House) -> None:
    """The tenant's other connectors serve."""
    house.tenant("acme", ACME)
    (house.secrets / "acme" / "token").unlink()
    tenants = house.load()
    version = tenants.versions["acme"]
    assert set(version.tenant.connectors) == {"x"}
    assert version.out_of_service == {"whatsapp"}
    assert str(tenants.problems[0]) == (
        "acme.toml: connectors.whatsapp.verify_tokens[0] (file:token): expected a file of this name in the"
        " tenant's secrets directory"
    )


def test_a_secret_that_vanishes_does_not_stop_a_running_connector(house: House) -> None:
    """On reload a missing secret is like a bad file: the previous version stays, whole."""
    house.tenant("acme", ACME)
    before = house.load()
    (house.secrets / "acme" / "token").unlink()
    house.tenant("acme", ACME.replace("Acme", "New"), {})
    after = house.load(before)
    assert after.versions == before.versions
    assert after.problems


def test_a_connector_that_never_started_does_not_hold_back_the_others(house: House) -> None:
    """With one connector out of service since the start, changes to the rest still come into force."""
    house.tenant("acme", ACME)
    (house.secrets / "acme" / "token").unlink()
    before = house.load()
    house.tenant("acme", ACME.replace("Acme", "New"), {})
    assert house.load(before).versions["acme"].tenant.name == "New"


X_ONLY = 'name = "N"\n[connectors.x]\naccounts = [{}]\nsigning_secrets = ["env:SLUICEGATE_SECRET_X"]'


def _owners(tenants: Tenants) -> dict[str, set[str]]:
    return {id_: set(version.tenant.connectors["x"].accounts) for id_, version in tenants.versions.items()}


def test_two_newcomers_with_one_account_are_both_refused(house: House) -> None:
    """Nobody can tell whose it is."""
    house.tenant("one", X_ONLY.format('"7", "8"'))
    house.tenant("two", X_ONLY.format('"8"'))
    house.tenant("three", X_ONLY.format('"9"'))
    tenants = house.load()
    assert _owners(tenants) == {"three": {"9"}}
    assert tenants.refused == {"one", "two"}
    assert {problem.file for problem in tenants.problems} == {"one.toml", "two.toml"}


def test_who_has_an_account_keeps_it(house: House) -> None:
    """A file that claims another tenant's account is refused; the owner, even when changed, is not."""
    house.tenant("one", X_ONLY.format('"7"'))
    house.tenant("two", X_ONLY.format('"8"'))
    before = house.load()
    house.tenant("one", X_ONLY.format('"7", "1"'))
    house.tenant("two", X_ONLY.format('"8", "7"'))
    after = house.load(before)
    assert _owners(after) == {"one": {"7", "1"}, "two": {"8"}}
    assert [problem.file for problem in after.problems] == ["two.toml"]


def test_an_account_can_move_in_one_reload(house: House) -> None:
    """What counts is what the files say together."""
    house.tenant("one", X_ONLY.format('"7", "8"'))
    house.tenant("two", X_ONLY.format('"9"'))
    before = house.load()
    house.tenant("one", X_ONLY.format('"8"'))
    house.tenant("two", X_ONLY.format('"9", "7"'))
    assert _owners(house.load(before)) == {"one": {"8"}, "two": {"9", "7"}}


def test_an_account_of_a_tenant_whose_new_file_is_bad_is_still_its_own(house: House) -> None:
    """The version that stays in force keeps its accounts."""
    house.tenant("one", X_ONLY.format('"7"'))
    house.tenant("two", X_ONLY.format('"8"'))
    before = house.load()
    house.tenant("one", "bad")
    house.tenant("two", X_ONLY.format('"7"'))
    assert _owners(house.load(before)) == {"one": {"7"}, "two": {"8"}}


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["one", "two", "three"]),
            st.frozensets(st.sampled_from("123"), min_size=1),
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_sequence_of_reloads_gives_one_account_to_two_tenants(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, frozenset[str]]]
) -> None:
    """Whatever files come and go, at every moment an account has one owner at most."""
    house = House(tmp_path_factory.mktemp("house"))
    tenants = NOBODY
    for step in steps:
        for path in house.tenants.iterdir():
            path.unlink()
        for id_, accounts in step.items():
            house.tenant(id_, X_ONLY.format(", ".join(f'"{account}"' for account in sorted(accounts))), {})
        tenants = house.load(tenants)
        owned = [account for accounts in _owners(tenants).values() for account in accounts]
        assert len(owned) == len(set(owned))
        assert set(tenants.versions) | tenants.refused == set(step)


def _symlink_to_another_tenant(folder: Path) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "app").write_bytes(b"theirs")
    (folder / "app").symlink_to("../other/app")


def _symlink_within(folder: Path) -> None:
    (folder / "real").write_bytes(b"value")
    (folder / "app").symlink_to("real")


def _linked_directory(folder: Path) -> None:
    folder.rmdir()
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "app").write_bytes(b"theirs")
    folder.symlink_to("other")


def _kubernetes_that_leaves(folder: Path) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "app").write_bytes(b"theirs")
    (folder / "..data").symlink_to("../other")
    (folder / "app").symlink_to("..data/app")


def _kubernetes_link_in_the_version(folder: Path) -> None:
    (folder / "..v1").mkdir()
    (folder / "..v1" / "app").symlink_to("/etc/hostname")
    (folder / "..data").symlink_to("..v1")
    (folder / "app").symlink_to("..data/app")


def _absent(_folder: Path) -> None:
    pass


def _directory(folder: Path) -> None:
    (folder / "app").mkdir()


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / "app")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_absent, "a file of this name"),
        (_directory, "a regular file"),
        (_fifo, "a regular file"),
        (_symlink_to_another_tenant, "no link"),
        (_symlink_within, "no link"),
        (_linked_directory, "no link"),
        (_kubernetes_that_leaves, "no link"),
        (_kubernetes_link_in_the_version, "no link"),
    ],
)
def test_a_secret_is_a_regular_file_in_the_tenants_own_directory(
    make: Callable[[Path], object], expected: str, house: House
) -> None:
    """Links lead nowhere, whatever they point to, and another tenant's secret is never read."""
    folder = house.secrets / "acme"
    folder.mkdir()
    make(folder)
    with pytest.raises(SecretRefused, match=expected):
        house.source.secrets.resolve("acme", "file:app")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "not empty"),
        (b"\n", "not empty"),
        (b"hush\nhush", "one line"),
        (b"hush\n\n", "one line"),
        (b"hush\r\n", "one line"),
        (b"hu\0sh", "one line"),
        (b"hush" * 1025, "at most 4096"),
    ],
)
def test_an_unusable_secret_is_refused_without_its_value(value: bytes, expected: str, house: House) -> None:
    """Empty, of several lines, too long: said plainly, never shown."""
    house.tenant("acme", ACME, {"app": value})
    with pytest.raises(SecretRefused, match=expected) as refused:
        house.source.secrets.resolve("acme", "file:app")
    assert "hush" not in str(refused.value)


def test_a_secret_mounted_by_kubernetes_is_read_and_its_rotation_noticed(house: House) -> None:
    """A mounted secret is a link to a link in the same directory; swapping the inner one rotates it."""
    folder = house.secrets / "acme"
    for version in ("..2026_1", "..2026_2"):
        (folder / version).mkdir(parents=True)
        (folder / version / "app").write_text(version)
    (folder / "..data").symlink_to("..2026_1")
    (folder / "app").symlink_to("..data/app")
    (house.tenants / "acme.toml").write_text("")
    assert house.source.secrets.resolve("acme", "file:app") == b"..2026_1"
    before = house.source.digest()
    (folder / "..data_tmp").symlink_to("..2026_2")
    (folder / "..data_tmp").rename(folder / "..data")
    assert house.source.secrets.resolve("acme", "file:app") == b"..2026_2"
    assert house.source.digest() != before


def test_the_environment_is_that_of_the_start() -> None:
    """A variable that is absent is named as such."""
    secrets = Secrets(directory=Path("/nonexistent"), environment={"SLUICEGATE_SECRET_A": "one"})
    assert secrets.resolve("acme", "env:SLUICEGATE_SECRET_A") == b"one"
    with pytest.raises(SecretRefused, match="in the environment of the start"):
        secrets.resolve("acme", "env:SLUICEGATE_SECRET_B")


def test_values_never_show(house: House) -> None:
    """Neither a tenant nor its credentials print what they hold."""
    house.tenant("acme", ACME)
    tenants = house.load()
    shown = repr(tenants) + repr(tenants.versions["acme"].tenant.connectors) + repr(house.source)
    assert "current" not in shown
    assert "consumer" not in shown


def test_the_policy_digest_follows_the_effective_policy(house: House) -> None:
    """A default written out changes nothing; a stricter setting does."""
    digests = []
    for policy in ("", "[policy]\noldest_days = 3650", "[policy]\nrecord_profiles = false"):
        house.tenant("acme", ACME + policy)
        digests.append(house.load().versions["acme"].tenant.policy_digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_reload_happens_when_a_file_or_a_secret_changed(house: House) -> None:
    """Nothing is loaded again without a reason; a rotation of a secret is a reason."""
    loads: list[Tenants] = []
    in_force = TenantsInForce(house.source, loads.append)
    house.tenant("acme", ACME)
    assert in_force.reload()
    assert not in_force.reload()
    (house.secrets / "acme" / "app").write_bytes(b"rotated")
    assert in_force.reload()
    assert (
        in_force.current.versions["acme"].tenant.connectors["whatsapp"].credentials.signing_secrets[0]
        == b"rotated"
    )
    house.tenant("acme", ACME.replace("Acme", "New"), {})
    assert in_force.reload()
    assert in_force.reload(forced=True)
    assert len(loads) == 4


def test_problems_sort_and_read_as_sentences() -> None:
    """An operator reads file, key and expectation in one line."""
    problem = Problem(file="a.toml", key="name", expected='a name, such as "Acme"')
    assert str(problem) == 'a.toml: name: expected a name, such as "Acme"'
