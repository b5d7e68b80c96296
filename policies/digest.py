"""Which rules, tuned how, were in force: a short digest that stands on every decision (VT-0)."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from policies.rules import GATES, RULE_PACK
from policies.tenant import TenantPolicy

LENGTH: Final = 16
"""Hexadecimal characters of a digest."""


def policy_digest(policy: TenantPolicy) -> str:
    """SHA-256, cut, of the canonical JSON of the effective policy, the rule pack's version, the rules in order.

    Lists of hosts and kinds are sets: their order makes no difference.
    """
    effective = {
        name: sorted(set(value)) if isinstance(value, tuple) else value
        for name, value in msgspec.structs.asdict(policy).items()
    }
    rules = {gate: [rule.name for rule in table] for gate, table in GATES.items()}
    everything = {"policy": effective, "pack": RULE_PACK, "rules": rules}
    return hashlib.sha256(msgspec.json.encode(everything, order="sorted")).hexdigest()[:LENGTH]
