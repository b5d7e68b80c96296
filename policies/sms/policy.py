"""What a tenant says about its texts (``[sms]`` in its file), and the same made ready for the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from policies.message import Private
from policies.screening.context import Register as Owned
from policies.screening.context import ScreeningPolicy, ScreeningTuning
from policies.screening.patterns import template
from policies.sms.senders import Register, Sender
from policies.sms.traffic import Rate


class Scope(StrEnum):
    """How far an opt-out reaches (47 CFR 64.1200(a)(10): revocation by any reasonable means)."""

    TENANT = "tenant"
    SENDER = "sender"
    CAMPAIGN = "campaign"


TWENTY_A_DAY: Final = Rate(messages=20, seconds=86_400)


class SmsPolicy(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant's texts: its senders, what it owns, how strictly it is judged. The defaults are strict.

    ``brands``, ``hosts``, ``numbers``: the tenant's own, against which a text is judged; ``templates``: texts with typed
    slots that pass the model (never the hard rules, never ownership). ``opt_out_scope``: how far a STOP reaches.
    ``confirmations``: by language, the one confirmation of an opt-out. ``help``: by language, the answer to HELP.
    ``committed_rate``: for the shares of networks (VT-7). ``recipient_rate``: texts to one recipient
    (marketing; three times that for all others, ``policies/rules/nuisance.py``). ``burst``: texts of
    one sender before a person looks. ``alike_recipients``: near-duplicates that match no template, to so many recipients
    within a day, are a campaign that nobody declared; ``alike_senders``: the same text from so many senders is
    snowshoeing. ``sender_rate``: what one sender may send, at most, to one class of carrier: more waits.
    ``shadow``: rules of BEFORE_SEND that are asked and recorded, and do not act (``policies.rules.SHADOWABLE``). ``smart_encoding``: typographic
    characters become GSM-7 before the text is judged.
    """

    senders: tuple[Sender, ...] = ()
    brands: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    opt_out_scope: Scope = Scope.TENANT
    confirmations: Mapping[str, str] = {}
    help: Mapping[str, str] = {}
    committed_rate: Rate | None = None
    recipient_rate: Rate = TWENTY_A_DAY
    burst: Rate = Rate(messages=2_000, seconds=60)
    alike_recipients: int = 200
    alike_senders: int = 3
    sender_rate: Rate = Rate(messages=10, seconds=1)
    shadow: tuple[str, ...] = ()
    smart_encoding: bool = False
    screening: ScreeningTuning = ScreeningTuning()


class Prepared(Private, frozen=True, kw_only=True):
    """An ``SmsPolicy`` with patterns compiled and registers looked up; ``Prepared.of`` makes one."""

    policy: SmsPolicy
    register: Register
    owned: Owned
    screening: ScreeningPolicy

    @classmethod
    def of(cls, policy: SmsPolicy, others: Iterable[str] = ()) -> Prepared:
        """Make ready. ``others`` are the brands and names of all other tenants. Raises ValueError, without values."""
        own_numbers = (*policy.numbers, *(sender.address for sender in policy.senders))
        return cls(
            policy=policy,
            register=Register(senders=policy.senders, brands=policy.brands, others=frozenset(others)),
            owned=Owned.of(policy.hosts, own_numbers, policy.brands, map(template, policy.templates)),
            screening=ScreeningPolicy.of(policy.screening),
        )
