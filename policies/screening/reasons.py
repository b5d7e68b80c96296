"""Why a text is held: stable codes, the clauses of the terms that each serves, and what would change it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What is done with a text, from the mildest to the strictest."""

    PASS = "pass"  # noqa: S105 - no password
    QUARANTINE = "quarantine"
    BLOCK = "block"


class ScreenCode(StrEnum):
    """Stable words for why a text is held. Never renamed."""

    SPAM = "spam"
    PHISHING = "phishing"
    IMPERSONATION = "impersonation"
    DECEPTIVE_MARKETING = "deceptive_marketing"
    OBSCENE = "obscene"
    ABUSIVE = "abusive"
    THREATENING = "threatening"
    HATEFUL = "hateful"
    HOAX = "hoax"
    NUISANCE = "nuisance"
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


_FRAUD: Final = ("VT-1.3",)
_SPAM: Final = ("VT-1.5",)
_BOTH: Final = ("VT-1.3", "VT-1.5")
_ORIGIN: Final = ("VT-1.3", "VT-6")

CLAUSES: Final = {
    ScreenCode.SPAM: _SPAM,
    ScreenCode.PHISHING: _BOTH,
    ScreenCode.IMPERSONATION: _ORIGIN,
    ScreenCode.DECEPTIVE_MARKETING: _BOTH,
    ScreenCode.OBSCENE: _BOTH,
    ScreenCode.ABUSIVE: _BOTH,
    ScreenCode.THREATENING: _BOTH,
    ScreenCode.HATEFUL: _BOTH,
    ScreenCode.HOAX: _SPAM,
    ScreenCode.NUISANCE: _SPAM,
    ScreenCode.URL_FOREIGN: _ORIGIN,
    ScreenCode.URL_LOOKALIKE: _ORIGIN,
    ScreenCode.URL_HIDDEN: _ORIGIN,
    ScreenCode.URL_IP: _ORIGIN,
    ScreenCode.URL_PUNYCODE: _ORIGIN,
    ScreenCode.SHORTENER: _ORIGIN,
    ScreenCode.CHAT_INVITE: _ORIGIN,
    ScreenCode.EMAIL_FOREIGN: _ORIGIN,
    ScreenCode.NUMBER_FOREIGN: _ORIGIN,
    ScreenCode.TENANT_DENIED: _SPAM,
    ScreenCode.MARKETING_NO_OPTOUT: _SPAM,
    ScreenCode.PURPOSE_MISMATCH: _BOTH,
    ScreenCode.TOO_LONG: _SPAM,
}

_REGISTER_HOST: Final = "link to a host of the sender, or add this host to its register"
_REWORD: Final = "say it in other words, or have a person release it"

REMEDY: Final = {
    ScreenCode.SPAM: _REWORD,
    ScreenCode.PHISHING: "ask for no credentials or payments under pressure; send the reader to the sender's own address",
    ScreenCode.IMPERSONATION: "speak in the sender's own name, or add the brand to its register with evidence",
    ScreenCode.DECEPTIVE_MARKETING: "promise nothing that is not the sender's to give, and say who offers it",
    ScreenCode.OBSCENE: _REWORD,
    ScreenCode.ABUSIVE: _REWORD,
    ScreenCode.THREATENING: _REWORD,
    ScreenCode.HATEFUL: _REWORD,
    ScreenCode.HOAX: "do not ask the reader to pass it on",
    ScreenCode.NUISANCE: _REWORD,
    ScreenCode.URL_FOREIGN: _REGISTER_HOST,
    ScreenCode.URL_LOOKALIKE: _REGISTER_HOST,
    ScreenCode.URL_HIDDEN: "write the link as one plain address",
    ScreenCode.URL_IP: "link to a name, not to an address in digits",
    ScreenCode.URL_PUNYCODE: "link to a host in plain letters, or add this host to the register",
    ScreenCode.SHORTENER: "link to the sender's own host, or add the short link with its path to the register",
    ScreenCode.CHAT_INVITE: "invite into a conversation with a number or handle of the register only",
    ScreenCode.EMAIL_FOREIGN: "give an address at a host of the sender",
    ScreenCode.NUMBER_FOREIGN: "give a number of the sender, or add this number to its register",
    ScreenCode.TENANT_DENIED: "the tenant's own list names this",
    ScreenCode.MARKETING_NO_OPTOUT: "say how to opt out, for example: reply STOP",
    ScreenCode.PURPOSE_MISMATCH: "declare the purpose marketing",
    ScreenCode.TOO_LONG: "shorten the text",
}
"""One sentence for the reviewer, never for the submitter."""
