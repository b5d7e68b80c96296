"""The same text from many senders is looked at (VT-1.5, VT-6)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Message
from policies.rules import snowshoeing
from policies.sms.policy import Prepared
from policies.sms.purpose import Purpose
from policies.verdict import ALLOW, Quarantine, ReasonCode
from tests.policies.texts import POLICY, asked, outbound

HELD = Quarantine(code=ReasonCode.SNOWSHOEING)


@pytest.mark.parametrize(
    ("known", "held"),
    [
        ({"alike_senders": 2}, False),
        ({"alike_senders": 3}, True),
        ({"alike_senders": 3, "campaign": "spring"}, True),
        ({"alike_senders": 3, "reviewed": True}, False),
        ({"alike_senders": 9, "purpose": Purpose.CONVERSATIONAL}, False),
        ({"alike_senders": 3, "answers_opt_out": True}, False),
        ({"alike_recipients": 700, "from_sender": 700}, False),
    ],
)
def test_snowshoeing(known: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    """A campaign that was named may not be spread either."""
    assert asked(snowshoeing.check, **known) == (HELD if held else ALLOW)


@settings(max_examples=60)
@given(outbound, st.integers(0, 20), st.integers(1, 20))
def test_the_tenants_number_decides(judged: Message, senders: int, allowed: int) -> None:
    """Whatever the text: held from that number of senders on."""
    sms = Prepared.of(msgspec.structs.replace(POLICY, alike_senders=allowed))
    verdict = asked(snowshoeing.check, judged, sms=sms, alike_senders=senders)
    assert verdict == (HELD if senders >= allowed else ALLOW)
