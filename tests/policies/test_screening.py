"""The screening as a rule: its judgement becomes a verdict, in the tenant's own tuning (VT-1.3, VT-1.5, VT-6)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from policies.message import Message
from policies.reasons import REMEDY
from policies.rules import screening
from policies.rules.screening import CODES, screened
from policies.screening.action import Action
from policies.screening.context import ScreeningTuning
from policies.sms.facts import SendFacts
from policies.sms.policy import Prepared
from policies.sms.purpose import Purpose
from policies.tenant import Facts, TenantPolicy
from policies.verdict import ALLOW, Allow, Drop, Flag, Quarantine, ReasonCode, Verdict
from tests.policies.texts import MONDAY_NOON, POLICY, asked, circumstances, outbound, sending, text

R = ReasonCode
LINK = "Read it at https://elsewhere.example.com/a"


def tuned(**tuning: object) -> Prepared:
    """The tenant with its screening tuned."""
    tuning_ = ScreeningTuning(**tuning)  # type: ignore[arg-type]
    return Prepared.of(msgspec.structs.replace(POLICY, screening=tuning_))


@pytest.mark.parametrize(
    ("said", "known", "verdict"),
    [
        ("Your table is ready.", {}, ALLOW),
        ("Read it at https://larkfield.example/a", {}, ALLOW),
        ("", {}, ALLOW),
        (LINK, {}, Quarantine(code=R.URL_FOREIGN)),
        (f"{LINK} bitch", {}, Quarantine(code=R.URL_FOREIGN, also=(R.ABUSIVE,))),
        (LINK, {"reviewed": True}, ALLOW),
        (LINK, {"answers_opt_out": True}, ALLOW),
        (LINK, {"sms": tuned(stricter={R.URL_FOREIGN: Action.BLOCK})}, Drop(code=R.URL_FOREIGN)),
        (LINK, {"sms": tuned(deny_words=("read it",))}, Drop(code=R.TENANT_DENIED, also=(R.URL_FOREIGN,))),
        (
            LINK,
            {"sms": tuned(shadow=(R.URL_FOREIGN,))},
            Flag(code=R.URL_FOREIGN, shadow=(R.URL_FOREIGN,)),
        ),
        (
            f"{LINK} bitch",
            {"sms": tuned(shadow=(R.URL_FOREIGN,))},
            Quarantine(code=R.ABUSIVE, also=(R.URL_FOREIGN,), shadow=(R.URL_FOREIGN,)),
        ),
        ("New coats are in at Larkfield", {"purpose": Purpose.MARKETING}, Flag(code=R.MARKETING_NO_OPTOUT)),
        (
            "New coats are in at Larkfield",
            {
                "purpose": Purpose.MARKETING,
                "sms": tuned(stricter={R.MARKETING_NO_OPTOUT: Action.QUARANTINE}),
            },
            Quarantine(code=R.MARKETING_NO_OPTOUT),
        ),
    ],
)
def test_screening(said: str, known: dict[str, Any], verdict: Verdict) -> None:
    """Every finding is named: what acts first, what is noted or tried after it."""
    assert asked(screening.check, text(said), **known) == verdict


def test_the_row_names_what_a_screening_can_find() -> None:
    """Each with what would change it."""
    assert set(CODES) == REMEDY.keys()


def test_reviewers_get_the_score_and_the_evidence() -> None:
    """From the same judgement, asked once more for what is held."""
    judged = text("URGENT your account is blocked, verify your password at https://elsewhere.example.com")
    verdict = asked(screening.check, judged)
    found = screened(judged, sending())
    assert isinstance(verdict, Quarantine | Drop)
    assert found.codes == (verdict.code, *verdict.also)
    assert found.score > 0.5
    assert found.evidence
    assert found.remedies


_ACTIONS = {Allow: Action.PASS, Flag: Action.PASS, Quarantine: Action.QUARANTINE, Drop: Action.BLOCK}


@settings(max_examples=80, deadline=None)
@given(outbound, circumstances)
def test_the_verdict_is_the_screenings(judged: Message, send: SendFacts) -> None:
    """Unless a person released the text; then nothing of it is judged."""
    facts = Facts(now=MONDAY_NOON, policy=TenantPolicy(), send=send)
    verdict = screening.check(judged, facts)
    if send.excused:
        assert verdict is ALLOW
        return
    found = screened(judged, facts)
    assert _ACTIONS[type(verdict)] is found.action
    given_codes = () if isinstance(verdict, Allow) else (verdict.code, *verdict.also)  # type: ignore[union-attr]
    assert set(given_codes) == {finding.code for finding in found.reasons}
    assert given_codes[: len(found.codes)] == found.codes
