"""What may be answered: verdicts of one rule, the decision of a gate, and the reason codes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from policies.message import Content, Instant, Message, Private


class ReasonCode(StrEnum):
    """Stable words for why. Logs, decision records and documents use them; they are never renamed."""

    STORY_MENTION = "story_mention"
    STORY_REPLY = "story_reply"
    STORY_SHARE = "story_share"
    FACEBOOK_CDN = "facebook_cdn"
    VIEW_ONCE = "view_once"
    TENANT_HOST = "tenant_host"
    TENANT_KIND = "tenant_kind"
    TENANT_STANDBY = "tenant_standby"
    TENANT_HISTORY = "tenant_history"
    TENANT_PROFILE = "tenant_profile"
    TENANT_MEDIA = "tenant_media"
    GOVERNMENT_ID = "government_id"
    PAYMENT_CARD = "payment_card"
    UNSENT = "unsent"
    NOT_RECORDED = "not_recorded"
    TOO_OLD = "too_old"
    POLICY_ERROR = "policy_error"
    LEGAL_HOLD = "legal_hold"
    # Outbound texts: who sends, to whom (policies/reasons.py has each one's clauses).
    SENDER_UNKNOWN = "sender_unknown"
    SENDER_MALFORMED = "sender_malformed"
    SENDER_NOT_VALID = "sender_not_valid"
    SENDER_INBOUND_ONLY = "sender_inbound_only"
    SENDER_COUNTRY = "sender_country"
    SENDER_KIND = "sender_kind"
    SENDER_UNREGISTERED = "sender_unregistered"
    SENDER_GENERIC = "sender_generic"
    SENDER_PROTECTED = "sender_protected"
    SENDER_LOOKALIKE = "sender_lookalike"
    RECIPIENT_MALFORMED = "recipient_malformed"
    RECIPIENT_INVALID = "recipient_invalid"
    RECIPIENT_PREMIUM = "recipient_premium"
    RECIPIENT_EMERGENCY = "recipient_emergency"
    OPTED_OUT = "opted_out"
    OPT_OUT_UNCLEAR = "opt_out_unclear"
    # What they say (policies/screening/).
    SPAM = "spam"
    PHISHING = "phishing"
    IMPERSONATION = "impersonation"
    DECEPTIVE_MARKETING = "deceptive_marketing"
    OBSCENE = "obscene"
    ABUSIVE = "abusive"
    THREATENING = "threatening"
    HATEFUL = "hateful"
    DEFAMATORY = "defamatory"
    HOAX = "hoax"
    URL_FOREIGN = "url_foreign"
    URL_LOOKALIKE = "url_lookalike"
    URL_HIDDEN = "url_hidden"
    URL_IP = "url_ip"
    URL_PUNYCODE = "url_punycode"
    SHORTENER = "shortener"
    CHAT_INVITE = "chat_invite"
    EMAIL_FOREIGN = "email_foreign"
    NUMBER_FOREIGN = "number_foreign"
    TENANT_DENIED = "tenant_denied"
    MARKETING_NO_OPTOUT = "marketing_no_optout"
    PURPOSE_MISMATCH = "purpose_mismatch"
    TOO_LONG = "too_long"
    # How many there are, and when they go.
    NUISANCE = "nuisance"
    NEAR_DUPLICATES = "near_duplicates"
    SNOWSHOEING = "snowshoeing"
    BURST = "burst"
    NETWORK_SHARE = "network_share"
    QUIET_HOURS = "quiet_hours"
    ZONE_UNKNOWN = "zone_unknown"
    SEND_AFTER = "send_after"
    SEND_EXPIRED = "send_expired"
    # The sender's standing with its platform.
    ACCOUNT_REVOKED = "account_revoked"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_RESTRICTED = "account_restricted"
    ACCOUNT_UNREVIEWED = "account_unreviewed"
    # Of whom nothing is recorded.
    EXCLUDED_RECIPIENT = "excluded_recipient"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was done: the code, the rule that said so, and the clauses that it serves.

    ``shadow``: nothing was done; a tenant tries the rule, or this code of it, before it acts.
    """

    code: ReasonCode
    rule: str
    clauses: tuple[str, ...]
    shadow: bool = False


class Allow(msgspec.Struct, frozen=True):
    """Nothing to say against it."""


class Amend(Private, frozen=True, kw_only=True):
    """Keep it, with this content instead. Identity cannot be amended."""

    content: Content
    code: ReasonCode


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdicts below share: the first reason, ``also`` all others, and which of them the tenant only tries."""

    code: ReasonCode
    also: tuple[ReasonCode, ...] = ()
    shadow: tuple[ReasonCode, ...] = ()


class Flag(Objection, frozen=True, kw_only=True):
    """Let it go, and note this."""


class Delay(Objection, frozen=True, kw_only=True):
    """Not before this instant (outbound)."""

    until: Instant


class Quarantine(Objection, frozen=True, kw_only=True):
    """Withhold it for a person to look at."""


class Drop(Objection, frozen=True, kw_only=True):
    """Keep nothing of its content."""


Verdict = Allow | Amend | Flag | Delay | Quarantine | Drop

ALLOW = Allow()


def amended(before: Content, after: Content, code: ReasonCode) -> Verdict:
    """Amend, if there is anything to amend: a rule that is asked again about its own work allows it."""
    return ALLOW if after == before else Amend(content=after, code=code)


class Outcome(StrEnum):
    """What a gate decided in the end."""

    ALLOWED = "allowed"
    AMENDED = "amended"
    DELAYED = "delayed"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


class Decision(Private, frozen=True, kw_only=True):
    """A gate's answer with its trace: the message as it may go on (None when dropped), and why."""

    outcome: Outcome
    message: Message | None
    reasons: tuple[Reason, ...] = ()
    until: Instant | None = None
