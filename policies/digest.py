"""Which rules, tuned how, were in force: a short digest that stands on every decision (VT-0)."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from policies.rules import GATES, RULE_PACK
from policies.sms.policy import SmsPolicy
from policies.tenant import TenantPolicy
from policies.terms import TERMS_DIGEST

LENGTH: Final = 16
"""Hexadecimal characters of a digest."""


def policy_digest(policy: TenantPolicy, sms: SmsPolicy | None = None) -> str:
    """SHA-256, cut, of the canonical JSON of the effective policy, the rule pack, the rules in order, the terms.

    ``sms`` is what the tenant says about its texts, None where it sends none. What a policy lists (hosts, kinds,
    senders, words) is a set: its order makes no difference.
    """
    effective = {
        "policy": _canonical(msgspec.to_builtins(policy)),
        "sms": _canonical(msgspec.to_builtins(sms)),
    }
    rules = {gate: [rule.name for rule in table] for gate, table in GATES.items()}
    return hashlib.sha256(
        _encoded(effective | {"pack": RULE_PACK, "rules": rules, "terms": TERMS_DIGEST})
    ).hexdigest()[:LENGTH]


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        listed = {_encoded(item): item for item in map(_canonical, value)}
        return [listed[key] for key in sorted(listed)]
    return value


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")
