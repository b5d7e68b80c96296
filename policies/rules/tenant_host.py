"""URLs of hosts that the tenant does not want recorded are removed like those of the Facebook CDN.

PP-3: the customer limits what is collected (``remove_hosts``); SM-6 is the floor, and no setting lowers it.
"""

from __future__ import annotations

from functools import lru_cache

from policies.content import may_hold, without_urls
from policies.message import REMOVED_HOST, Message
from policies.tenant import Facts
from policies.urls import Suffixes
from policies.verdict import ALLOW, ReasonCode, Verdict, amended


def check(message: Message, facts: Facts) -> Verdict:
    """Remove every URL of ``remove_hosts`` and of what lies below them."""
    hosts = facts.policy.remove_hosts
    if not hosts:
        return ALLOW
    suffixes = _compiled(hosts)
    if not may_hold(message.content, suffixes):
        return ALLOW
    content = without_urls(message.content, suffixes, ReasonCode.TENANT_HOST)
    return amended(message.content, content, ReasonCode.TENANT_HOST)


@lru_cache(maxsize=256)
def _compiled(hosts: tuple[str, ...]) -> Suffixes:
    return Suffixes.of(hosts, REMOVED_HOST)
