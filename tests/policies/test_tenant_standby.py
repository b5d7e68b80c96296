"""Standby copies are dropped where the tenant says so (PP-3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Message
from policies.rules import tenant_standby
from policies.verdict import ALLOW, Drop, ReasonCode
from tests.policies.strategies import known, message, messages

DROP = Drop(code=ReasonCode.TENANT_STANDBY)


@pytest.mark.parametrize(
    ("judged", "tuning", "verdict"),
    [
        (message(standby=True), {}, ALLOW),
        (message(standby=True), {"record_standby": False}, DROP),
        (message(standby=False), {"record_standby": False}, ALLOW),
        (message(standby=True), {"record_history": False}, ALLOW),
        (message(history=True), {"record_standby": False}, ALLOW),
    ],
)
def test_tenant_standby(judged: Message, tuning: dict[str, object], verdict: object) -> None:
    """Only such a message, and only for a tenant that does not want it."""
    assert tenant_standby.check(judged, known(**tuning)) == verdict


@settings(max_examples=40)
@given(messages(), st.booleans())
def test_a_message_is_dropped_exactly_if_it_is_one_and_unwanted(judged: Message, wanted: bool) -> None:  # noqa: FBT001
    """Nothing else about the message counts."""
    verdict = tenant_standby.check(judged, known(record_standby=wanted))
    assert verdict == (DROP if judged.standby and not wanted else ALLOW)
