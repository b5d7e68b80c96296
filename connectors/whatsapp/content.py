"""What a message says: one small function for each of the platform's message types, found in one table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from connectors import wild
from connectors.whatsapp import interactive
from connectors.whatsapp.trees import codes, record, records, scalar, words
from policies.message import Content, Json, Media, MediaKind, MessageKind

Item = dict[str, Json]
Said = tuple[MessageKind, str | None, tuple[Media, ...], dict[str, Json]]
"""Kind, text, media, and details under our own keys."""

MAX_LINKS: Final = 32
"""So many URLs of a message that nobody knows are kept for the rules to judge."""


def read(item: Item, kind: str, profile: Mapping[str, str]) -> tuple[MessageKind, Content]:
    """The content of a message whose ``type`` is ``kind``; an unknown one yields its text and its URLs."""
    said, text, media, details = READERS.get(kind, _unknown)(item)
    for name, take in _ASIDES:
        if name in item:
            details = {**details, **take(item[name])}
    return said, Content(text=text, media=media, details=details, profile=profile)


def _text(item: Item) -> Said:
    body = wild.text(wild.mapping(item.get("text")).get("body"))
    return MessageKind.EMPTY if body is None else MessageKind.TEXT, body, (), {}


def _media(name: str, kind: MediaKind) -> Callable[[Item], Said]:
    def read_media(item: Item) -> Said:
        given = wild.mapping(item.get(name))
        media = Media(
            kind=kind,
            id=wild.identifier(given.get("id")),
            url=wild.text(given.get("url")) or wild.text(given.get("link")),
            mime_type=wild.text(given.get("mime_type")),
            sha256=wild.text(given.get("sha256")),
            title=wild.text(given.get("filename")),
        )
        details: dict[str, Json] = {"voice": True} if wild.truth(given.get("voice")) else {}
        return MessageKind.MEDIA, wild.text(given.get("caption")), (media,), details

    return read_media


def _tree(name: str, kind: MessageKind, take: Callable[[Json], Json]) -> Callable[[Item], Said]:
    def read_tree(item: Item) -> Said:
        taken = take(item.get(name))
        return kind, None, (), {} if taken is None else {name: taken}

    return read_tree


def _button(item: Item) -> Said:
    button = wild.mapping(item.get("button"))
    payload = scalar(button.get("payload"))
    details = {} if payload is None else {"button": {"payload": payload}}
    return MessageKind.BUTTON, wild.text(button.get("text")), (), details


def _order(item: Item) -> Said:
    kind, _, media, details = _order_tree(item)
    return kind, wild.text(wild.mapping(item.get("order")).get("text")), media, details


def _system(item: Item) -> Said:
    system = wild.mapping(item.get("system"))
    return MessageKind.SYSTEM, wild.text(system.get("body")), (), {"system": _system_type(system) or {}}


def _interactive(item: Item) -> Said:
    read_as = interactive.read(item.get("interactive"))
    return _unknown(item) if read_as is None else (MessageKind.INTERACTIVE, read_as[0], (), read_as[1])


def _placeholder(_item: Item) -> Said:
    """History tells of media first without a reference; those of recent ones follow."""
    return MessageKind.MEDIA, None, (), {}


def _unsupported(item: Item) -> Said:
    kind = _unsupported_type(item.get("unsupported"))
    return MessageKind.UNSUPPORTED, None, (), {} if kind is None else {"unsupported": kind}


def _unknown(item: Item) -> Said:
    text = wild.text(wild.mapping(item.get("text")).get("body"))
    links = tuple(Media(kind=MediaKind.UNKNOWN, url=url) for url in _urls(item))
    return MessageKind.UNKNOWN, text, links, {}


def _urls(item: Item) -> list[str]:
    """Every string in the tree that is a URL as a whole, once, in the order of their standing."""
    found = (text for text in _strings(item) if _url.match(text))
    return list(dict.fromkeys(found))[:MAX_LINKS]


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _context(value: Json) -> dict[str, Json]:
    context = wild.mapping(value)
    taken: dict[str, Json] = {
        flag: True for flag in ("forwarded", "frequently_forwarded") if wild.truth(context.get(flag))
    }
    product = _product(context.get("referred_product"))
    if product is not None:
        taken["product"] = product
    return taken


def _referral(value: Json) -> dict[str, Json]:
    taken = _referral_tree(value)
    return {} if taken is None else {"referral": taken}


def _errors(value: Json) -> dict[str, Json]:
    numbers = codes(value)
    return {"errors": numbers} if numbers else {}


_url = re.compile(r"\s*(?:https?:)?//\S+\s*\Z", re.IGNORECASE)

_product = record(catalog_id=scalar, product_retailer_id=scalar)
_location = record(latitude=scalar, longitude=scalar, name=scalar, address=scalar, url=scalar)
_contacts = records(
    name=record(
        formatted_name=scalar,
        first_name=scalar,
        middle_name=scalar,
        last_name=scalar,
        prefix=scalar,
        suffix=scalar,
    ),
    phones=records(phone=scalar, wa_id=scalar, user_id=scalar, type=scalar),
    emails=records(email=scalar, type=scalar),
    urls=records(url=scalar, type=scalar),
    addresses=records(
        street=scalar, city=scalar, state=scalar, zip=scalar, country=scalar, country_code=scalar, type=scalar
    ),
    organisation=("org", record(company=scalar, department=scalar, title=scalar)),
    birthday=scalar,
    vcard=scalar,
    origin=scalar,
)
_order_tree = _tree(
    "order",
    MessageKind.ORDER,
    record(
        catalog_id=scalar,
        items=(
            "product_items",
            records(
                product_retailer_id=scalar, quantity=scalar, price=("item_price", scalar), currency=scalar
            ),
        ),
    ),
)
_template = record(
    name=scalar,
    language=record(code=scalar),
    components=records(
        type=scalar,
        sub_type=scalar,
        text=scalar,
        parameters=records(
            type=scalar,
            text=scalar,
            payload=scalar,
            image=record(id=scalar, link=scalar),
            video=record(id=scalar, link=scalar),
            document=record(id=scalar, link=scalar, filename=scalar),
        ),
    ),
)
_referral_tree = record(
    source_url=scalar,
    source_id=scalar,
    source_type=scalar,
    headline=scalar,
    body=scalar,
    media_type=scalar,
    image_url=scalar,
    video_url=scalar,
    thumbnail_url=scalar,
    click_id=("ctwa_clid", scalar),
    welcome=("welcome_message", record(text=scalar)),
)
_system_type = record(
    type=words(
        "user_changed_number",
        "user_changed_user_id",
        "customer_changed_number",
        "customer_identity_changed",
        "user_identity_changed",
    )
)
_unsupported_type = record(
    type=words(
        *"""button edit errors gif group_invite hsm image interactive keep_in_chat link_preview list location
        media_placeholder order pin poll_creation poll_update product reaction video_note""".split()
    )
)

READERS: Final[Mapping[str, Callable[[Item], Said]]] = {
    "text": _text,
    "image": _media("image", MediaKind.IMAGE),
    "video": _media("video", MediaKind.VIDEO),
    "audio": _media("audio", MediaKind.AUDIO),
    "voice": _media("voice", MediaKind.AUDIO),
    "document": _media("document", MediaKind.FILE),
    "sticker": _media("sticker", MediaKind.STICKER),
    "location": _tree("location", MessageKind.LOCATION, _location),
    "contacts": _tree("contacts", MessageKind.CONTACTS, _contacts),
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "product": _tree("product", MessageKind.INTERACTIVE, _product),
    "template": _tree("template", MessageKind.TEMPLATE, _template),
    "system": _system,
    "media_placeholder": _placeholder,
    "unsupported": _unsupported,
    # Older words for the same, and what history calls a message that it cannot show.
    "unknown": _unsupported,
    "errors": _unsupported,
}

_ASIDES: Final = (("context", _context), ("referral", _referral), ("errors", _errors))
"""What may stand beside any message, whatever its type."""
