"""Payment cards: issuer ranges (ISO/IEC 7812, as the schemes publish theirs) and Luhn's check digit."""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.checks import all_same, luhn
from policies.identifiers.kind import Family, Kind


def valid(digits: str) -> bool:
    """A scheme issues this range in this length, and the check digit is right."""
    six = int(digits[:6])
    issued = any(first <= six <= last and len(digits) in lengths for first, last, lengths in _RANGES)
    return issued and luhn(digits) and not all_same(digits)


_RANGES: Final = (
    (400000, 499999, (13, 16, 19)),  # Visa
    (510000, 559999, (16,)),  # Mastercard
    (222100, 272099, (16,)),
    (340000, 349999, (15,)),  # American Express
    (370000, 379999, (15,)),
    (300000, 305999, (14, 16)),  # Diners Club
    (309500, 309599, (14, 16)),
    (360000, 369999, (14, 16, 19)),
    (380000, 399999, (14, 16, 19)),
    (601100, 601199, (16, 19)),  # Discover
    (644000, 659999, (16, 19)),
    (620000, 629999, (16, 17, 18, 19)),  # UnionPay
    (810000, 817199, (16, 17, 18, 19)),
    (352800, 358999, (16, 17, 18, 19)),  # JCB
    (500000, 509999, tuple(range(12, 20))),  # Maestro, Elo, RuPay, Dankort
    (560000, 599999, tuple(range(12, 20))),
    (600000, 699999, tuple(range(12, 20))),
    (220000, 220499, (16, 17, 18, 19)),  # Mir
    (979200, 979289, (16,)),  # Troy
)

_FIRST: Final = r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|35\d\d|6(?:011|4[4-9]\d|5\d\d|2\d\d))"
_GROUPED: Final = rf"{_FIRST}([ .\-_/])\d{{4}}\1\d{{4}}\1\d{{4}}|3[47]\d\d([ .\-_/])\d{{6}}\2\d{{5}}"
_BARE: Final = rf"{_FIRST}\d{{12}}|3[47]\d{{13}}|3(?:0[0-5]|[689]\d)\d{{11}}|3(?:0[0-5]|[689]\d)\d([ .-])\d{{6}}\3\d{{4}}"

KIND: Final = Kind(
    name="card",
    shapes=tuple("9" * length for length in range(12, 20)),
    valid=valid,
    words="""card|cards|card number|card no|card nr|card num|cc number|cc|ccn|credit card|debit card|credit|debit|visa|visa card|
    mastercard|master card|maestro|amex|american express|diners|diners club|discover|jcb|unionpay|rupay|bancontact|
    carte|carte bleue|carte bancaire|carte de credit|carte de paiement|numero de carte|numero carte|cb|
    tarjeta|tarjeta de credito|tarjeta de debito|numero de tarjeta|
    karte|kreditkarte|kreditkartennummer|kreditkartennr|kartennummer|kartennr|karten nr|bankkarte|debitkarte|girocard""",
    alone=re.compile(rf"{_GROUPED}|{_BARE}|\d(?:[ .\-_]\d){{13,18}}"),
    certain=re.compile(_GROUPED),
    family=Family.PAYMENT,
)
