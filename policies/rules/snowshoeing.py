"""The same text from many senders is spread so that no one of them is conspicuous, and a person looks at it.

VT-1.5: no spam. VT-6: who it is from must stay plain. Carriers hold spreading itself against a sender, so a named campaign
excuses nothing; short answers of conversations are no campaign.
"""

from __future__ import annotations

from policies.message import Message
from policies.sms.courtesy import is_courtesy
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


def check(message: Message, facts: Facts) -> Verdict:
    """Withhold a text that so many senders had already (``alike_senders``)."""
    send = facts.sending
    spread = send.alike_senders >= send.sms.policy.alike_senders
    excused = send.excused or is_courtesy(message, send.purpose)
    return Quarantine(code=ReasonCode.SNOWSHOEING) if spread and not excused else ALLOW
