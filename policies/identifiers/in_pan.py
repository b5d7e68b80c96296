"""India: permanent account number of the tax office: five letters, four digits, a letter; the fourth tells the holder."""

from __future__ import annotations

from typing import Final

from policies.identifiers.kind import Kind


def valid(code: str) -> bool:
    """The holder's letter is one that is issued; how the last letter is reckoned is not public."""
    return code[3] in "abcefghjlpt" and code[5:9] != "0000"


# "pan" is bread in Spanish, but bread is not counted in such codes.
KIND: Final = Kind(
    name="in_pan",
    shapes=("AAAAA9999A",),
    valid=valid,
    words="""pan|pan card|pan number|pan no|pan nr|permanent account|permanent account number|income tax|income tax number|
    indian tax|tax id|tax number|carte pan|numero pan|numero fiscal|numero fiscal indien|tarjeta pan|numero fiscal indio|
    pan karte|pan nummer|steuernummer|indische steuernummer""",
)
