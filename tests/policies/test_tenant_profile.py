"""Names and usernames are left out where the tenant says so (PP-3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from policies.message import Content, Message
from policies.rules import tenant_profile
from policies.verdict import ALLOW, Amend, ReasonCode, Verdict
from tests.policies.strategies import known, message, messages


@pytest.mark.parametrize(
    ("judged", "wanted", "verdict"),
    [
        (message(profile={"name": "Ann"}), True, ALLOW),
        (message(profile={"name": "Ann"}), False, Amend(content=Content(), code=ReasonCode.TENANT_PROFILE)),
        (
            message(text="hi", details={"a": 1}, profile={"name": "Ann", "username": "ann"}),
            False,
            Amend(content=Content(text="hi", details={"a": 1}), code=ReasonCode.TENANT_PROFILE),
        ),
        (message(text="hi"), False, ALLOW),
    ],
)
def test_tenant_profile(judged: Message, wanted: bool, verdict: Verdict) -> None:  # noqa: FBT001
    """The profile goes as a whole; what was said stays."""
    assert tenant_profile.check(judged, known(record_profiles=wanted)) == verdict


@settings(max_examples=40)
@given(messages())
def test_no_profile_is_left(judged: Message) -> None:
    """Whatever the message."""
    verdict = tenant_profile.check(judged, known(record_profiles=False))
    content = verdict.content if isinstance(verdict, Amend) else judged.content
    assert content == Content(
        text=judged.content.text, media=judged.content.media, details=judged.content.details
    )
