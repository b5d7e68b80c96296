"""Realistic numbers that are nobody's identifier, as people and businesses write them. Fixed seeds give fixed texts."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Final

Make = Callable[[random.Random], str]


def _pattern(pattern: str, rng: random.Random) -> str:
    """``9`` any digit, ``8`` one to nine, ``A`` any capital letter, everything else itself."""
    drawn = {"9": string.digits, "8": "123456789", "A": string.ascii_uppercase}
    return "".join(rng.choice(drawn[c]) if c in drawn else c for c in pattern)


def _of(*patterns: str) -> Make:
    return lambda rng: _pattern(rng.choice(patterns), rng)


def _day(rng: random.Random) -> str:
    day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1950, 2035)
    return rng.choice(
        (
            f"{day:02}/{month:02}/{year}",
            f"{month}/{day}/{year % 100:02}",
            f"{year}-{month:02}-{day:02}",
            f"{day}.{month}.{year}",
            f"{year}{month:02}{day:02}",
            f"{day} 0{month % 9} {year}",
            f"{year}-{month:02}-{day:02}T{rng.randrange(24):02}:{rng.randrange(60):02}:09Z",
        )
    )


def _iban(rng: random.Random) -> str:
    plain = _pattern(
        rng.choice(
            ("DE99" + "9" * 18, "FR9999999999999999999999999", "ES99" + "9" * 20, "GB99AAAA" + "9" * 14)
        ),
        rng,
    )
    return rng.choice((plain, " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))))


def _place(rng: random.Random) -> str:
    return f"{rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f}"


def _url(rng: random.Random) -> str:
    return "https://shop.example/" + _pattern(
        rng.choice(
            (
                "o/9999999999999999",
                "t?id=999999999&u=99999999999",
                "p/AA999999999AA",
                "999-99-9999/x",
                "orders/4999999999999999",
            )
        ),
        rng,
    )


_NUMBERS: Final[dict[str, Make]] = {
    "order": _of("89999999", "899999999", "8999999999", "#89999", "999-9999999-9999999", "AA-899999", "W899999999", "2026-899999", "SO89999999", "8999-9999-9999", "1000999999", "R999999999", "899 999 999"),
    "parcel": _of("1Z999AA99999999999", "94001999999999999999999", "JJD009999999999999999", "AA999999999GB", "99999999999999", "999999999999", "6A99999999999", "H99999999999999", "8999 9999 9999", "00340434999999999999", "999999999999 9999"),
    "phone": _of("+1 (999) 999-9999", "999-999-9999", "(999) 999 9999", "+44 7999 999999", "07999 999 999", "020 7999 9999", "06 99 99 99 99", "+33 6 99 99 99 99", "+34 699 999 999", "699 99 99 99", "+49 159 99999999", "0171 9999999", "0049 30 999999", "+351 919 999 999", "+48 599 999 999", "+55 11 99999-9999", "+91 89999 99999", "999.999.9999", "+41 79 999 99 99", "+32 499 99 99 99", "+39 339 999 9999", "1-800-999-9999", "030/9999999"),
    "amount": _of("$8,999.99", "8.999,99 €", "€ 8999.99", "8 999 999,99 EUR", "899.999.999,00", "USD 899999999", "8999999.50", "£89.99", "89,99,999 INR", "899 999 999 COP"),
    "date": _day,
    "time": _of("12:99", "09:30:99", "12:00-14:30", "1 h 59", "1790999999", "1790999999999"),
    "invoice": _of("INV-2026-99999", "899999999", "2026/99999", "RE-89999999", "F20269999", "FA 2026 999999", "9999-999999", "R-999.999.999"),
    "booking": _of("AAAAAA", "A9A9AA", "AA999A", "899999999", "PNR A9AA99", "99999-99999", "AB999999", "BK-999999999", "8999999999"),
    "reference": _of("REF 999999999", "9999 9999 9999", "RF99 9999 9999 9999 9999", "99999999/99", "A-99-999999", "CAS-99999999", "9999999999999999", "T9999999999"),
    "iban": _iban,
    "place": _place,
    "web": _url,
    "device": _of("35999999 999999 9", "359999999999999", "SN 99AA9999999", "99:9A:99:A9:99:99", "192.168.99.199", "10.99.9.99", "A9999-9999-9999", "4006381999999", "978-9-99-999999-9"),
    "code": _of("999999", "9999", "99999", "G-999999", "999-999"),
    "code of a shop": _of("AAAA-9999-AAAA", "AAAAA99", "A99999", "AAA 999 AAA", "9999999A9", "AA99 AAA", "99999"),
    "measure": _of("999 kWh", "99.9 kg", "999 x 999 mm", "8999 km", "999999 kWh 999999", "8.99.9", "v8.99.99"),
}  # fmt: skip

SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "order": ("Where is my order {}?", "order number {} has not arrived", "Ma commande {} n'est pas arrivée", "mi pedido {} no ha llegado", "Bestellung {} ist nicht da", "I ordered on Monday, {}", "it's {} and I paid by card", "{}"),
    "parcel": ("tracking {}", "Your parcel {} is on its way", "colis {}", "número de seguimiento {}", "Sendungsnummer {}", "DHL says {} is lost", "{}", "delivered by card payment: {}"),
    "phone": ("call me at {}", "my number is {}", "tel. {}", "mon portable: {}", "mi teléfono es {}", "meine Nummer ist {}", "ring {} after 5", "{}", "whatsapp {} please"),
    "amount": ("that is {}", "you charged my card {}", "le montant est {}", "son {}", "das macht {}", "refund {} to my account", "{}"),
    "date": ("I was born on {}", "since {}", "le {}", "el {}", "am {} bestellt", "valid until {}", "my passport expires {}", "{}"),
    "time": ("at {}", "between {}", "à {}", "a las {}", "um {}", "{}"),
    "invoice": ("invoice {}", "facture {}", "factura {}", "Rechnung {}", "Please pay {}", "the document is {}", "{}"),
    "booking": ("booking {}", "réservation {}", "reserva {}", "Buchung {}", "my seat under {}", "{}"),
    "reference": ("reference {}", "your ref. {}", "référence {}", "referencia {}", "Aktenzeichen {}", "under {} in your system", "{}"),
    "iban": ("IBAN {}", "mon compte {}", "cuenta {}", "Konto {}", "transfer to {}", "{}"),
    "place": ("I am at {}", "coordonnées {}", "{}"),
    "web": ("see {}", "look: {} please", "{}"),
    "device": ("IMEI {}", "serial {}", "Seriennummer {}", "it says {}", "{}"),
    "code": ("Your code is {}", "votre code est {}", "su código es {}", "Ihr Code lautet {}", "security code {}", "OTP {}", "{} is your verification code"),
    "code of a shop": ("promo code {}", "use {} at checkout", "licence plate {}", "article {}", "{}"),
    "measure": ("the meter reads {}", "{} please", "it measures {}", "{}"),
}  # fmt: skip

OTHERS: Final = tuple(_NUMBERS)
"""The kinds of numbers."""


def other_texts(kind: str, rng: random.Random, count: int) -> list[str]:
    """Texts with a number of this kind."""
    return [rng.choice(SENTENCES[kind]).format(_NUMBERS[kind](rng)) for _ in range(count)]
