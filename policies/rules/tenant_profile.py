"""How people call themselves is not recorded where the tenant says so.

PP-3: the customer limits what is collected (``record_profiles``): names and usernames.
"""

from __future__ import annotations

import msgspec

from policies.message import Message
from policies.tenant import Facts
from policies.verdict import ALLOW, ReasonCode, Verdict, amended


def check(message: Message, facts: Facts) -> Verdict:
    """Leave the profile out."""
    if facts.policy.record_profiles or not message.content.profile:
        return ALLOW
    content = msgspec.structs.replace(message.content, profile={})
    return amended(message.content, content, ReasonCode.TENANT_PROFILE)
