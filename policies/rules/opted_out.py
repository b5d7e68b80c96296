"""Who asked for no more texts gets none, but the one that confirms it.

VT-1.3 and VT-1.5: a text after an opt-out is harassment and a nuisance. 47 CFR 64.1200(a)(10) and (12): revocation by any
reasonable means, and one confirmation without marketing. How far an opt-out reaches, the facts have taken into account.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Refuse a text to somebody who opted out."""
    send = facts.sending
    unwanted = send.opted_out and not send.answers_opt_out
    return Drop(code=ReasonCode.OPTED_OUT) if unwanted else ALLOW
