"""What each reason means: a sentence, the clauses that it serves, and what would change it. The data of all codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.lifecycle import CLAUSES as DUTIES
from policies.lifecycle import Duty
from policies.verdict import ReasonCode

_ORIGIN: Final = ("VT-6", "VT-8")
_POSING: Final = ("VT-1.3", "VT-6")
_FRAUD: Final = ("VT-1.3", "VT-1.5")
_SPAM: Final = ("VT-1.5",)
_OWN_TIME: Final = ("VT-1",)
_STANDING: Final = ("SM-2", "SM-4")
_EXCLUDED: Final = ("PP-3", "PP-8")

CLAUSES: Final[dict[ReasonCode, tuple[str, ...]]] = {
    ReasonCode.LEGAL_HOLD: DUTIES[Duty.LEGAL_HOLD],
    ReasonCode.NOT_RECORDED: _EXCLUDED,
    ReasonCode.SENDER_UNKNOWN: _ORIGIN,
    ReasonCode.SENDER_MALFORMED: _ORIGIN,
    ReasonCode.SENDER_NOT_VALID: _ORIGIN,
    ReasonCode.SENDER_INBOUND_ONLY: ("VT-8",),
    ReasonCode.SENDER_COUNTRY: _ORIGIN,
    ReasonCode.SENDER_KIND: ("VT-8",),
    ReasonCode.SENDER_UNREGISTERED: _ORIGIN,
    ReasonCode.SENDER_GENERIC: _POSING,
    ReasonCode.SENDER_PROTECTED: _POSING,
    ReasonCode.SENDER_LOOKALIKE: _POSING,
    ReasonCode.RECIPIENT_MALFORMED: ("VT-1.1",),
    ReasonCode.RECIPIENT_INVALID: ("VT-1.1",),
    ReasonCode.RECIPIENT_PREMIUM: ("VT-1.1", "VT-1.3"),
    ReasonCode.RECIPIENT_EMERGENCY: ("VT-1.1", "VT-1.5"),
    ReasonCode.OPTED_OUT: _FRAUD,
    ReasonCode.OPT_OUT_UNCLEAR: _FRAUD,
    ReasonCode.SPAM: _SPAM,
    ReasonCode.PHISHING: _FRAUD,
    ReasonCode.IMPERSONATION: _POSING,
    ReasonCode.DECEPTIVE_MARKETING: _FRAUD,
    ReasonCode.OBSCENE: _FRAUD,
    ReasonCode.ABUSIVE: _FRAUD,
    ReasonCode.THREATENING: _FRAUD,
    ReasonCode.HATEFUL: _FRAUD,
    ReasonCode.DEFAMATORY: _FRAUD,
    ReasonCode.HOAX: _SPAM,
    ReasonCode.URL_FOREIGN: _POSING,
    ReasonCode.URL_LOOKALIKE: _POSING,
    ReasonCode.URL_HIDDEN: _POSING,
    ReasonCode.URL_IP: _POSING,
    ReasonCode.URL_PUNYCODE: _POSING,
    ReasonCode.SHORTENER: _POSING,
    ReasonCode.CHAT_INVITE: _POSING,
    ReasonCode.EMAIL_FOREIGN: _POSING,
    ReasonCode.NUMBER_FOREIGN: _POSING,
    ReasonCode.TENANT_DENIED: _SPAM,
    ReasonCode.MARKETING_NO_OPTOUT: _SPAM,
    ReasonCode.PURPOSE_MISMATCH: _FRAUD,
    ReasonCode.TOO_LONG: _SPAM,
    ReasonCode.NUISANCE: _SPAM,
    ReasonCode.NEAR_DUPLICATES: _SPAM,
    ReasonCode.SNOWSHOEING: ("VT-1.5", "VT-6"),
    ReasonCode.BURST: ("VT-1.1", "VT-1.5"),
    ReasonCode.NETWORK_SHARE: ("VT-7",),
    ReasonCode.QUIET_HOURS: _FRAUD,
    ReasonCode.ZONE_UNKNOWN: _FRAUD,
    ReasonCode.SEND_AFTER: _OWN_TIME,
    ReasonCode.SEND_EXPIRED: _OWN_TIME,
    ReasonCode.ACCOUNT_REVOKED: _STANDING,
    ReasonCode.ACCOUNT_SUSPENDED: _STANDING,
    ReasonCode.ACCOUNT_RESTRICTED: _STANDING,
    ReasonCode.ACCOUNT_UNREVIEWED: _STANDING,
    ReasonCode.EXCLUDED_RECIPIENT: _EXCLUDED,
}
"""Of the reasons of outbound texts, whose rules have many. What is not here serves the clauses of its rule's row."""

WORDS: Final[dict[ReasonCode, str]] = {
    ReasonCode.STORY_MENTION: "Media that came through a story mention: a placeholder stands in its place.",
    ReasonCode.STORY_REPLY: "The story that was replied to: a placeholder stands in its place.",
    ReasonCode.STORY_SHARE: "A shared story: a placeholder stands in its place.",
    ReasonCode.FACEBOOK_CDN: "A URL of the platform's content network: removed, and where it was an id, withheld.",
    ReasonCode.VIEW_ONCE: "View-once media: a placeholder stands in its place.",
    ReasonCode.TENANT_HOST: "A URL of a host that the tenant lists: removed.",
    ReasonCode.TENANT_KIND: "A kind of message that the tenant never records: dropped.",
    ReasonCode.TENANT_STANDBY: "A copy from another application's thread that the tenant does not record: dropped.",
    ReasonCode.TENANT_HISTORY: "From a history synchronisation that the tenant does not record: dropped.",
    ReasonCode.TENANT_PROFILE: "Names that the tenant does not record: left out.",
    ReasonCode.TENANT_MEDIA: "Media references that the tenant does not record: left out.",
    ReasonCode.GOVERNMENT_ID: "A government identification number: a token stands in its place.",
    ReasonCode.PAYMENT_CARD: "A payment card's number: a token stands in its place.",
    ReasonCode.UNSENT: "Its sender has taken it back: dropped.",
    ReasonCode.NOT_RECORDED: "Of a person of whom nothing is recorded: dropped.",
    ReasonCode.TOO_OLD: "Older, by its own timestamp, than the tenant keeps anything: dropped.",
    ReasonCode.EXCLUDED_RECIPIENT: "Nothing is recorded of the recipient: a person decides whether it goes.",
    ReasonCode.POLICY_ERROR: (
        "A rule raised: the message is withheld (quarantine); before NEVER_RECORD is through, only its shape is kept."
    ),
    ReasonCode.LEGAL_HOLD: "It had to go and a legal hold covers it: kept where nobody sees it until the hold is lifted.",
    ReasonCode.SENDER_UNKNOWN: "The tenant has no such sender in its register: refused.",
    ReasonCode.SENDER_MALFORMED: "No number in E.164, no short code and no name of at most eleven characters: refused.",
    ReasonCode.SENDER_NOT_VALID: "The sender's authorisation has not begun or has ended: refused.",
    ReasonCode.SENDER_INBOUND_ONLY: "The number was bought for inbound traffic only: refused.",
    ReasonCode.SENDER_COUNTRY: "The sender is not authorised for the recipient's country: refused.",
    ReasonCode.SENDER_KIND: "The recipient's country takes no sender of this kind: refused.",
    ReasonCode.SENDER_UNREGISTERED: "The recipient's country wants a registration that the sender has not: refused.",
    ReasonCode.SENDER_GENERIC: "The sender's name is a word that anybody could use (Alert, Info, Verify): refused.",
    ReasonCode.SENDER_PROTECTED: "The sender's name is a public body's and not registered for this tenant: refused.",
    ReasonCode.SENDER_LOOKALIKE: "The sender's name passes for another's, or for one of the tenant's own: refused.",
    ReasonCode.RECIPIENT_MALFORMED: "The recipient is no number in E.164: refused.",
    ReasonCode.RECIPIENT_INVALID: "The recipient's numbering plan has no such number: refused.",
    ReasonCode.RECIPIENT_PREMIUM: "The recipient is a premium-rate or shared-cost number: refused.",
    ReasonCode.RECIPIENT_EMERGENCY: "The recipient is an emergency number: refused.",
    ReasonCode.OPTED_OUT: "The recipient asked for no more texts: refused.",
    ReasonCode.OPT_OUT_UNCLEAR: "An inbound text may be an opt-out: a person reads it.",
    ReasonCode.SPAM: "It reads like unsolicited bulk texts: a person looks at it.",
    ReasonCode.PHISHING: "It presses for credentials, codes or payments as frauds do: held, or refused where it is certain.",
    ReasonCode.IMPERSONATION: "It speaks in the name of another organisation or person: a person looks at it.",
    ReasonCode.DECEPTIVE_MARKETING: "It promises prizes, loans, jobs or gains as deceivers do: a person looks at it.",
    ReasonCode.OBSCENE: "Sexual or indecent wording: a person looks at it.",
    ReasonCode.ABUSIVE: "Insulting wording: a person looks at it.",
    ReasonCode.THREATENING: "It threatens: a person looks at it.",
    ReasonCode.HATEFUL: "Wording against people for what they are: held, and slurs refused.",
    ReasonCode.DEFAMATORY: "It accuses somebody, which is defamation unless it is true: a person looks at it.",
    ReasonCode.HOAX: "A chain letter or false alarm that asks to be passed on: a person looks at it.",
    ReasonCode.URL_FOREIGN: "A link to a host that is not in the sender's register: a person looks at it.",
    ReasonCode.URL_LOOKALIKE: "A link to a host that wears one of the tenant's own names: a person looks at it.",
    ReasonCode.URL_HIDDEN: "A link that is split, disguised or cannot be read: a person looks at it.",
    ReasonCode.URL_IP: "A link to an address in digits: a person looks at it.",
    ReasonCode.URL_PUNYCODE: "A link to a host in letters that pass for others: a person looks at it.",
    ReasonCode.SHORTENER: "A public link shortener, which hides where it leads: a person looks at it.",
    ReasonCode.CHAT_INVITE: "An invitation into a chat that is not in the sender's register: a person looks at it.",
    ReasonCode.EMAIL_FOREIGN: "An address to write to that is not at a host of the sender: a person looks at it.",
    ReasonCode.NUMBER_FOREIGN: "A number to call or text that is not in the sender's register: a person looks at it.",
    ReasonCode.TENANT_DENIED: "The tenant's own list names something in it: refused.",
    ReasonCode.MARKETING_NO_OPTOUT: "Marketing that does not say how to opt out: noted, and held where the tenant says so.",
    ReasonCode.PURPOSE_MISMATCH: "Declared transactional, and reads like marketing: noted, and held where the tenant says so.",
    ReasonCode.TOO_LONG: "Longer than the tenant lets a text be: a person looks at it.",
    ReasonCode.NUISANCE: "More texts to this recipient, or more often the same one, than anybody needs: a person looks at it.",
    ReasonCode.NEAR_DUPLICATES: "Alike texts to so many recipients are a campaign, and none was named: a person looks at it.",
    ReasonCode.SNOWSHOEING: "Alike texts from so many senders spread a campaign out of sight: a person looks at it.",
    ReasonCode.BURST: "More texts of this sender at once than it usually has: a person looks at it.",
    ReasonCode.NETWORK_SHARE: "One network takes a tenth of the committed rate or more: flagged, not stopped.",
    ReasonCode.QUIET_HOURS: "Marketing outside the hours of every time zone that the recipient may be in: delayed.",
    ReasonCode.ZONE_UNKNOWN: "No common hour, or no known time zone, for marketing: a person stores a zone.",
    ReasonCode.SEND_AFTER: "The submitter asked for a later time: delayed.",
    ReasonCode.SEND_EXPIRED: "It could go only after its do-not-send-after: expired.",
    ReasonCode.ACCOUNT_REVOKED: "The platform has taken the sender's access away: delayed until it is restored.",
    ReasonCode.ACCOUNT_SUSPENDED: "The platform has suspended the sender: delayed until that ends.",
    ReasonCode.ACCOUNT_RESTRICTED: "The platform restricts the sender: delayed until that ends.",
    ReasonCode.ACCOUNT_UNREVIEWED: "The platform has not reviewed the sender yet: delayed until it has.",
}
"""A sentence for each, for answers, documents and listings. It says what is done where no tenant is stricter."""

_REGISTER_HOST: Final = "link to a host of the sender, or add this host to its register"
_REWORD: Final = "say it in other words, or have a person release it"

REMEDY: Final[dict[ReasonCode, str]] = {
    ReasonCode.SPAM: _REWORD,
    ReasonCode.PHISHING: "ask for no credentials or payments under pressure; send the reader to the sender's own address",
    ReasonCode.IMPERSONATION: "speak in the sender's own name, or add the brand to its register with evidence",
    ReasonCode.DECEPTIVE_MARKETING: "promise nothing that is not the sender's to give, and say who offers it",
    ReasonCode.OBSCENE: _REWORD,
    ReasonCode.ABUSIVE: _REWORD,
    ReasonCode.THREATENING: _REWORD,
    ReasonCode.HATEFUL: _REWORD,
    ReasonCode.DEFAMATORY: "accuse nobody, or have a person release it who knows that it is true and may be said",
    ReasonCode.HOAX: "do not ask the reader to pass it on",
    ReasonCode.URL_FOREIGN: _REGISTER_HOST,
    ReasonCode.URL_LOOKALIKE: _REGISTER_HOST,
    ReasonCode.URL_HIDDEN: "write the link as one plain address",
    ReasonCode.URL_IP: "link to a name, not to an address in digits",
    ReasonCode.URL_PUNYCODE: "link to a host in plain letters, or add this host to the register",
    ReasonCode.SHORTENER: "link to the sender's own host, or add the short link with its path to the register",
    ReasonCode.CHAT_INVITE: "invite into a conversation with a number or handle of the register only",
    ReasonCode.EMAIL_FOREIGN: "give an address at a host of the sender",
    ReasonCode.NUMBER_FOREIGN: "give a number of the sender, or add this number to its register",
    ReasonCode.TENANT_DENIED: "the tenant's own list names this",
    ReasonCode.MARKETING_NO_OPTOUT: "say how to opt out, for example: reply STOP",
    ReasonCode.PURPOSE_MISMATCH: "declare the purpose marketing",
    ReasonCode.TOO_LONG: "shorten the text",
}
"""What would change a screening's judgement: for the reviewer, never for the submitter."""


def clauses_of(codes: Iterable[ReasonCode]) -> tuple[str, ...]:
    """Every clause that these reasons serve, once, in order."""
    return tuple(sorted({clause for code in codes for clause in CLAUSES[code]}))
