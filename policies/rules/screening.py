"""What a text says and where it leads is judged against who sends it.

VT-1.3: no fraud, deception, harassment, obscenity or threats. VT-1.5: no spam, nothing abusive, indecent, menacing or
defamatory (an accusation is held: whether it is true no rule can tell), and no hoax. VT-6: no posing as somebody else, by a link or a number that is not the sender's own. What a person released is not
judged again, nor is the confirmation of an opt-out. See docs/screening.md.
"""

from __future__ import annotations

from typing import Final

from policies.message import Message
from policies.screening.action import Action
from policies.screening.context import ScreenContext, Screening
from policies.screening.screen import screen
from policies.sms.recipients import recipient_of
from policies.tenant import Facts
from policies.verdict import ALLOW, Drop, Flag, Quarantine, ReasonCode, Verdict

CODES: Final = (
    ReasonCode.SPAM,
    ReasonCode.PHISHING,
    ReasonCode.IMPERSONATION,
    ReasonCode.DECEPTIVE_MARKETING,
    ReasonCode.OBSCENE,
    ReasonCode.ABUSIVE,
    ReasonCode.THREATENING,
    ReasonCode.HATEFUL,
    ReasonCode.DEFAMATORY,
    ReasonCode.HOAX,
    ReasonCode.URL_FOREIGN,
    ReasonCode.URL_LOOKALIKE,
    ReasonCode.URL_HIDDEN,
    ReasonCode.URL_IP,
    ReasonCode.URL_PUNYCODE,
    ReasonCode.SHORTENER,
    ReasonCode.CHAT_INVITE,
    ReasonCode.EMAIL_FOREIGN,
    ReasonCode.NUMBER_FOREIGN,
    ReasonCode.TENANT_DENIED,
    ReasonCode.MARKETING_NO_OPTOUT,
    ReasonCode.PURPOSE_MISMATCH,
    ReasonCode.TOO_LONG,
)


def check(message: Message, facts: Facts) -> Verdict:
    """Withhold or refuse a text as the screening says; note what it only notes."""
    if facts.sending.excused:
        return ALLOW
    screening = screened(message, facts)
    if not screening.reasons:
        return ALLOW
    code, *others = dict.fromkeys(finding.code for finding in screening.reasons)
    tried = tuple(dict.fromkeys(finding.code for finding in screening.reasons if finding.shadow))
    return _VERDICTS[screening.action](code=code, also=tuple(others), shadow=tried)


def screened(message: Message, facts: Facts) -> Screening:
    """The judgement with its score and evidence, for reviewers of a text that is held. Some 300 µs."""
    send = facts.sending
    context = ScreenContext(
        sender=message.account,
        recipient=recipient_of(message),
        purpose=send.purpose,
        register=send.sms.owned,
    )
    return screen(message.content.text or "", context, send.sms.screening)


_VERDICTS: Final[dict[Action, type[Flag | Quarantine | Drop]]] = {
    Action.PASS: Flag,
    Action.QUARANTINE: Quarantine,
    Action.BLOCK: Drop,
}
