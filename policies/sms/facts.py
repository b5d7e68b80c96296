"""What the rules of BEFORE_SEND may know of a text beyond the text: handed in by the worker, never fetched by a rule."""

from __future__ import annotations

from policies.event import AccountState
from policies.message import Instant, Private
from policies.sms.policy import Prepared
from policies.sms.purpose import Purpose


class SendFacts(Private, frozen=True, kw_only=True):
    """One submission's circumstances. Counts are of the time before this text, within the policy's own windows.

    ``campaign`` is what the submitter named, "" for none. ``opted_out``: an opt-out stands, within the tenant's scope.
    ``answers_opt_out``: this is the one confirmation of an opt-out, made by the worker itself. ``reviewed``: a person
    released it, so that what it says is not judged again (opt-out, hours and sender are). ``stored_zone`` and ``place``
    are the recipient's own, where somebody told them. ``to_recipient``: texts to this recipient; ``from_sender``: texts of
    this sender (burst); ``alike_recipients`` and ``alike_senders``: recipients and senders of near-duplicates;
    ``same_to_recipient``: near-duplicates to this very recipient. ``crowded_network``: the recipient's network takes a
    tenth of the committed rate or more. ``standing``: the sender's, with its platform.
    """

    sms: Prepared
    purpose: Purpose
    campaign: str = ""
    send_after: Instant | None = None
    not_after: Instant | None = None
    opted_out: bool = False
    answers_opt_out: bool = False
    reviewed: bool = False
    stored_zone: str | None = None
    place: str | None = None
    to_recipient: int = 0
    same_to_recipient: int = 0
    from_sender: int = 0
    alike_recipients: int = 0
    alike_senders: int = 0
    crowded_network: bool = False
    standing: AccountState = AccountState.ACTIVE

    @property
    def excused(self) -> bool:
        """Whether neither its words nor how many there are count: a person released it, or it confirms an opt-out."""
        return self.reviewed or self.answers_opt_out
