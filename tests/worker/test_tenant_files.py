"""Every field of a tenant's policy has limits: what a type lets through, the file's reader does not."""

from __future__ import annotations

import msgspec
import pytest

from connectors.registry import CONNECTORS
from policies.tenant import TenantPolicy
from worker.tenants.file import read_tenant

ABSURD = {bool: '"yes"', int: "-1", tuple[str, ...]: r'["\u0001"]'}
FIELDS = {
    field.name: ABSURD.get(field.type, '["no such word"]') for field in msgspec.structs.fields(TenantPolicy)
}


@pytest.mark.parametrize("name", FIELDS)
def test_no_setting_takes_an_absurd_value(name: str) -> None:
    """A rule that raises over it would withhold every message of the tenant."""
    text = f'name = "A"\n[policy]\n{name} = {FIELDS[name]}\n[connectors.x]\naccounts = ["1"]\nsigning_secrets = ["file:s"]'
    entry, problems = read_tenant("a.toml", text.encode(), CONNECTORS)
    assert entry is None
    assert [problem.key for problem in problems] == [f"policy.{name}"]
