"""What each country takes for a sender: kinds, and the registrations that it asks for (``countries.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final

import msgspec

from policies.message import Instant

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SenderKind(StrEnum):
    """What a sender is to carriers."""

    DID = "did"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"


class Registry(StrEnum):
    """Who keeps a register of senders, or verifies them."""

    TEN_DLC = "10dlc"
    TOLL_FREE_VERIFICATION = "toll_free_verification"
    SSIR = "ssir"
    ACMA = "acma"
    OFCOM = "ofcom"
    COMREG = "comreg"
    CNMC = "cnmc"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registration that is asked for since that day (midnight UTC)."""

    registry: Registry
    since: date


class Country(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the table. DID and toll-free numbers are taken everywhere."""

    source: str = ""
    names: bool = False
    short_codes: bool = False
    short_code_digits: tuple[int, int] = (3, 8)
    wants: Mapping[SenderKind, Wanted] = {}

    def takes(self, kind: SenderKind, address: str) -> bool:
        """Whether a sender of this kind reaches anybody there."""
        match kind:
            case SenderKind.ALPHANUMERIC:
                return self.names
            case SenderKind.SHORT_CODE:
                shortest, longest = self.short_code_digits
                return self.short_codes and shortest <= len(address) <= longest
            case SenderKind.DID | SenderKind.TOLL_FREE:
                return True

    def wanted(self, kind: SenderKind, now: Instant) -> Registry | None:
        """The registration that such a sender needs by now."""
        row = self.wants.get(kind)
        return row.registry if row and _instant(row.since) <= now else None


def _instant(day: date) -> Instant:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _countries() -> dict[str, Country]:
    text = files(__package__).joinpath("countries.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    del table["revision"]
    return msgspec.convert(table, dict[str, Country])


COUNTRIES: Final = _countries()
NONE: Final = Country()
"""A country without a row: DID and toll-free numbers only."""
