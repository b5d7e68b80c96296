"""What a tenant's file says about texts: everything that is wrong is named at once, and nothing that was written is repeated."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connectors.contract import (
    Connector,
    HttpAnswer,
    HttpRequest,
    Outbound,
    Sending,
    SendResult,
    Text,
    Unknown,
)
from connectors.registry import CONNECTORS
from worker.tenants.file import read_tenant
from worker.tenants.loading import Tenants, TenantSource, load_all
from worker.tenants.secrets import Secrets

SECRET_WORD = "canary4711"

GOOD = """
name = "Acme"
[connectors.carrier]
accounts = ["+12025550123", "ACME"]
signing_secrets = ["file:sign"]
[connectors.carrier.sending]
account = "A1"
token = ["file:token", "file:token.previous"]
[sms]
brands = ["Acme"]
templates = ["Your code is {digits}"]
recipient_rate = { messages = 5, seconds = 60 }
[[sms.senders]]
address = "+12025550123"
kind = "did"
owner = "Acme"
evidence = "owned"
reference = "invoice 7"
country = "US"
valid_from = 2026-01-01
valid_until = 2027-01-01T00:00:00Z
registrations = [{ registry = "10dlc", id = "C1", valid_until = 2026-12-31 }]
[[egress]]
host = "api.carrier.example"
purpose = "sms"
region = "US"
legal_basis = "standard contractual clauses"
"""


def _build(text: Text, sending: Sending) -> HttpRequest:
    return HttpRequest(method="POST", url="https://api.carrier.example/send", headers={})


def _read(answer: HttpAnswer, sending: Sending) -> SendResult:
    return Unknown()


CARRIER: Connector = msgspec.structs.replace(
    CONNECTORS["x"],
    name="carrier",
    outbound=Outbound(
        options={"account": None, "base_url": "https://api.carrier.example"},
        secrets=("token",),
        addresses=lambda sending: (sending.options["base_url"],),
        build_request=_build,
        read_result=_read,
    ),
)
TABLE = {"carrier": CARRIER}


def load(
    directory: Path, files: dict[str, str], secrets: tuple[str, ...] = ("sign", "token", "token.previous")
) -> Tenants:
    """All tenants of these files, each with these secrets."""
    tenants = directory / "tenants"
    tenants.mkdir(exist_ok=True)
    for name, text in files.items():
        (tenants / f"{name}.toml").write_text(text)
        (directory / "secrets" / name).mkdir(parents=True, exist_ok=True)
        for secret in secrets:
            (directory / "secrets" / name / secret).write_text(f"the {secret}\n")
    kept = Secrets(directory=directory / "secrets", environment={})
    return load_all(TenantSource(directory=tenants, secrets=kept, connectors=TABLE))


def test_a_tenant_that_sends_is_read_whole(tmp_path: Path) -> None:
    tenants = load(tmp_path, {"acme": GOOD})
    assert tenants.problems == ()
    tenant = tenants.versions["acme"].tenant
    assert tenant.sms is not None
    (sender,) = tenant.sms.policy.senders
    assert (sender.valid_from, sender.valid_until) == (1_767_225_600_000_000, 1_798_761_600_000_000)
    assert tenant.sms.policy.recipient_rate.messages == 5
    sending = tenant.connectors["carrier"].sending
    assert sending is not None
    assert sending.options == {"account": "A1", "base_url": "https://api.carrier.example"}
    assert sending.secrets == {"token": (b"the token", b"the token.previous")}
    assert [one.host for one in tenant.egress] == ["api.carrier.example"]


@pytest.mark.parametrize(
    ("public_url", "callback_url"),
    [("https://hooks.example.org", "https://hooks.example.org/webhooks/acme/carrier"), ("", "")],
)
def test_reports_are_asked_for_at_the_public_address(
    tmp_path: Path, public_url: str, callback_url: str
) -> None:
    """Of this connector's webhook; where nobody configured one, a provider is given none."""
    load(tmp_path, {"acme": GOOD})
    source = TenantSource(
        directory=tmp_path / "tenants",
        secrets=Secrets(directory=tmp_path / "secrets", environment={}),
        connectors=TABLE,
        public_url=public_url,
    )
    sending = load_all(source).versions["acme"].tenant.connectors["carrier"].sending
    assert sending is not None
    assert sending.callback_url == callback_url


def test_the_policy_digest_follows_what_a_tenant_says_about_its_texts(tmp_path: Path) -> None:
    """It stands on every decision."""
    digests = [
        load(tmp_path, {"acme": text}).versions["acme"].tenant.policy_digest
        for text in (GOOD, GOOD + "\n# a remark\n", GOOD.replace("messages = 5", "messages = 6"))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('kind = "did"', f'kind = "{SECRET_WORD}"', "sms.senders[0].kind"),
        ('evidence = "owned"\n', "", "sms.senders[0].evidence"),
        ('country = "US"', 'country = "FR"', "sms.senders[0]"),
        ('owner = "Acme"', 'owner = " "', "sms.senders[0]"),
        ("valid_from = 2026-01-01", f'valid_from = "{SECRET_WORD}"', "sms.senders[0].valid_from"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01T00:00:00", "sms.senders[0].valid_from"),
        ("valid_from = 2026-01-01", "valid_from = 2028-01-01", "sms.senders[0]"),
        ('registry = "10dlc"', f'registry = "{SECRET_WORD}"', "sms.senders[0].registrations[0].registry"),
        ('brands = ["Acme"]', "brands = [1]", "sms.brands[0]"),
        ('brands = ["Acme"]', f'brand = ["{SECRET_WORD}"]', "sms.brand"),
        ("messages = 5", "messages = 0", "sms.recipient_rate"),
        ("messages = 5", 'messages = "many"', "sms.recipient_rate.messages"),
        ("{digits}", "{" + SECRET_WORD + "}", "sms.templates[0]"),
        (
            'templates = ["Your',
            'screening = { deny_patterns = ["(' + SECRET_WORD + '"] }\n# ["',
            "sms.screening",
        ),
        ('templates = ["Your', f'shadow = ["burst", "{SECRET_WORD}"]\n# ["', "sms.shadow[1]"),
        ('templates = ["Your', 'shadow = ["opted_out"]\n# ["', "sms.shadow[0]"),
        ('templates = ["Your', 'screening = { shadow = ["view_once"] }\n# ["', "sms.screening"),
        ('account = "A1"\n', "", "connectors.carrier.sending.account"),
        ('account = "A1"', f'acount = "{SECRET_WORD}"', "connectors.carrier.sending.acount"),
        ('["file:token", "file:token.previous"]', "[]", "connectors.carrier.sending.token"),
        (
            '["file:token", "file:token.previous"]',
            f'["{SECRET_WORD}"]',
            "connectors.carrier.sending.token[0]",
        ),
        ('accounts = ["+12025550123", "ACME"]', 'accounts = ["ACME"]', "sms.senders[0].address"),
        ('host = "api.carrier.example"', f'host = "https://{SECRET_WORD}/"', "egress[0]"),
        ('region = "US"', 'region = ""', "egress[0]"),
        ('legal_basis = "standard contractual clauses"\n', "", "egress[0].legal_basis"),
    ],
)
def test_what_is_wrong_is_named_by_its_place_and_never_repeated(before: str, after: str, key: str) -> None:
    assert before in GOOD
    entry, problems = read_tenant("acme.toml", GOOD.replace(before, after, 1).encode(), TABLE)
    assert entry is None
    assert key in [problem.key for problem in problems]
    if SECRET_WORD in after.replace(key.rpartition(".")[2], ""):
        assert SECRET_WORD not in "".join(problem.expected for problem in problems)


def test_every_field_that_is_missing_is_named_at_once() -> None:
    bad = (
        GOOD.replace('kind = "did"\n', "").replace('evidence = "owned"\n', "").replace('country = "US"\n', "")
    )
    _, problems = read_tenant("acme.toml", bad.encode(), TABLE)
    told = {problem.key: problem.expected for problem in problems}
    assert told.keys() == {f"sms.senders[0].{name}" for name in ("kind", "evidence", "country")}
    assert told["sms.senders[0].kind"].startswith("one of: did")


def test_every_error_of_a_file_is_named_at_once() -> None:
    bad = (
        GOOD.replace('kind = "did"', 'kind = "no"')
        .replace("messages = 5", "messages = 0")
        .replace('region = "US"\n', "")
    )
    _, problems = read_tenant("acme.toml", bad.encode(), TABLE)
    assert {"sms.senders[0].kind", "sms.recipient_rate", "egress[0].region"} <= {one.key for one in problems}


@pytest.mark.parametrize(
    ("files", "secrets"),
    [
        ({"acme": GOOD.replace("api.carrier.example", "other.example")}, ("sign", "token", "token.previous")),
        ({"acme": GOOD}, ("sign", "token")),
    ],
)
def test_who_cannot_send_still_receives(
    tmp_path: Path, files: dict[str, str], secrets: tuple[str, ...]
) -> None:
    """PP-5: a destination that nobody declared is not sent to."""
    tenants = load(tmp_path, files, secrets)
    version = tenants.versions["acme"]
    assert version.not_sending == {"carrier"}
    assert version.tenant.connectors["carrier"].sending is None
    assert len(tenants.problems) == 1


def test_a_secret_that_vanishes_stops_nobody_who_sends(tmp_path: Path) -> None:
    first = load(tmp_path, {"acme": GOOD})
    (tmp_path / "secrets" / "acme" / "token").unlink()
    kept = Secrets(directory=tmp_path / "secrets", environment={})
    again = load_all(TenantSource(directory=tmp_path / "tenants", secrets=kept, connectors=TABLE), first)
    assert again.versions["acme"].tenant.connectors["carrier"].sending is not None
    assert again.problems


def test_tenants_know_the_names_of_all_others_and_not_their_own(tmp_path: Path) -> None:
    other = GOOD.replace('"Acme"', '"Bolt"').replace("+12025550123", "+12025550199").replace(', "ACME"', "")
    tenants = load(tmp_path, {"acme": GOOD, "bolt": other})
    registers = {
        id_: version.tenant.sms.register.others
        for id_, version in tenants.versions.items()
        if version.tenant.sms
    }
    assert registers == {"acme": {"Bolt"}, "bolt": {"Acme"}}
