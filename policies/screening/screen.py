"""The screen: a text, its sender and the tenant's tuning in; pass, quarantine or block out, with every reason.

In this order: length and the tenant's own lists; whose links and numbers they are; the tenant's templates, which pass the
model; the model; schemes and chain letters; wording. Each stage adds findings, none takes one away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from policies.screening.action import Action
from policies.screening.conduct import accusations, chain_letter, impersonation, named, schemes, wording
from policies.screening.context import (
    Evidence,
    Finding,
    ScreenContext,
    Screening,
    ScreeningPolicy,
    ScreeningTuning,
)
from policies.screening.features import traits
from policies.screening.model import Model, shipped_model
from policies.screening.ownership import Found, foreign
from policies.screening.reading import Reading, read
from policies.sms.purpose import Purpose
from policies.verdict import ReasonCode

DEFAULT: Final = ScreeningPolicy(tuning=ScreeningTuning())
"""Nothing tuned."""

_TOP: Final = 8
_ORDER: Final = {Action.PASS: 0, Action.QUARANTINE: 1, Action.BLOCK: 2}


def screen(text: str, context: ScreenContext, policy: ScreeningPolicy = DEFAULT) -> Screening:
    """Judge a text that is about to be sent. Total and pure: the same answer always."""
    model = shipped_model()
    longest = 4 * policy.tuning.longest
    reading = read(text[:longest], model.vocabulary)
    score, abuse, weights = model.scores(reading.words, traits(reading.links, reading.concepts))
    leads = list(_leads(reading, context))
    found = [*_lists(text, reading, policy), *leads]
    if not context.register.fits(text):
        found += _judged(reading, context, policy.tuning, (score, abuse), leads_away=bool(leads))
    found += wording(reading)
    found += accusations(reading)
    found += _declared(reading, context)
    findings = _findings(found, reading, policy.tuning)
    action = max(
        (finding.action for finding in findings if not finding.shadow),
        key=_ORDER.__getitem__,
        default=Action.PASS,
    )
    return Screening(
        action=action,
        score=score,
        reasons=findings,
        evidence=_evidence(model, weights, reading) if any(finding.acts for finding in findings) else (),
    )


def _lists(text: str, reading: Reading, policy: ScreeningPolicy) -> Iterator[Found]:
    """What is refused before anything is weighed."""
    if len(text) > policy.tuning.longest:
        yield ReasonCode.TOO_LONG, Action.QUARANTINE, 0, 0
    for link in reading.links:
        if link.domain in policy.deny_hosts:
            yield ReasonCode.TENANT_DENIED, Action.BLOCK, link.start, link.end
    words = policy.deny_words.concepts(reading.padded) if policy.deny_words is not None else ()
    if words or any(pattern.search(reading.folded.text) for pattern in policy.deny_patterns):
        yield ReasonCode.TENANT_DENIED, Action.BLOCK, 0, len(reading.folded.text)


def _leads(reading: Reading, context: ScreenContext) -> Iterator[Found]:
    lured = bool(reading.concepts & _PROMISES)
    text, register = reading.folded.text, context.register
    yield from foreign(text, reading.links, reading.numbers, register, context.sender, lured=lured)
    if reading.unreadable is not None:
        yield ReasonCode.URL_HIDDEN, Action.QUARANTINE, *reading.unreadable


def _judged(
    reading: Reading,
    context: ScreenContext,
    tuning: ScreeningTuning,
    scores: tuple[float, float],
    *,
    leads_away: bool,
) -> Iterator[Found]:
    """What weighing says: the model, and the rules about what comes together in a text."""
    whole = len(reading.folded.text)
    score, abuse = scores
    leads_home = not leads_away and bool(reading.links or reading.numbers)
    calm = leads_home or (not leads_away and bool(reading.concepts & _CALM))
    if score >= (tuning.quarantine_home_at if calm else tuning.quarantine_at):
        certain = leads_away and score >= tuning.block_at
        yield (
            named(reading.concepts, leads_away=leads_away),
            Action.BLOCK if certain else Action.QUARANTINE,
            0,
            whole,
        )
    elif leads_away and len(reading.concepts & _LURED) > 1:
        yield named(reading.concepts, leads_away=True), Action.QUARANTINE, 0, whole
    if abuse >= tuning.abuse_at:
        yield ReasonCode.ABUSIVE, Action.QUARANTINE, 0, whole
    yield from impersonation(reading, context.register)
    if not leads_home:
        yield from schemes(reading)
    yield from chain_letter(reading)


def _declared(reading: Reading, context: ScreenContext) -> Iterator[Found]:
    """Purpose declared against purpose found. Noted only, unless the tenant is stricter."""
    whole = len(reading.folded.text)
    marketing = bool(reading.concepts & {"prize", "gamble", "goods"}) and "optout" in reading.concepts
    if context.purpose is Purpose.MARKETING and "optout" not in reading.concepts:
        yield ReasonCode.MARKETING_NO_OPTOUT, Action.PASS, 0, whole
    if context.purpose is Purpose.TRANSACTIONAL and marketing:
        yield ReasonCode.PURPOSE_MISMATCH, Action.PASS, 0, whole


def _findings(found: list[Found], reading: Reading, tuning: ScreeningTuning) -> tuple[Finding, ...]:
    """Findings in the original's positions, made stricter where the tenant is, each once.

    The strictest first, those that the tenant only tries last.
    """
    if not found:
        return ()
    made = dict.fromkeys(
        Finding(
            code=code,
            action=_stricter(code, action, tuning),
            start=start,
            end=end,
            shadow=code in tuning.shadow,
        )
        for code, action, first, last in found
        for start, end in [reading.original(first, last)]
    )
    return tuple(sorted(made, key=lambda finding: (not finding.acts, -_ORDER[finding.action])))


def _stricter(code: ReasonCode, action: Action, tuning: ScreeningTuning) -> Action:
    return max(action, tuning.stricter.get(code, action), key=_ORDER.__getitem__)


def _evidence(model: Model, weights: Sequence[int], reading: Reading) -> tuple[Evidence, ...]:
    """The words that weigh most."""
    scale = model.header.heads["fraud"].scale
    weighed = sorted(zip(weights, reading.words, strict=True), key=lambda pair: -pair[0])[:_TOP]
    return tuple(
        Evidence(feature=word.text, weight=round(weight * scale, 3), start=start, end=end)
        for weight, word in weighed
        for start, end in [reading.original(word.start, word.end)]
        if weight > 0
    )


# A one-time password, and a warning of fraud: they read like what they warn of.
_CALM: Final = frozenset({"onetime", "warning"})
_PROMISES: Final = frozenset({"prize", "loan", "job", "inherit", "invest", "credential", "refund"})
_LURED: Final = frozenset(
    "blocked verify urgent otherwise prize refund fee account credential loan job invest force gamble dating inherit "
    "stream authority parcel".split()
)
