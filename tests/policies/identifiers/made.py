"""Numbers made up by the rules of their kind, valid by construction; and texts around them. Fixed seeds give fixed texts.

The check digits are reckoned here in another way than in ``policies/identifiers``: by trying all ten (or 26).
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Final

from policies.identifiers.kind import Kind
from policies.identifiers.registry import KINDS

BY_NAME: Final = {kind.name: kind for kind in KINDS}

Make = Callable[[random.Random], str]


def number(name: str, rng: random.Random) -> str:
    """A valid number without separators, in capital letters."""
    kind = BY_NAME[name]
    while True:
        drawn = _DRAWN[name](rng)
        if kind.valid(drawn):
            return drawn.upper()


def _pattern(pattern: str) -> Make:
    """``9`` any digit, ``A`` any letter, everything else itself."""
    return lambda rng: "".join(
        rng.choice(string.digits) if c == "9" else rng.choice(string.ascii_lowercase) if c == "A" else c
        for c in pattern
    )


def _either(*patterns: str) -> Make:
    return lambda rng: _pattern(rng.choice(patterns))(rng)


def _born(rng: random.Random) -> str:
    return f"{rng.randrange(100):02}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}"


def _steuer_id(rng: random.Random) -> str:
    digits = rng.sample(string.digits, 9)
    digits.insert(rng.randrange(10), rng.choice(digits))
    return "".join(digits) + rng.choice(string.digits)


def _codice(rng: random.Random) -> str:
    name = "".join(rng.choice("bcdfglmnprstvz") for _ in range(6))
    day = rng.randrange(1, 29) + rng.choice((0, 40))
    place = f"{rng.choice('abcdefghilm')}{rng.randrange(1000):03}"
    return f"{name}{rng.randrange(100):02}{rng.choice('abcdehlmprst')}{day:02}{place}{rng.choice(string.ascii_lowercase)}"


def _curp(rng: random.Random) -> str:
    name = "".join(rng.choice("abcdefghijlmnopqrstv") for _ in range(4))
    tail = f"{rng.choice('hm')}{rng.choice(('df', 'jc', 'nl', 'ts', 'ne'))}{_pattern('AAA')(rng)}"
    return f"{name}{_born(rng)}{tail}{rng.choice('0123ab')}{rng.randrange(10)}"


def _nir(rng: random.Random) -> str:
    body = f"{rng.choice('12')}{rng.randrange(100):02}{rng.randrange(1, 13):02}{rng.choice(('75', '33', '69', '2a', '2b'))}"
    return f"{body}{rng.randrange(1, 999):03}{rng.randrange(1, 999):03}{rng.randrange(1, 98):02}"


def _card(rng: random.Random) -> str:
    return _either(*("4" + "9" * 15, "51" + "9" * 14, "55" + "9" * 14, "37" + "9" * 13, "6011" + "9" * 12))(
        rng
    )


_DRAWN: Final[dict[str, Make]] = {
    "us_ssn": _either("0" + "9" * 8, "3" + "9" * 8, "5" + "9" * 8),
    "us_itin": _either("9997" + "9" * 5, "9998" + "9" * 5),
    "ca_sin": _either("1" + "9" * 8, "5" + "9" * 8, "7" + "9" * 8),
    "uk_nino": _either("AA999999a", "AA999999b", "AA999999c", "AA999999d"),
    "uk_nhs": _pattern("4" + "9" * 9),
    "fr_nir": _nir,
    "de_steuer_id": _steuer_id,
    "es_dni": _pattern("99999999A"),
    "es_nie": _either("x9999999A", "y9999999A", "z9999999A"),
    "it_codice_fiscale": _codice,
    "nl_bsn": _pattern("9" * 9),
    "be_nn": lambda rng: _born(rng) + _pattern("99999")(rng),
    "pl_pesel": lambda rng: _born(rng) + _pattern("99999")(rng),
    "pt_nif": _either("1" + "9" * 8, "2" + "9" * 8),
    "ch_ahv": _pattern("756" + "9" * 10),
    "au_tfn": _pattern("9" * 9),
    "br_cpf": _pattern("9" * 11),
    "mx_curp": _curp,
    "in_aadhaar": _pattern("9" * 12),
    "in_pan": _either("AAApA9999A", "AAAcA9999A"),
    "passport": _either("9" * 9, "A99999999", "AA9999999", "99AA99999", "c01A00A47", "AAA999999"),
    "card": _card,
    "cvv": _pattern("999"),
}

GROUPS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "us_ssn": ((3, 2, 4),),
    "us_itin": ((3, 2, 4),),
    "ca_sin": ((3, 3, 3),),
    "uk_nino": ((2, 2, 2, 2, 1),),
    "uk_nhs": ((3, 3, 4),),
    "fr_nir": ((1, 2, 2, 2, 3, 3, 2), (13, 2)),
    "de_steuer_id": ((2, 3, 3, 3),),
    "es_dni": ((8, 1), (2, 3, 3, 1)),
    "es_nie": ((1, 7, 1),),
    "it_codice_fiscale": ((6, 5, 5), (3, 3, 5, 5)),
    "nl_bsn": ((3, 3, 3), (4, 2, 3)),
    "be_nn": ((6, 3, 2), (2, 2, 2, 3, 2)),
    "pl_pesel": ((6, 5), (2, 2, 2, 5)),
    "pt_nif": ((3, 3, 3),),
    "ch_ahv": ((3, 4, 4, 2),),
    "au_tfn": ((3, 3, 3),),
    "br_cpf": ((3, 3, 3, 2),),
    "mx_curp": ((4, 6, 8), (4, 6, 6, 2)),
    "in_aadhaar": ((4, 4, 4),),
    "in_pan": ((5, 4, 1),),
}

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "us_ssn": ("SSN", "Social Security number", "numéro de sécurité sociale", "número de seguro social", "Sozialversicherungsnummer"),
    "us_itin": ("ITIN", "taxpayer identification number", "numéro de contribuable", "número de contribuyente", "Steuernummer"),
    "ca_sin": ("SIN number", "social insurance number", "numéro d'assurance sociale", "NAS", "número de seguro social"),
    "uk_nino": ("NINO", "National Insurance number", "NI number", "numéro d'assurance nationale", "número de seguro nacional"),
    "uk_nhs": ("NHS number", "NHS no.", "numéro NHS", "NHS-Nummer"),
    "fr_nir": ("NIR", "numéro de sécu", "numéro de sécurité sociale", "social security number", "Sozialversicherungsnummer"),
    "de_steuer_id": ("Steuer-ID", "IdNr.", "Steueridentifikationsnummer", "tax ID", "identifiant fiscal", "identificación fiscal"),
    "es_dni": ("DNI", "NIF", "documento de identidad", "Spanish ID", "carte d’identité", "Personalausweis"),
    "es_nie": ("NIE", "número de extranjero", "residence permit", "titre de séjour", "Aufenthaltstitel"),
    "it_codice_fiscale": ("codice fiscale", "fiscal code", "CF", "code fiscal", "código fiscal", "Steuernummer"),
    "nl_bsn": ("BSN", "burgerservicenummer", "citizen service number", "sofinummer"),
    "be_nn": ("rijksregisternummer", "numéro national", "national number", "número nacional", "Nationalregisternummer"),
    "pl_pesel": ("PESEL", "numer PESEL", "Polish ID number", "numéro PESEL", "PESEL-Nummer"),
    "pt_nif": ("NIF", "número de contribuinte", "Portuguese tax number", "numéro fiscal", "Steuernummer"),
    "ch_ahv": ("AHV-Nummer", "numéro AVS", "OASI number", "AHV-Nr."),
    "au_tfn": ("TFN", "tax file number", "numéro fiscal", "australische Steuernummer"),
    "br_cpf": ("CPF", "número CPF", "Brazilian tax number", "CPF-Nummer"),
    "mx_curp": ("CURP", "clave única", "Mexican ID"),
    "in_aadhaar": ("Aadhaar", "aadhar card", "UIDAI", "carte Aadhaar"),
    "in_pan": ("PAN", "PAN card", "income tax number", "numéro PAN"),
    "passport": ("passport", "passport number", "numéro de passeport", "pasaporte", "Reisepassnummer", "Reisepass"),
    "card": ("card", "credit card number", "carte bancaire", "tarjeta de crédito", "Kreditkarte", "Visa"),
    "cvv": ("CVV", "CVC", "cvv code", "cryptogramme", "Kartenprüfnummer"),
}  # fmt: skip

SENTENCES: Final = (
    "my {name} is {number}",
    "{name}: {number}",
    "{name} {number}",
    "Hi, here is my {name}: {number}. Thanks!",
    "{number} is my {name}",
    "{number} ({name})",
    "mi {name} es {number}, gracias",
    "mon {name} est {number} merci",
    "meine {name} lautet {number} danke",
    "{name} no. {number}",
    "Sure 😀 {name} = {number} ok?",
    "name: Ann Doe\n{name}: {number}\nborn: 1980",
    "{name}#{number}",
    "I was asked for the {name} by your colleague, so {number}",
)

Disguise = Callable[[str, random.Random], str]


def _digits_of(zero: int) -> Disguise:
    table = {ord(str(value)): zero + value for value in range(10)}
    return lambda text, _rng: text.translate(table)


def _between(joint: str) -> Disguise:
    return lambda text, _rng: joint.join(text)


def _full_width(text: str, _rng: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _somewhere(hidden: str) -> Disguise:
    def put(text: str, rng: random.Random) -> str:
        at = rng.randrange(1, len(text))
        return text[:at] + hidden + text[at:]

    return put


DISGUISES: Final[dict[str, Disguise]] = {
    "as it is": lambda text, _rng: text,
    "small letters": lambda text, _rng: text.lower(),
    "full-width": _full_width,
    "Arabic-Indic": _digits_of(0x660),
    "Persian": _digits_of(0x6F0),
    "Devanagari": _digits_of(0x966),
    "Bengali": _digits_of(0x9E6),
    "Thai": _digits_of(0xE50),
    "mathematical bold": _digits_of(0x1D7CE),
    "mathematical monospace": _digits_of(0x1D7F6),
    "keycaps": lambda text, _rng: "".join(f"{c}\ufe0f\u20e3" if c.isdecimal() else c for c in text),
    "zero-width space": _between("\u200b"),
    "zero-width joiner": _between("\u200d"),
    "word joiner": _somewhere("\u2060"),
    "soft hyphen": _somewhere("\xad"),
    "byte order mark": _somewhere("\ufeff"),
    "combining mark": _somewhere("\u0336"),
}
"""What leaves a number readable and changes its characters."""

JOINTS: Final = (
    " ",
    "-",
    ".",
    "\xa0",
    "\u2009",
    "\u2011",
    "\u2013",
    "\u2212",
    "\u00b7",
    " - ",
    "/",
    "_",
    "\t",
    "\u3000",
)


def spellings(name: str, rng: random.Random) -> list[str]:
    """One number without separators, and in each of its kind's groups with one joint."""
    plain = number(name, rng)
    found = [plain]
    for groups in _groups(name, plain):
        pieces, at = [], 0
        for length in groups:
            pieces.append(plain[at : at + length])
            at += length
        found.append(rng.choice(JOINTS).join(pieces))
    return found


def _groups(name: str, plain: str) -> tuple[tuple[int, ...], ...]:
    if name == "card":
        return ((4, 6, 5),) if len(plain) == 15 else ((4, 4, 4, 4),)
    return GROUPS.get(name, ())


def texts(kind: Kind, rng: random.Random, rounds: int) -> list[tuple[str, str]]:
    """Pairs of a text and the number in it, as it stands there: every disguise, spelling, name and sentence in turn."""
    found: list[tuple[str, str]] = []
    for _ in range(rounds):
        for disguise in DISGUISES.values():
            for spelling in spellings(kind.name, rng):
                written = disguise(spelling, rng)
                name = rng.choice(NAMES[kind.name])
                found.append((rng.choice(SENTENCES).format(name=name, number=written), written))
    return found
