"""Alike texts to many recipients are a campaign, which its submitter names or a person releases.

VT-1.5: no spam. A campaign that is named, or a text that is one of the tenant's templates, is declared; short answers of
conversations are none.
"""

from __future__ import annotations

from policies.message import Message
from policies.sms.courtesy import is_courtesy
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


def check(message: Message, facts: Facts) -> Verdict:
    """Withhold a text that so many others got already (``alike_recipients``)."""
    send = facts.sending
    if send.campaign or send.excused or send.alike_recipients < send.sms.policy.alike_recipients:
        return ALLOW
    if send.sms.owned.fits(message.content.text or "") or is_courtesy(message, send.purpose):
        return ALLOW
    return Quarantine(code=ReasonCode.NEAR_DUPLICATES)
