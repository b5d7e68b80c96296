"""The digest names the policy in force: equal for equal policies, different for different ones."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from policies import digest
from policies.digest import policy_digest
from policies.message import MessageKind
from policies.rules import GATES
from policies.screening.action import Action
from policies.screening.context import ScreeningTuning
from policies.sms.policy import Scope, SmsPolicy
from policies.sms.traffic import Rate
from policies.tenant import TenantPolicy
from policies.verdict import ReasonCode
from tests.policies.strategies import policies
from tests.policies.texts import POLICY

TUNED = (
    TenantPolicy(remove_hosts=("example.org",)),
    TenantPolicy(never_record_kinds=(MessageKind.LOCATION,)),
    TenantPolicy(record_standby=False),
    TenantPolicy(record_history=False),
    TenantPolicy(record_profiles=False),
    TenantPolicy(record_media_references=False),
    TenantPolicy(oldest_days=1),
)
"""One field of each differs from its default."""


def test_it_is_short_and_hexadecimal() -> None:
    """Sixteen characters, the same every time."""
    value = policy_digest(TenantPolicy())
    assert len(value) == digest.LENGTH == 16
    assert set(value) <= set("0123456789abcdef")
    assert value == policy_digest(TenantPolicy(record_standby=True))


@pytest.mark.parametrize("policy", TUNED)
def test_every_setting_counts(policy: TenantPolicy) -> None:
    """One field that differs makes another digest."""
    assert policy_digest(policy) != policy_digest(TenantPolicy())


def test_every_setting_is_tested_above() -> None:
    """A new field needs a case."""
    tuned = {
        name
        for policy in TUNED
        for name, value in msgspec.structs.asdict(policy).items()
        if value != getattr(TenantPolicy(), name)
    }
    assert tuned == set(TenantPolicy.__struct_fields__)


OTHER_TEXTS: dict[str, object] = {
    "senders": (msgspec.structs.replace(POLICY.senders[0], inbound_only=True),),
    "brands": ("Larkfield", "Lark"),
    "hosts": ("larkfield.example", "lark.example"),
    "numbers": ("+12025550177",),
    "templates": (),
    "opt_out_scope": Scope.SENDER,
    "confirmations": {"en": "You get no more texts."},
    "help": {"en": "Larkfield. Reply STOP to end."},
    "committed_rate": Rate(messages=100, seconds=60),
    "recipient_rate": Rate(messages=19, seconds=86_400),
    "burst": Rate(messages=599, seconds=60),
    "alike_recipients": 199,
    "alike_senders": 2,
    "sender_rate": Rate(messages=9, seconds=1),
    "shadow": ("burst",),
    "smart_encoding": True,
    "screening": ScreeningTuning(stricter={ReasonCode.URL_FOREIGN: Action.BLOCK}),
}
"""Another value for every field of what a tenant says about its texts."""


def test_what_a_tenant_says_about_its_texts_counts() -> None:
    """Every field of it, and whether it sends at all."""
    assert OTHER_TEXTS.keys() == set(SmsPolicy.__struct_fields__)
    others = [msgspec.structs.replace(POLICY, **{name: value}) for name, value in OTHER_TEXTS.items()]
    every = [None, SmsPolicy(), POLICY, *others]
    assert len({policy_digest(TenantPolicy(), sms) for sms in every}) == len(every)


def test_the_order_of_what_a_tenant_lists_for_its_texts_does_not_count() -> None:
    """Senders, words and hosts are sets too, at any depth."""
    one = SmsPolicy(brands=("A", "B"), screening=ScreeningTuning(deny_words=("x", "y")), shadow=("burst",))
    other = SmsPolicy(
        brands=("B", "A", "B"), screening=ScreeningTuning(deny_words=("y", "x")), shadow=("burst",)
    )
    assert policy_digest(TenantPolicy(), one) == policy_digest(TenantPolicy(), other)


def test_the_order_of_hosts_and_kinds_does_not_count() -> None:
    """They are sets, written as lists."""
    assert policy_digest(TenantPolicy(remove_hosts=("a.example", "b.example", "a.example"))) == policy_digest(
        TenantPolicy(remove_hosts=("b.example", "a.example"))
    )


@pytest.mark.parametrize(("name", "value"), [("RULE_PACK", "another"), ("GATES", {"NEVER_RECORD": ()})])
def test_the_rules_count_too(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Another rule pack, or other rules in it, is another policy (VT-0)."""
    before = policy_digest(TenantPolicy())
    monkeypatch.setattr(digest, name, value)
    assert policy_digest(TenantPolicy()) != before


def test_the_order_of_rules_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order is meaning."""
    before = policy_digest(TenantPolicy())
    monkeypatch.setattr(digest, "GATES", {name: rules[::-1] for name, rules in GATES.items()})
    assert policy_digest(TenantPolicy()) != before


@settings(max_examples=40)
@given(policies, policies)
def test_equal_digests_mean_equal_policies(one: TenantPolicy, other: TenantPolicy) -> None:
    """Up to the order within lists."""

    def effective(policy: TenantPolicy) -> object:
        return [
            frozenset(value) if isinstance(value, tuple) else value
            for value in (getattr(policy, name) for name in policy.__struct_fields__)
        ]

    assert (policy_digest(one) == policy_digest(other)) == (effective(one) == effective(other))
