"""What every rule of NEVER_RECORD inherits: nothing survives, once is enough, identity stays."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings

from policies.gate import Rule, decide
from policies.message import Content, Media, MediaKind, Message
from policies.rules import BEFORE_TRANSCRIPT, GATES, NEVER_RECORD
from policies.tenant import Facts, TenantPolicy
from policies.verdict import Outcome, ReasonCode
from tests.policies.strategies import (
    CANARY,
    CDN_HOSTS,
    CDN_PATHS,
    DISGUISES,
    TUNING,
    facts,
    known,
    message,
    messages,
    planted,
    written,
)
from tests.policies.texts import sending, text

PASSING = frozenset({MediaKind.STORY, MediaKind.STORY_MENTION, MediaKind.STORY_REPLY, MediaKind.EPHEMERAL})
"""Attachments that are gone after a while where they came from, and are never kept (SM-6, SM-8)."""

PLACES: dict[str, Callable[[str], Content]] = {
    "text": lambda url: Content(text=f"see {url} please"),
    "attachment": lambda url: Content(media=(Media(kind=MediaKind.IMAGE, url=url),)),
    "attachment of unknown type": lambda url: Content(media=(Media(kind=MediaKind.UNKNOWN, url=url),)),
    "second attachment": lambda url: Content(
        media=(Media(kind=MediaKind.LIKE), Media(kind=MediaKind.REEL, url=url))
    ),
    "title": lambda url: Content(media=(Media(kind=MediaKind.SHARE, title=url),)),
    "media id": lambda url: Content(media=(Media(kind=MediaKind.SHARE, id=url),)),
    "template": lambda url: Content(details={"template": {"elements": [{"image_url": url, "title": "x"}]}}),
    "list": lambda url: Content(details={"buttons": [["x", url]]}),
    "key": lambda url: Content(details={"form": {url: "x"}}),
    "referral": lambda url: Content(details={"referral": {"ad": {"photo_url": url}}}),
    "name": lambda url: Content(profile={"name": url}),
    "profile key": lambda url: Content(profile={url: "x"}),
}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_no_cdn_url_survives_in_any_place(place: str) -> None:
    """In every disguise."""
    for disguise, write in DISGUISES.items():
        judged = msgspec.structs.replace(message(), content=PLACES[place](write(CDN_HOSTS[0], CDN_PATHS[0])))
        decision = decide(judged, known(), NEVER_RECORD)
        assert decision.outcome is Outcome.AMENDED, disguise
        assert CANARY not in written(decision.message), disguise
        assert [reason.code for reason in decision.reasons] == [ReasonCode.FACEBOOK_CDN]


@settings(max_examples=100)
@given(planted, facts)
def test_nothing_never_recorded_survives(judged: Message, given_facts: Facts) -> None:
    """Whatever the message, the places and the tenant: no CDN URL, and of stories only that they were there."""
    decision = decide(judged, given_facts, NEVER_RECORD)
    assert decision.outcome is not Outcome.QUARANTINED
    if decision.message is not None:
        assert CANARY not in written(decision.message)
        for media in decision.message.content.media:
            if media.kind in PASSING:
                assert media == Media(kind=media.kind, removed=media.removed)
                assert media.removed


@settings(max_examples=60)
@given(planted, facts)
def test_deciding_twice_changes_nothing(judged: Message, given_facts: Facts) -> None:
    """A message that has been through the gate goes through it untouched, without a further reason."""
    once = decide(judged, given_facts, NEVER_RECORD)
    if once.message is not None:
        twice = decide(once.message, given_facts, NEVER_RECORD)
        assert (twice.outcome, twice.message, twice.reasons) == (Outcome.ALLOWED, once.message, ())


@settings(max_examples=60)
@given(planted, facts)
def test_identity_is_never_amended(judged: Message, given_facts: Facts) -> None:
    """Through both gates, nothing but the content differs."""
    for table in (NEVER_RECORD, BEFORE_TRANSCRIPT):
        decision = decide(judged, given_facts, table)
        if decision.message is not None:
            assert msgspec.structs.replace(decision.message, content=judged.content) == judged


@settings(max_examples=60)
@given(messages())
def test_without_a_reason_nothing_is_touched(judged: Message) -> None:
    """For a tenant without wishes, messages without stories and CDN URLs come out as they went in."""
    kinds = PASSING
    media = tuple(one for one in judged.content.media if one.kind not in kinds)
    judged = msgspec.structs.replace(judged, content=msgspec.structs.replace(judged.content, media=media))
    decision = decide(judged, known(), NEVER_RECORD)
    assert (decision.outcome, decision.message, decision.reasons) == (Outcome.ALLOWED, judged, ())


@settings(max_examples=30)
@given(planted)
def test_a_tenant_can_only_make_it_stricter(judged: Message) -> None:
    """Whatever is removed for a tenant without wishes is removed for one that switches everything."""
    strict = known(
        remove_hosts=("example.org",),
        record_standby=False,
        record_profiles=False,
        record_media_references=False,
    )
    lax, stricter = (decide(judged, tuning, NEVER_RECORD) for tuning in (known(), strict))
    if stricter.message is not None:
        assert lax.message is not None
        assert {reason.code for reason in lax.reasons} <= {reason.code for reason in stricter.reasons}


def _raises(_message: Message, _facts: Facts) -> None:
    raise LookupError


@pytest.mark.parametrize("table", [name for name, rules in GATES.items() if rules])
def test_any_rule_of_any_gate_that_raises_withholds_the_message(table: str) -> None:
    """Put a failure in the place of each rule in turn."""
    rules = GATES[table]
    for index, rule in enumerate(rules):
        broken: list[Rule] = [*rules]
        broken[index] = msgspec.structs.replace(rule, check=_raises)
        judged, told = (
            (text("hello"), sending()) if table == "BEFORE_SEND" else (message(text="hello"), known())
        )
        decision = decide(judged, told, broken)
        assert decision.outcome is Outcome.QUARANTINED
        last = decision.reasons[-1]
        assert (last.code, last.rule) == (ReasonCode.POLICY_ERROR, rule.told_as or rule.name)


def test_the_tenants_above_tune_whatever_can_be() -> None:
    """A new setting without a strategy would be judged at its default alone."""
    assert set(TUNING) == set(TenantPolicy.__struct_fields__)
