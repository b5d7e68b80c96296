"""The whole governance on one screen: three tables of rules, in the order in which they are asked."""

from __future__ import annotations

from typing import Final

from policies.gate import Check, Rule
from policies.message import Channel, Direction
from policies.reasons import clauses_of
from policies.rules import (
    account_standing,
    authorised_sender,
    burst,
    excluded_recipient,
    facebook_cdn,
    government_id,
    network_share,
    nuisance,
    opted_out,
    payment_card,
    reachable_recipient,
    schedule,
    screening,
    snowshoeing,
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
    undeclared_campaign,
    under_13,
    unsent,
    view_once,
)
from policies.verdict import ReasonCode

RULE_PACK: Final = "2026-11.3"
"""The version of these tables (VT-0): on every decision, in every policy digest. A change of what they do changes it."""


def _rule(name: str, check: Check, clauses: str, code: ReasonCode, told_as: str = "") -> Rule:
    return Rule(name=name, check=check, clauses=tuple(clauses.split()), codes=(code,), told_as=told_as)


def _outbound(name: str, check: Check, *codes: ReasonCode, may_shadow: bool = False) -> Rule:
    """A rule about texts that are about to be sent; its clauses are those of its reasons."""
    return Rule(
        name=name,
        check=check,
        clauses=clauses_of(codes),
        codes=codes,
        channels=frozenset({Channel.SMS}),
        directions=frozenset({Direction.OUTBOUND}),
        may_shadow=may_shadow,
    )


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
    # Government identification numbers and payment cards last: with the URLs gone, no run of digits in one is taken
    # for a number, and no redaction inside a URL hides its host from the rules above.
    _rule("government_id", government_id.check, "PP-3", ReasonCode.GOVERNMENT_ID),
    _rule("payment_card", payment_card.check, "PP-3", ReasonCode.PAYMENT_CARD),
)
"""Asked before anything is written or logged, from the message alone. What they remove never existed here."""

BEFORE_TRANSCRIPT: Final[tuple[Rule, ...]] = (
    # A tombstone first: it is final, and the stronger reason for a message that is also old.
    _rule("unsent", unsent.check, "SM-9 SM-10", ReasonCode.UNSENT),
    _rule("too_old", too_old.check, "SM-9 PP-6", ReasonCode.TOO_OLD),
    # Last, because it reads the text. Who is under 13 is nobody's business, not even a record's.
    _rule("under_13", under_13.check, "PP-3 PP-8", ReasonCode.NOT_RECORDED, told_as="person"),
)
"""Asked by the ledger, with the facts that the store knows, just before the transaction."""

BEFORE_SEND: Final[tuple[Rule, ...]] = (
    # First what is refused whatever the text says, and what no person may release: who sends, to whom, who said no.
    _outbound("authorised_sender", authorised_sender.check, *authorised_sender.CODES),
    _outbound("reachable_recipient", reachable_recipient.check, *reachable_recipient.CODES),
    _outbound("opted_out", opted_out.check, ReasonCode.OPTED_OUT),
    # Then what only a person lets go, whatever it says.
    _outbound("excluded_recipient", excluded_recipient.check, ReasonCode.EXCLUDED_RECIPIENT),
    # Then what it says, and after that how many there are of it: a text that may not go at all is no matter of number.
    _outbound("screening", screening.check, *screening.CODES, may_shadow=True),
    _outbound("nuisance", nuisance.check, ReasonCode.NUISANCE, may_shadow=True),
    _outbound("undeclared_campaign", undeclared_campaign.check, ReasonCode.NEAR_DUPLICATES, may_shadow=True),
    _outbound("snowshoeing", snowshoeing.check, ReasonCode.SNOWSHOEING, may_shadow=True),
    _outbound("burst", burst.check, ReasonCode.BURST, may_shadow=True),
    _outbound("network_share", network_share.check, ReasonCode.NETWORK_SHARE, may_shadow=True),
    # When, last, beginning with whether the platform lets the sender send at all: hours are looked for only for what may go.
    _outbound("account_standing", account_standing.check, *account_standing.CODES.values()),
    _outbound("schedule", schedule.check, *schedule.CODES),
)
"""Asked before an outbound text is accepted, with the facts of its sending; again when a person has released it."""

SHADOWABLE: Final = frozenset(rule.name for rule in BEFORE_SEND if rule.may_shadow)
"""The rules that a tenant may try before they act (``SmsPolicy.shadow``)."""

GATES: Final = {
    "NEVER_RECORD": NEVER_RECORD,
    "BEFORE_TRANSCRIPT": BEFORE_TRANSCRIPT,
    "BEFORE_SEND": BEFORE_SEND,
}
"""The tables by name, in the order in which a message meets them."""
