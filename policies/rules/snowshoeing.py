"""The same text from many senders is spread so that no one of them is conspicuous, and a person looks at it.

VT-1.5: no spam. VT-6: who it is from must stay plain. Carriers hold spreading itself against a sender, so a named campaign
excuses nothing.
"""

from __future__ import annotations

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, Quarantine, ReasonCode, Verdict


def check(_message: Message, facts: Facts) -> Verdict:
    """Withhold a text that so many senders had already (``alike_senders``)."""
    send = facts.sending
    spread = send.alike_senders >= send.sms.policy.alike_senders
    return Quarantine(code=ReasonCode.SNOWSHOEING) if spread and not send.excused else ALLOW
