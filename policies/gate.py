"""A gate: an ordered table of rules over one message, and the decision that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec

from policies.message import Channel, Direction, Message
from policies.tenant import Facts
from policies.verdict import (
    ALLOW,
    Allow,
    Amend,
    Decision,
    Delay,
    Drop,
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

    ``codes`` are the reasons that it may give, for documents and listings.
    """

    name: str
    check: Check
    clauses: tuple[str, ...]
    codes: tuple[ReasonCode, ...] = ()
    channels: frozenset[Channel] = _EVERY_CHANNEL
    directions: frozenset[Direction] = _BOTH_DIRECTIONS

    def concerns(self, message: Message) -> bool:
        """Whether this rule has a say about such a message."""
        # Most rules concern everything, and hashing an enumeration's member costs more than most rules do.
        return (self.channels is _EVERY_CHANNEL or message.channel in self.channels) and (
            self.directions is _BOTH_DIRECTIONS or message.direction in self.directions
        )


def decide(message: Message, facts: Facts, rules: Sequence[Rule]) -> Decision:
    """Ask every rule in order; each sees what those before it left. Drop and quarantine end the walk.

    A rule that raises quarantines the message (``policy_error``); in NEVER_RECORD the worker reduces a
    quarantined message to a shape, so that nothing unjudged is kept.
    """
    reasons: list[Reason] = []
    until: int | None = None
    for rule in rules:
        verdict = _ask(rule, message, facts)
        if verdict is ALLOW or isinstance(verdict, Allow):
            continue
        reasons.append(Reason(code=verdict.code, rule=rule.name, clauses=rule.clauses))
        match verdict:
            case Amend():
                message = msgspec.structs.replace(message, content=verdict.content)
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
    outcome = Outcome.AMENDED if reasons else Outcome.ALLOWED
    return Decision(outcome=outcome, message=message, reasons=tuple(reasons))


def _ask(rule: Rule, message: Message, facts: Facts) -> Verdict:
    try:
        return rule.check(message, facts) if rule.concerns(message) else ALLOW
    except Exception:  # noqa: BLE001 - whatever a rule raises, the message is withheld: fail closed
        return Quarantine(code=ReasonCode.POLICY_ERROR)
