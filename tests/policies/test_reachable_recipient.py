"""Texts go to telephone numbers, never to costly or emergency ones (VT-1.1, VT-1.3, VT-1.5)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.message import Identifier, IdentifierKind
from policies.rules import reachable_recipient
from policies.verdict import ALLOW, Drop, ReasonCode
from tests.policies.texts import RECIPIENT, asked, text

R = ReasonCode


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        (RECIPIENT, None),
        ("+442079460123", None),
        ("+19005550123", R.RECIPIENT_PREMIUM),
        ("911", R.RECIPIENT_EMERGENCY),
        ("+44999", R.RECIPIENT_EMERGENCY),
        ("+10000000000", R.RECIPIENT_INVALID),
        ("2025550123", R.RECIPIENT_MALFORMED),
        ("", R.RECIPIENT_MALFORMED),
    ],
)
def test_reachable_recipient(recipient: str, code: ReasonCode | None) -> None:
    """By its form, its plan, its price."""
    verdict = asked(reachable_recipient.check, text(recipient=recipient))
    assert verdict == (ALLOW if code is None else Drop(code=code))


def test_an_identifier_that_is_no_number_is_no_recipient() -> None:
    """A handle is not dialled, whatever stands in it."""
    handle = Identifier(kind=IdentifierKind.IGSID, value=RECIPIENT)
    judged = msgspec.structs.replace(text(), person=(handle,))
    assert asked(reachable_recipient.check, judged) == Drop(code=R.RECIPIENT_MALFORMED)


@settings(max_examples=100, deadline=None)
@given(st.text("+0123456789 ", max_size=18) | st.text(max_size=8))
def test_only_what_is_dialled_in_full_is_reached(recipient: str) -> None:
    """A plus sign and seven digits at least, or it is refused."""
    if asked(reachable_recipient.check, text(recipient=recipient)) is ALLOW:
        assert recipient[0] == "+"
        assert recipient[1:].isdecimal()
        assert 7 <= len(recipient) - 1 <= 15
