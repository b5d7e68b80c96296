"""How much of the committed rate each network takes, and the tenant as a whole: flagged from a tenth on (VT-7).

VT-7 gives no guarantee for traffic to or from one network above ten percent of the committed rate. Plain arithmetic in
whole numbers over counts that the worker keeps; nothing is stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import msgspec
import phonenumbers

from policies.sms.numbers import parsed

FLAGGED_FROM: Final = Fraction(1, 10)

_NANP: Final = 1


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A committed rate: so many messages in so many seconds."""

    messages: int
    seconds: int

    def __post_init__(self) -> None:
        if self.messages < 1 or self.seconds < 1:
            raise ValueError("a rate has at least one message and one second")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one network (or the tenant: empty name) took: messages, and as a part of what was committed."""

    network: str
    messages: int
    share: Fraction
    flagged: bool


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant as a whole (flagged above what was committed), and its networks, the largest first."""

    tenant: Share
    networks: tuple[Share, ...]

    @property
    def flagged(self) -> tuple[Share, ...]:
        """The networks that take a tenth of the committed rate or more."""
        return tuple(share for share in self.networks if share.flagged)


def assess(counts: Mapping[str, int], seconds: int, committed: Rate) -> Assessment:
    """Shares of the committed rate, from messages per network (both directions) within a window of so many seconds.

    Raises ValueError for a window without length or a count below nothing.
    """
    if seconds < 1 or any(count < 0 for count in counts.values()):
        raise ValueError("counts and their window are not below nothing")
    allowance = Fraction(committed.messages * seconds, committed.seconds)
    largest_first = sorted(counts.items(), key=lambda count: (-count[1], count[0]))
    networks = tuple(_share(network, count, allowance, FLAGGED_FROM) for network, count in largest_first)
    tenant = _share("", sum(counts.values()), allowance, Fraction(1))
    return Assessment(tenant=msgspec.structs.replace(tenant, flagged=tenant.share > 1), networks=networks)


def _share(network: str, count: int, allowance: Fraction, limit: Fraction) -> Share:
    share = count / allowance
    return Share(network=network, messages=count, share=share, flagged=share >= limit)


def carrier_prefix(number: str) -> str:
    """What stands for a network that no callback has named: the country's code and the range's first digits.

    Area and exchange (six digits) in the North American plan, three national digits elsewhere; numbers are ported, so
    this is a guess. Empty for what is no E.164 number.
    """
    found = parsed(number)
    if found is None:
        return ""
    national = phonenumbers.national_significant_number(found)
    code = found.country_code
    return f"+{code}{national[: 6 if code == _NANP else 3]}"
