"""``[connectors.<name>.reconcile]``: what a tenant has to say so that its platforms are asked, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import CONNECTORS
from worker.tenants.loading import Tenants, TenantSource, load_all
from worker.tenants.secrets import Secrets

FILE = """
name = "A"
[connectors.instagram]
accounts = {accounts}
signing_secrets = ["file:s"]
verify_tokens = ["file:s"]
[connectors.instagram.reconcile]
access_token = ["file:token"]
{instagram}
[connectors.x]
accounts = ["4401"]
signing_secrets = ["file:s"]
[connectors.x.reconcile]
bearer_token = ["file:token"]
{x}
{egress}
"""
EGRESS = """
[[egress]]
host = "{host}"
purpose = "reconciliation"
region = "US"
legal_basis = "contract"
"""
HOSTS = ("graph.instagram.com", "api.x.com", "storage.googleapis.com")
DECLARED = "".join(EGRESS.format(host=host) for host in HOSTS)
NOT_DECLARED = "every host that it sends to in an [[egress]] table of this file"


def load(
    directory: Path,
    *,
    accounts: str = '["3301"]',
    instagram: str = "",
    x: str = "",
    egress: str = DECLARED,
    secrets: str = "s token",
) -> Tenants:
    (directory / "secrets" / "a").mkdir(parents=True)
    (directory / "tenants").mkdir()
    for name in secrets.split():
        (directory / "secrets" / "a" / name).write_text("invented")
    text = FILE.format(accounts=accounts, instagram=instagram, x=x, egress=egress)
    (directory / "tenants" / "a.toml").write_text(text)
    kept = Secrets(directory=directory / "secrets", environment={})
    return load_all(TenantSource(directory=directory / "tenants", secrets=kept, connectors=CONNECTORS))


def test_what_is_right_is_in_force(tmp_path: Path) -> None:
    """With its defaults, its secrets, and its declared hosts."""
    tenants = load(tmp_path, instagram='days = "7"', x='hours = "1"')
    assert tenants.problems == ()
    connectors = tenants.versions["a"].tenant.connectors
    instagram, x = connectors["instagram"].reconcile, connectors["x"].reconcile
    assert instagram is not None
    assert x is not None
    assert (instagram.options["days"], instagram.options["version"]) == ("7", "v26.0")
    assert instagram.secrets == {"access_token": (b"invented",)}
    assert (x.options["hours"], x.options["base_url"]) == ("1", "https://api.x.com")


@pytest.mark.parametrize(
    ("which", "option", "expected"),
    [
        ("instagram", 'days = "0"', "days as a whole number from 1 to 3650"),
        ("instagram", 'days = "soon"', "days as a whole number from 1 to 3650"),
        ("instagram", 'calls = "29"', "calls as a whole number from 30 to 100000"),
        ("instagram", 'base_url = "http://graph.instagram.com"', "base_url as https://host"),
        ("instagram", 'base_url = "https://user@graph.instagram.com"', "base_url as https://host"),
        ("instagram", 'debug_url = "https://graph.instagram.com"', "app_token beside debug_url"),
        (
            "instagram",
            'debug_url = "https://graph.facebook.com"\napp_token = ["file:token"]',
            NOT_DECLARED,
        ),
        ("instagram", 'base_url = "https://elsewhere.example"', NOT_DECLARED),
        ("x", 'batch = "5001"', "batch as a whole number from 1 to 5000"),
        ("x", 'storage_url = "https://elsewhere.example"', NOT_DECLARED),
        ("x", 'pace_ms = "-1"', "pace_ms as a whole number from 0 to 60000"),
    ],
)
def test_what_is_wrong_is_told_and_the_connector_serves_all_the_same(
    tmp_path: Path, which: str, option: str, expected: str
) -> None:
    """Deliveries are taken; only the platform is not asked."""
    tenants = load(tmp_path, **{which: option})
    (problem,) = tenants.problems
    assert (problem.key, problem.expected) == (f"connectors.{which}.reconcile", expected)
    version = tenants.versions["a"]
    assert version.out_of_service == frozenset()
    assert version.tenant.connectors[which].reconcile is None


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"instagram": "days = 7"}, "connectors.instagram.reconcile.days"),
        ({"instagram": 'surprise = "x"'}, "connectors.instagram.reconcile.surprise"),
        ({"x": 'app_token = ["file:token"]'}, "connectors.x.reconcile.app_token"),
        ({"instagram": 'account = "3302"'}, "connectors.instagram.reconcile.account"),
        ({"accounts": '["3301", "3302"]'}, "connectors.instagram.reconcile.account"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, given: dict[str, str], key: str) -> None:
    """As with every other key; of several accounts one has to be named."""
    tenants = load(tmp_path, **given)
    assert [problem.key for problem in tenants.problems] == [key]
    assert tenants.refused == {"a"}


def test_of_several_accounts_one_is_named(tmp_path: Path) -> None:
    """The token is that account's."""
    tenants = load(tmp_path, accounts='["3301", "3302"]', instagram='account = "3302"')
    assert tenants.problems == ()


def test_a_secret_that_is_missing_is_told(tmp_path: Path) -> None:
    """By its reference; nothing is asked, everything is taken."""
    tenants = load(tmp_path, secrets="s")
    assert [problem.key for problem in tenants.problems] == [
        "connectors.instagram.reconcile.access_token[0] (file:token)",
        "connectors.x.reconcile.bearer_token[0] (file:token)",
    ]
    assert set(tenants.versions["a"].tenant.connectors) == {"instagram", "x"}
