"""Kinds that a tenant never records are dropped (PP-3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Message, MessageKind
from policies.rules import tenant_kind
from policies.verdict import ALLOW, Drop, ReasonCode
from tests.policies.strategies import known, message, messages

DROP = Drop(code=ReasonCode.TENANT_KIND)


@pytest.mark.parametrize(
    ("judged", "tuning", "verdict"),
    [
        (message(kind=MessageKind.LOCATION), {}, ALLOW),
        (message(kind=MessageKind.LOCATION), {"never_record_kinds": (MessageKind.LOCATION,)}, DROP),
        (message(kind=MessageKind.TEXT), {"never_record_kinds": (MessageKind.LOCATION,)}, ALLOW),
        (
            message(kind=MessageKind.ORDER),
            {"never_record_kinds": (MessageKind.LOCATION, MessageKind.ORDER)},
            DROP,
        ),
        (message(kind=MessageKind.REACTION), {"never_record_kinds": (MessageKind.REACTION,)}, DROP),
    ],
)
def test_tenant_kind(judged: Message, tuning: dict[str, object], verdict: object) -> None:
    """Only a kind that the tenant names, interactions included."""
    assert tenant_kind.check(judged, known(**tuning)) == verdict


@settings(max_examples=40)
@given(messages(), st.sets(st.sampled_from(MessageKind)))
def test_a_message_is_dropped_exactly_if_its_kind_is_named(judged: Message, kinds: set[MessageKind]) -> None:
    """Nothing else about the message counts."""
    verdict = tenant_kind.check(judged, known(never_record_kinds=tuple(kinds)))
    assert verdict == (DROP if judged.kind in kinds else ALLOW)
