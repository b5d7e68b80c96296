"""The whole governance on one screen: three tables of rules, in the order in which they are asked."""

from __future__ import annotations

from typing import Final

from policies.gate import Check, Rule
from policies.rules import (
    facebook_cdn,
    story_mention,
    story_reply,
    story_share,
    tenant_history,
    tenant_host,
    tenant_kind,
    tenant_media,
    tenant_profile,
    tenant_standby,
    too_old,
    unsent,
    view_once,
)
from policies.verdict import ReasonCode

RULE_PACK: Final = "2026-11"
"""The version of these tables (VT-0): on every decision, in every policy digest. A change of what they do changes it."""


def _rule(name: str, check: Check, clauses: str, code: ReasonCode) -> Rule:
    return Rule(name=name, check=check, clauses=tuple(clauses.split()), codes=(code,))


NEVER_RECORD: Final[tuple[Rule, ...]] = (
    # First what is not kept at all: nothing else needs to look at it.
    _rule("tenant_kind", tenant_kind.check, "PP-3", ReasonCode.TENANT_KIND),
    _rule("tenant_standby", tenant_standby.check, "PP-3", ReasonCode.TENANT_STANDBY),
    _rule("tenant_history", tenant_history.check, "PP-3", ReasonCode.TENANT_HISTORY),
    # Then what is told by type, whatever its host: after these, a story's attachment has no URL to be judged by.
    # On every channel and in both directions: an echo carries the same media again.
    _rule("story_mention", story_mention.check, "SM-6 SM-7 SM-8", ReasonCode.STORY_MENTION),
    _rule("story_reply", story_reply.check, "SM-6 SM-8", ReasonCode.STORY_REPLY),
    _rule("story_share", story_share.check, "SM-6 SM-8", ReasonCode.STORY_SHARE),
    _rule("view_once", view_once.check, "SM-6 SM-8", ReasonCode.VIEW_ONCE),
    # Then what is told by value, wherever it stands, so that a type nobody knows yet is judged too. The terms' own
    # hosts before the tenant's: where both name one, the record says SM-6.
    _rule("facebook_cdn", facebook_cdn.check, "SM-6", ReasonCode.FACEBOOK_CDN),
    _rule("tenant_host", tenant_host.check, "PP-3", ReasonCode.TENANT_HOST),
    # Then what is left of references and names; after the URL rules, whose reason is the stronger one.
    _rule("tenant_media", tenant_media.check, "PP-3", ReasonCode.TENANT_MEDIA),
    _rule("tenant_profile", tenant_profile.check, "PP-3", ReasonCode.TENANT_PROFILE),
    # Government identification numbers (PP-3) and payment cards stand here, last: with the URLs gone, no run of
    # digits in one is taken for a number, and no redaction inside a URL hides its host from the rules above.
)
"""Asked before anything is written or logged, from the message alone. What they remove never existed here."""

BEFORE_TRANSCRIPT: Final[tuple[Rule, ...]] = (
    # A tombstone first: it is final, and the stronger reason for a message that is also old.
    _rule("unsent", unsent.check, "SM-9 SM-10", ReasonCode.UNSENT),
    _rule("too_old", too_old.check, "SM-9 PP-6", ReasonCode.TOO_OLD),
)
"""Asked by the ledger, with the facts that the store knows, just before the transaction."""

BEFORE_SEND: Final[tuple[Rule, ...]] = ()
"""Asked before an outbound message is accepted. Empty: nothing is sent yet, so there is nothing to screen."""

GATES: Final = {
    "NEVER_RECORD": NEVER_RECORD,
    "BEFORE_TRANSCRIPT": BEFORE_TRANSCRIPT,
    "BEFORE_SEND": BEFORE_SEND,
}
"""The tables by name, in the order in which a message meets them."""
