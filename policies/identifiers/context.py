"""The words beside a number, and what they say it is: one kind of identifier, or something else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from ahocorasick_rs import AhoCorasick

from policies.identifiers.folding import CARD_MASK, MASK, TO_WORDS, plain
from policies.identifiers.kind import ANY, DOUBTFUL, Kind

OTHER: Final = "other"
"""A word for a number that is no identifier of a person."""


class Label(msgspec.Struct, frozen=True, gc=False):
    """A word of the table stands in ``text[start:end]`` and says one of ``means``."""

    start: int
    end: int
    means: frozenset[str]


class Words:
    """The words of all kinds, compiled; immutable."""

    __slots__ = ("_machine", "_meanings")

    def __init__(self, kinds: Iterable[Kind]) -> None:
        meanings: dict[str, set[str]] = {}
        for name, words in _named(kinds):
            for word in words.split("|"):
                meanings.setdefault(plain(word.strip()), set()).add(name)
        self._meanings = tuple(map(frozenset, meanings.values()))
        self._machine = AhoCorasick(list(meanings))

    def labels(self, text: str) -> list[Label]:
        """Every such word of a folded text, in the order of their ends; of those with one end the longest."""
        spoken = text.translate(TO_WORDS)
        longest: dict[int, Label] = {}
        for number, start, end in self._machine.find_matches_as_indexes(spoken, overlapping=True):
            known = longest.get(end)
            if (known is None or start < known.start) and _whole(spoken, start, end):
                longest[end] = Label(start, end, self._meanings[number])
        return [longest[end] for end in sorted(longest)]


NAMES: Final = frozenset(
    "is was are be it its s this that these the a an my your his her our their number numbers no num nr nbr n o code id ids "
    "here as follows us uk u k full new "
    "est c ce cet cette le la les l mon ma mes votre vos son sa numero suivant voici "
    "es este esta el los mi mis tu su sus un una nro num siguiente aqui "
    "ist lautet war die der das mein meine meiner ihre ihr nummer hier "
    "e il mio minha meu o het mijn moj to".split()
)
"""Words that may stand between what a number is called and the number."""

FILLERS: Final = NAMES | frozenset(
    "follow of for on with in and card date valid d de du et pour avec au y con para por und von fur mit zum do da van "
    "pt be nl ch pl br au ca fr it mx".split()
)
"""The same, where a person's identifier is named: the more is taken for named."""


def directly(text: str, start: int, end: int, fillers: frozenset[str] = FILLERS) -> bool:
    """Whether nothing but fillers stands between a word and a number: ``is``, ``number``, ``:``."""
    between = text[start:end]
    if len(between) > _FAR or "\n\n" in between or _NUMBER.search(between):
        return False
    return fillers.issuperset(_WORD.findall(between))


def _named(kinds: Iterable[Kind]) -> Iterable[tuple[str, str]]:
    for kind in kinds:
        yield kind.name, kind.words
        if kind.doubtful:
            yield DOUBTFUL + kind.name, kind.doubtful
    yield ANY, _ANY
    yield OTHER, _OTHER


def _whole(text: str, start: int, end: int) -> bool:
    """No letter goes on before or behind it; a digit may (``ssn536…``)."""
    return not (start and text[start - 1].isalnum()) and not (end < len(text) and text[end].isalpha())


_ANY: Final = """national id|national id number|national identity|national identity number|national identification|
identity number|identity document|identification number|government id|government id number|my id|my id number|
personal id|personal id number|personal number|tax id|tax id number|tax identification number|taxpayer id|
social security number|
numero d identite|numero d identification|numero national d identite|piece d identite|carte d identite|identifiant national|
numero fiscal|identifiant fiscal|numero de securite sociale|
numero de identidad|numero de identificacion|documento de identidad|documento nacional|cedula|cedula de identidad|carnet de identidad|
identificacion fiscal|numero de seguridad social|numero de seguro social|
ausweisnummer|personalausweis|personalausweisnummer|ausweis|identitatsnummer|identifikationsnummer|steuernummer|steuer id|
sozialversicherungsnummer"""

_OTHER: Final = """order|orders|order number|order id|purchase order|po|tracking|tracking number|tracking id|parcel|package|shipment|
consignment|awb|waybill|delivery|invoice|inv|receipt|quote|quotation|reference|ref|booking|reservation|confirmation|itinerary|
ticket|case|claim|phone|phone number|tel|telephone|mobile|cell|fax|call|whatsapp|sms|transaction|txn|payment id|transfer|
iban|account number|acct|sort code|routing number|swift|bic|serial|serial number|imei|sku|item|product|part|model|ean|isbn|
barcode|customer number|customer id|member|membership|policy|policy number|contract|licence plate|
flight|seat|amount|total|balance|price|version|zip|postcode|meter|batch|lot|order ref|voucher|coupon|gift card|loyalty|
loyalty card|points card|library card|sim card|
commande|numero de commande|colis|suivi|numero de suivi|livraison|facture|devis|recu|telephone|tel|portable|mobile|fax|appelez|
dossier|billet|vol|montant|solde|prix|contrat|police|numero client|reservation|carte de fidelite|carte cadeau|virement|compte|
pedido|numero de pedido|orden|paquete|envio|seguimiento|numero de seguimiento|factura|recibo|presupuesto|telefono|movil|celular|llame|
referencia|reserva|billete|vuelo|caso|expediente|importe|saldo|precio|contrato|poliza|numero de cliente|cuenta|transferencia|
tarjeta regalo|
bestellung|bestellnummer|bestell nr|auftrag|auftragsnummer|sendung|sendungsnummer|paket|paketnummer|lieferung|rechnung|
rechnungsnummer|rechnungs nr|angebot|telefon|telefonnummer|handy|handynummer|mobil|rufnummer|buchung|buchungsnummer|referenz|
aktenzeichen|vorgang|vorgangsnummer|kundennummer|vertrag|vertragsnummer|zahlernummer|betrag|summe|preis|konto|kontonummer|uberweisung|
geschenkkarte|promo code|discount code|zip code|postal code|post code|area code|booking code|order code|otp|one time code|
one time password|code postal|code promo|codigo postal|codigo promocional|gutscheincode|postleitzahl|artikel|artikelnummer|seriennummer|flug"""

_FAR: Final = 80
_NUMBER: Final = re.compile(f"[0-9{MASK}{CARD_MASK}]")
_WORD: Final = re.compile(r"[^\W\d_]+")
