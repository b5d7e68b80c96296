"""Who may send to whom: a register of senders per tenant, and what the recipient's country takes.

VT-6: no falsified sending address, and evidence of its origin. VT-8: only numbers that are owned or legally authorised,
only DID and toll-free numbers unless the recipient's country has rules for other kinds, none that were bought for
inbound traffic only. Every objection is named, not only the first: who has to mend the register sees all there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import phonenumbers

from policies.message import Instant, Private
from policies.sms.countries import COUNTRIES, NONE, Registry, SenderKind
from policies.sms.names import GENERIC, PROTECTED, passes_for, skeleton
from policies.sms.numbers import E164, country, parsed
from policies.verdict import ReasonCode

_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_.+-]{1,11}")
_SHORT: Final = re.compile(r"[0-9]{3,8}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class Evidence(StrEnum):
    """What shows that the tenant may use a number or a name."""

    OWNED = "owned"
    LETTER_OF_AUTHORISATION = "letter_of_authorisation"
    PROVIDER_ACCOUNT = "provider_account"
    REGISTRY = "registry"


class Registration(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry in somebody's register: a 10DLC campaign, a toll-free verification, a sender name; valid until then."""

    registry: Registry
    id: str
    valid_until: Instant | None = None


class Sender(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sender of a tenant. Made by ``msgspec.convert`` it is checked; what does not fit raises, without values.

    ``address``: E.164, a short code's digits, or a name of at most eleven characters. ``country``: where the number is
    from, or where the name is registered. ``serves``: the countries to which it may send; ``country`` if empty.
    ``evidence`` and ``reference`` (a document's or account's name): what VT-6 asks to be kept.
    """

    address: str
    kind: SenderKind
    owner: str
    evidence: Evidence
    reference: str
    country: str
    serves: tuple[str, ...] = ()
    registrations: tuple[Registration, ...] = ()
    inbound_only: bool = False
    valid_from: Instant | None = None
    valid_until: Instant | None = None

    def __post_init__(self) -> None:
        if not _fits(self.address, self.kind):
            raise ValueError("address is not of its kind")
        if not all(map(_COUNTRY.fullmatch, (self.country, *self.serves))):
            raise ValueError("a country is two capital letters")
        if not (self.owner.strip() and self.reference.strip()):
            raise ValueError("owner and reference are needed as evidence")
        if self.kind in _NUMBERS and self.country not in _home(self.address, self.kind):
            raise ValueError("the number is not from that country")
        if None not in (self.valid_from, self.valid_until) and (self.valid_from or 0) >= (
            self.valid_until or 0
        ):
            raise ValueError("valid_until is not after valid_from")

    def registered(self, registry: Registry, now: Instant) -> bool:
        """Whether it has such a registration, and a valid one."""
        return any(
            found.registry is registry and (found.valid_until is None or now < found.valid_until)
            for found in self.registrations
        )


class Register(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant's senders, its own brands, and the brands and names of all other tenants (handed in by the worker)."""

    senders: tuple[Sender, ...] = ()
    brands: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        addresses = [sender.address for sender in self.senders]
        if len(set(addresses)) != len(addresses):
            raise ValueError("a sender stands there twice")


class Authorisation(Private, frozen=True, kw_only=True):
    """``codes``: every objection, none if it may be sent. ``sender``: the register's entry, if there is one."""

    codes: tuple[ReasonCode, ...]
    sender: Sender | None = None

    @property
    def granted(self) -> bool:
        """Whether nothing stands against it."""
        return not self.codes


def authorise(sender: str, recipient: str, register: Register, now: Instant) -> Authorisation:
    """Whether this sender may send to the recipient's country now. Some 50 µs, most of it for the numbering plan.

    Whether the recipient is a number at all is ``recipients.objection``'s to say.
    """
    entry = next((one for one in register.senders if one.address == sender), None)
    codes = _against(entry, recipient, register, now) if entry else _against_stranger(sender, register)
    return Authorisation(codes=tuple(dict.fromkeys(codes)), sender=entry)


# --- a sender that is in the register --------------------------------------------------------------------------------------


def _against(entry: Sender, recipient: str, register: Register, now: Instant) -> Iterator[ReasonCode]:
    if not (entry.valid_from or now) <= now < (entry.valid_until or now + 1):
        yield ReasonCode.SENDER_NOT_VALID
    if entry.inbound_only:
        yield ReasonCode.SENDER_INBOUND_ONLY
    if entry.kind is SenderKind.ALPHANUMERIC:
        yield from _against_name(entry.address, register, trusted=_is_registered_name(entry, now))
    where = country(recipient)
    if where is not None:
        yield from _against_country(entry, where, now)


def _against_country(entry: Sender, where: str, now: Instant) -> Iterator[ReasonCode]:
    rules = COUNTRIES.get(where, NONE)
    if where not in (entry.serves or (entry.country,)):
        yield ReasonCode.SENDER_COUNTRY
    if not rules.takes(entry.kind, entry.address):
        yield ReasonCode.SENDER_KIND
    wanted = rules.wanted(entry.kind, now)
    if wanted is not None and not entry.registered(wanted, now):
        yield ReasonCode.SENDER_UNREGISTERED


def _is_registered_name(entry: Sender, now: Instant) -> bool:
    """By a body that asks for proof of who bears the name: such an entry settles whose it is."""
    return any(entry.registered(registry, now) for registry in _NAMES_REGISTRIES)


# --- a sender that is not --------------------------------------------------------------------------------------------------


def _against_stranger(sender: str, register: Register) -> Iterator[ReasonCode]:
    yield ReasonCode.SENDER_UNKNOWN
    if not any(_fits(sender, kind) for kind in SenderKind):
        yield ReasonCode.SENDER_MALFORMED
    if not E164.fullmatch(sender) and not _SHORT.fullmatch(sender):
        yield from _against_name(sender, register, trusted=False)
        if any(passes_for(sender, own) for own in _own_names(register)):
            yield ReasonCode.SENDER_LOOKALIKE


def _own_names(register: Register) -> Iterable[str]:
    names = (one.address for one in register.senders if one.kind is SenderKind.ALPHANUMERIC)
    return (*names, *register.brands)


def _against_name(name: str, register: Register, *, trusted: bool) -> Iterator[ReasonCode]:
    bare = skeleton(name)
    if bare in GENERIC:
        yield ReasonCode.SENDER_GENERIC
    if trusted:
        return
    if any(passes_for(name, word) for word in PROTECTED):
        yield ReasonCode.SENDER_PROTECTED
    if any(passes_for(name, other) for other in register.others):
        yield ReasonCode.SENDER_LOOKALIKE


# --- what an address looks like --------------------------------------------------------------------------------------------

_NUMBERS: Final = frozenset({SenderKind.DID, SenderKind.TOLL_FREE})
_NAMES_REGISTRIES: Final = (Registry.SSIR, Registry.ACMA, Registry.OFCOM, Registry.COMREG, Registry.CNMC)


def _fits(address: str, kind: SenderKind) -> bool:
    match kind:
        case SenderKind.SHORT_CODE:
            return _SHORT.fullmatch(address) is not None
        case SenderKind.ALPHANUMERIC:
            return _NAME.fullmatch(address) is not None and address == address.strip()
        case SenderKind.DID | SenderKind.TOLL_FREE:
            return _is_number(address, kind)


def _is_number(address: str, kind: SenderKind) -> bool:
    number = parsed(address)
    if number is None or not phonenumbers.is_possible_number(number):
        return False
    is_toll_free = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.TOLL_FREE
    return is_toll_free is (kind is SenderKind.TOLL_FREE)


def _home(address: str, kind: SenderKind) -> tuple[str, ...]:
    """Whose number it is; every country of its code for toll-free numbers and ranges that the plan does not name."""
    where = country(address) if kind is SenderKind.DID else None
    number = parsed(address)
    code = (number and number.country_code) or 0
    return (where,) if where else tuple(phonenumbers.region_codes_for_country_code(code))
