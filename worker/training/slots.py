"""Slots of the written texts, filled with made-up values: the same ones each time, others for each variant."""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

from policies.message import Private


class Filled(Private, frozen=True):
    """A text without slots, and the hosts and numbers in it that its sender owns."""

    text: str
    hosts: tuple[str, ...]
    numbers: tuple[str, ...]


def filled(text: str, lang: str, variant: int) -> Filled:
    """The text with every slot filled."""
    hosts: list[str] = []
    numbers: list[str] = []
    counter = 0

    def value(slot: re.Match[str]) -> str:
        nonlocal counter
        counter += 1
        name = slot.group(1)
        choices = _LOCAL.get(lang, {}).get(name) or _VALUES[name]
        chosen = _digits(
            choices[crc32(f"{text}{variant}{name}{counter}".encode()) % len(choices)],
            f"{text}{variant}{counter}",
        )
        if name == "url":
            hosts.append(chosen.removeprefix("https://").partition("/")[0])
        if name in {"tel", "sc"}:
            numbers.append(chosen)
        return chosen

    return Filled(_SLOT.sub(value, text), tuple(hosts), tuple(numbers))


def _digits(template: str, seed: str) -> str:
    """Every ``#`` becomes a digit, every ``@`` a letter or digit."""
    number = crc32(seed.encode())
    made: list[str] = []
    for character in template:
        if character not in "#~":
            made.append(character)
            continue
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF
        pool = "0123456789" if character == "#" else "abcdefghjkmnpqrstuvwxyz23456789ABCDEFGHJK"
        made.append(pool[(number >> 12) % len(pool)])
    return "".join(made)


_SLOT: Final = re.compile(r"\{(\w+)\}")

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "brand": (
        "Larkfield", "Osprey Bank", "Mistral Energy", "Bellweather", "Tarn & Co", "Juniper", "Solano", "Harbour Mutual", "Quillon",
        "Vesper Air", "Pinewood", "Calder Rail", "Lumio", "Brightwell", "Novara", "Elmstead", "Kite Mobile", "Montclair", "Aldermoor",
    ),
    "real": ("PostExpress", "NatTrust Bank", "Royal Parcel", "StreamFlix", "CityPay", "EuroPost", "First Union", "ShopMart", "TeleOne"),
    "shop": ("Corner Books", "Green Grocer", "Metro Fuel", "Studio Nord", "Cafe Lido", "Garden World", "Town Hall Kiosk"),
    "name": ("Amira", "Tom", "Priya", "Lucas", "Elena", "Jonas", "Sophie", "Omar", "Nina", "Mateo", "Keller", "Okafor", "Weber"),
    "city": ("Leeds", "Bremen", "Nantes", "Sevilla", "Dover", "Lyon", "Graz", "Toledo", "Austin", "Perth"),
    "month": ("January", "March", "June", "October"),
    "amt": ("£##.##", "$#,###.##", "€##", "##.## EUR", "$###", "£###", "Rs.####.00", "USD ###.##", "€#.##", "$#.##"),
    "date": ("12 March", "##/0#/2025", "Tue 4 June", "2026-0#-1#", "Friday", "0#-Nov-25", "next Monday", "3rd May"),
    "time": ("1#:30", "9am", "#:15pm", "14:45", "1#:00", "noon"),
    "tel": ("0800 555 0###", "+44 20 7946 0###", "1-800-555-0###", "(555) 010-####", "01632 960###"),
    "ptel": ("+44 7700 900###", "07700900###", "+1 555 010 ####", "0208 496 0###", "+33 6 39 98 ## ##", "1-888-555-0###"),
    "prem": ("0906 10#####", "0909 87#####", "0905 51#####"),
    "sc": ("8####", "6####", "3####"),
    "psc": ("8####", "6####"),
    "code": ("~~~~~~", "SAVE##", "AUTUMN##", "~~~-~~~"),
    "ref": ("AB#######", "##########", "PX##-####", "JD00########", "#######", "LP#########GB"),
    "d1": ("#",), "d2": ("##",), "d4": ("####",), "d6": ("######",),
    "flight": ("VA ####", "QX###", "LH####"),
    "mail": ("claims.office##@gmail.com", "barrister~~~@yahoo.com", "loan.agent@outlook.com", "kontakt~~~@gmx.de"),
    "chat": ("https://wa.me/44770090####", "https://t.me/~~~~~~~", "t.me/vip~~~~", "@trader~~~~", "wa.me/1555010####"),
    "url": (
        "https://larkfield.example/~~~~~", "https://go.osprey.example/a/~~~~~~", "https://juniper.example", "novara.example/t/~~~~~",
        "https://my.calder.example/booking", "https://kite.example/bill", "www.elmstead.example/track", "https://vesper.example/r/~~~~",
        "https://solano-clinic.example/c", "https://brightwell.example/pay/~~~~~~",
    ),
    "bad": (
        "https://post-redelivery-fee.top/~~~~", "http://secure-login-~~~.com/verify", "https://parcel.track-uk##.info", "my-refund-gov.xyz",
        "https://natt~~~.live/a", "http://###.##.1##.#1/login", "pay-toll-~~~.vip/us", "https://account-verify-help.online/~~~~",
        "http://update-billing.club", "https://streamflix.payment-update.cc", "bank-alert~~.com", "https://~~~~~~.icu/~~~~",
        "http://clientes-seguridad.site", "https://mon-colis-suivi.shop", "http://konto-bestaetigung.info/de", "https://~~~~.duckdns.org/~~",
        "hxxp://parcel-hold.com", "usps.com-track~~.top/us", "http://www.reactivate-~~.net/index.php?id=~~~~~", "https://gift-claim.fun/~~~~",
    ),
    "short": ("https://bit.ly/~~~~~~~", "bit.ly/~~~~~~", "https://tinyurl.com/~~~~~~~~", "http://is.gd/~~~~~~", "cutt.ly/~~~~~~", "t.ly/~~~~"),
}  # fmt: skip
_LOCAL: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "fr": {
        "month": ("janvier", "mars", "juin", "octobre"),
        "amt": ("##,## EUR", "### €", "#,99€", "## euros", "1 ### €"),
        "date": ("12 mars", "##/0#/2025", "mardi 4 juin", "vendredi", "3 mai"),
        "time": ("1#h30", "9h", "14h45", "1#:00", "18h"),
        "tel": ("01 99 00 ## ##", "09 69 36 ## ##", "0 800 55 ## ##"),
        "ptel": ("06 39 98 ## ##", "+33 7 57 59 ## ##", "09 70 18 ## ##"),
        "prem": ("0899 ## ## ##", "08 97 ## ## ##"), "sc": ("36###", "38###"),
    },
    "es": {
        "month": ("enero", "marzo", "junio", "octubre"),
        "amt": ("##,## EUR", "### €", "#,99 euros", "$#,###", "#.### €"),
        "date": ("12 de marzo", "##/0#/2025", "martes 4", "viernes", "3 de mayo"),
        "time": ("1#:30", "9:00", "14:45", "18h"),
        "tel": ("900 55 ## ##", "+34 91 555 ## ##", "602 555 ####"),
        "ptel": ("6## ### ###", "+34 6## ## ## ##", "+57 3## ### ####"),
        "prem": ("806 ## ## ##", "807 ## ## ##"), "sc": ("7####", "2####"),
    },
    "de": {
        "month": ("Januar", "März", "Juni", "Oktober"),
        "amt": ("##,## EUR", "### €", "#,99 Euro", "1.### €"),
        "date": ("12. März", "##.0#.2025", "Dienstag, 4. Juni", "Freitag", "3. Mai"),
        "time": ("1#:30", "9 Uhr", "14:45 Uhr", "18 Uhr"),
        "tel": ("0800 555 0###", "030 23125 ###", "+49 89 999 98 ###"),
        "ptel": ("0171 39200##", "+49 176 040 690##", "0152 28817 ###"),
        "prem": ("0900 1 ## ## ##", "0137 ######"), "sc": ("8####", "6####"),
    },
}  # fmt: skip
