"""The three or four digits on a card that prove its possession: nobody may keep them after authorisation (PCI DSS 3.3).

They have no check digit: a word has to stand right beside them, or the card itself.
"""

from __future__ import annotations

import re
from typing import Final

from policies.identifiers.kind import Family, Kind


def valid(digits: str) -> bool:
    """Any three or four digits."""
    return len(digits) in (3, 4)


KIND: Final = Kind(
    name="cvv",
    shapes=("999", "9999"),
    valid=valid,
    words="""cvv|cvv2|cvc|cvc2|cvn|cvn2|cvv number|cvv code|cvc code|code cvv|code cvc|codigo cvv|codigo cvc|
    card security code|card verification|card verification value|card verification code|card verification number|
    crypto|cryptogramme|cryptogramme visuel|codigo de seguridad de la tarjeta|codigo de verificacion de la tarjeta|
    kartenprufnummer|kartenprufziffer|kartensicherheitscode""",
    doubtful="""security code|verification code|security number|code|csc|cid|3 digits|three digits|last three|back of the card|
    on the back|code de securite|code au dos|chiffres au dos|au dos|codigo de seguridad|codigo|numero de seguridad|
    al dorso|detras|prufnummer|prufziffer|sicherheitscode|sicherheitsnummer|code auf der ruckseite|ruckseite""",
    written=re.compile(r"\d+"),
    reach=0,
    family=Family.PAYMENT,
)

BEHIND: Final = re.compile(
    r"[ ,;|/\n]{1,3}"
    r"(?:(?:exp\w{0,8}|valid\w{0,4}|vence|caduca\w{0,5}|gultig bis|bis|ablauf\w{0,6}|date)?[:. ]{0,2}"
    r"(?:0[1-9]|1[0-2]) ?[/\-. ] ?(?:20)?\d\d[ ,;|/\n]{1,3})?"
    r"(?P<cvv>\d{3,4})(?=\s*(?:$|[,;!?)\n]|\.(?!\d)))"
)
"""What stands behind a card's number, with or without its date in between, and nothing else behind it."""
