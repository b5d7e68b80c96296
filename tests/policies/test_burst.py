"""A sender that is suddenly busy is looked at (VT-1.1, VT-1.5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Message
from policies.rules import burst
from policies.sms.policy import Prepared
from policies.sms.traffic import Rate
from policies.verdict import ALLOW, Quarantine, ReasonCode
from tests.policies.texts import POLICY, asked, outbound

HELD = Quarantine(code=ReasonCode.BURST)


@pytest.mark.parametrize(
    ("known", "held"),
    [
        ({}, False),
        ({"from_sender": 1999}, False),
        ({"from_sender": 2000}, True),
        ({"from_sender": 2000, "campaign": "spring"}, True),
        ({"from_sender": 2000, "reviewed": True}, False),
        ({"from_sender": 2000, "answers_opt_out": True}, False),
        ({"to_recipient": 700}, False),
    ],
)
def test_burst(known: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    """A campaign that was named is no licence; a person's release is."""
    assert asked(burst.check, **known) == (HELD if held else ALLOW)


@settings(max_examples=60)
@given(outbound, st.integers(0, 2000), st.integers(1, 2000))
def test_the_tenants_number_decides(judged: Message, texts: int, allowed: int) -> None:
    """Whatever the text: held from that number of texts on."""
    sms = Prepared.of(msgspec.structs.replace(POLICY, burst=Rate(messages=allowed, seconds=60)))
    verdict = asked(burst.check, judged, sms=sms, from_sender=texts)
    assert verdict == (HELD if texts >= allowed else ALLOW)
