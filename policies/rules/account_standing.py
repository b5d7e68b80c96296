"""Nothing is sent from an account that its platform has revoked, suspended, restricted or not reviewed yet.

SM-2 and SM-4: access to a platform depends on approval and continuing review. The text waits, with the reason shown, and
goes when the standing is restored: the last check before sending asks again.
"""

from __future__ import annotations

from typing import Final

from policies.event import AccountState
from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Delay, ReasonCode, Verdict

CODES: Final = {
    AccountState.REVOKED: ReasonCode.ACCOUNT_REVOKED,
    AccountState.SUSPENDED: ReasonCode.ACCOUNT_SUSPENDED,
    AccountState.RESTRICTED: ReasonCode.ACCOUNT_RESTRICTED,
    AccountState.UNREVIEWED: ReasonCode.ACCOUNT_UNREVIEWED,
}
WAIT: Final = 30 * 1_000_000
"""Until it is asked again, in microseconds. Nobody knows when a platform changes its mind."""


def check(_message: Message, facts: Facts) -> Verdict:
    """Delay a text whose sender may not send now."""
    code = CODES.get(facts.sending.standing)
    return ALLOW if code is None else Delay(code=code, until=facts.now + WAIT)
