"""A gate: an ordered table of rules over one message, and the decision that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import assert_never

import msgspec

from policies.message import Channel, Direction, Instant, Message
from policies.reasons import CLAUSES
from policies.tenant import Facts
from policies.verdict import (
    ALLOW,
    Allow,
    Amend,
    Decision,
    Delay,
    Drop,
    Flag,
    Objection,
    Outcome,
    Quarantine,
    Reason,
    ReasonCode,
    Verdict,
)

Check = Callable[[Message, Facts], Verdict]

_EVERY_CHANNEL = frozenset(Channel)
_BOTH_DIRECTIONS = frozenset(Direction)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a gate's table: who judges (``check``), which clauses it serves, and whom it concerns.

    ``codes`` are the reasons that it may give, for documents and listings. ``may_shadow``: a tenant may try it before it
    acts; what cannot be undone, and what the law or the terms leave no choice about, always acts. ``told_as``: what records
    call it where its name would tell something of a person, "" for its name.
    """

    name: str
    check: Check
    clauses: tuple[str, ...]
    codes: tuple[ReasonCode, ...] = ()
    channels: frozenset[Channel] = _EVERY_CHANNEL
    directions: frozenset[Direction] = _BOTH_DIRECTIONS
    may_shadow: bool = False
    told_as: str = ""

    def concerns(self, message: Message) -> bool:
        """Whether this rule has a say about such a message."""
        # Most rules concern everything, and hashing an enumeration's member costs more than most rules do.
        return (self.channels is _EVERY_CHANNEL or message.channel in self.channels) and (
            self.directions is _BOTH_DIRECTIONS or message.direction in self.directions
        )


def decide(
    message: Message, facts: Facts, rules: Sequence[Rule], shadow: AbstractSet[str] = frozenset()
) -> Decision:
    """Ask every rule in order; each sees what those before it left. Drop and quarantine end the walk.

    A rule that raises quarantines the message (``policy_error``); in NEVER_RECORD the worker reduces a
    quarantined message to a shape, so that nothing unjudged is kept. A rule whose name stands in ``shadow``, and that
    may be tried, is asked and traced and changes nothing.
    """
    reasons: list[Reason] = []
    until: Instant | None = None
    amended = False
    for rule in rules:
        verdict = _ask(rule, message, facts)
        if verdict is ALLOW or isinstance(verdict, Allow):
            continue
        tried = rule.may_shadow and rule.name in shadow
        reasons += _traced(rule, verdict, tried=tried)
        if tried:
            continue
        match verdict:
            case Amend():
                message, amended = msgspec.structs.replace(message, content=verdict.content), True
            case Flag():
                pass
            case Delay():
                until = max(until or 0, verdict.until)
            case Quarantine():
                return Decision(outcome=Outcome.QUARANTINED, message=message, reasons=tuple(reasons))
            case Drop():
                return Decision(outcome=Outcome.DROPPED, message=None, reasons=tuple(reasons))
            case _:
                assert_never(verdict)
    if until is not None:
        return Decision(outcome=Outcome.DELAYED, message=message, reasons=tuple(reasons), until=until)
    outcome = Outcome.AMENDED if amended else Outcome.ALLOWED
    return Decision(outcome=outcome, message=message, reasons=tuple(reasons))


def _ask(rule: Rule, message: Message, facts: Facts) -> Verdict:
    try:
        return rule.check(message, facts) if rule.concerns(message) else ALLOW
    except Exception:  # noqa: BLE001 - whatever a rule raises, the message is withheld: fail closed
        return Quarantine(code=ReasonCode.POLICY_ERROR)


def _traced(rule: Rule, verdict: Amend | Objection, *, tried: bool) -> Iterator[Reason]:
    """A reason for each code that the rule gave."""
    name = rule.told_as or rule.name
    if isinstance(verdict, Amend):
        yield Reason(code=verdict.code, rule=name, clauses=rule.clauses, shadow=tried)
        return
    for code in (verdict.code, *verdict.also):
        clauses = CLAUSES.get(code, rule.clauses)
        yield Reason(code=code, rule=name, clauses=clauses, shadow=tried or code in verdict.shadow)
