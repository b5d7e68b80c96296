"""What the model weighs: words, pairs of words, pieces of unknown words, and traits of the whole text.

Each feature is a number below ``SIZE``, from a hash that is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final
from zlib import crc32

from policies.screening.lexicon import HOSTS, LURES
from policies.screening.links import Link

SIZE: Final = 1 << 18
_MASK: Final = SIZE - 1

PIECES: Final = (3, 4, 5)
"""Lengths of the pieces of a word."""


def word_feature(word: str) -> int:
    """The feature of a word."""
    return crc32(word.encode("utf-8", "replace")) & _MASK


def pair_feature(one: str, two: str) -> int:
    """The feature of two words in a row."""
    return crc32(f"{one} {two}".encode("utf-8", "replace")) & _MASK


def piece_features(word: str) -> list[int]:
    """The features of a word's pieces, its beginning and end marked; a class such as ``#url`` has none."""
    if word[0] == "#":
        return []
    data = f"<{word[:24]}>".encode("utf-8", "replace")
    return [
        crc32(data[start : start + length], length) & _MASK
        for length in PIECES
        for start in range(len(data) - length + 1)
    ]


def trait_feature(name: str) -> int:
    """The feature of a trait, from its name."""
    return crc32(name.encode(), 1) & _MASK


def traits(links: Sequence[Link], concepts: AbstractSet[str]) -> list[str]:
    """Traits of the whole text by name: concepts, pairs of those that lure, what the links look like.

    How a text is disguised and how long it is are no traits: both are the writer's to choose.
    """
    names = sorted(concepts)
    lures = [name for name in names if name in _LURING]
    names += [f"{one}+{two}" for index, one in enumerate(lures) for two in lures[index + 1 :]]
    names += _link_traits(links)
    return names


def _link_traits(links: Sequence[Link]) -> list[str]:
    names: list[str] = []
    for link in links[:4]:
        if link.mail:
            names.append("mail free" if link.domain in HOSTS["freemail"] else "mail")
            continue
        names.append("link")
        names += [f"link {trait}" for trait, true in _shape(link) if true]
    return list(dict.fromkeys(names))


def _shape(link: Link) -> Iterable[tuple[str, bool]]:
    name = link.domain.partition(".")[0]
    top = link.domain.rpartition(".")[2]
    yield "ip", link.ip
    yield "hidden", link.hidden
    yield "punycode", link.punycode
    yield "bare", not link.scheme
    yield "shortener", link.domain in HOSTS["shorteners"]
    yield "chat", link.domain in HOSTS["chats"]
    yield "hyphen", "-" in link.host
    yield "digits", any(letter.isdigit() for letter in name)
    yield "deep", link.host.count(".") > 2
    yield "without path", not link.path
    yield "cheap top", top in _CHEAP
    yield "lure in host", any(word in link.host for word in _HOST_LURES)
    yield "long name", len(name) > 14


_LURING: Final = LURES.names()
_CHEAP: Final = frozenset(
    "xyz top online site club icu cc pw tk ml ga cf gq info biz live shop vip click link buzz fun ru cn".split()
)
_HOST_LURES: Final = (
    "secur", "login", "verif", "account", "update", "support", "confirm", "bank", "track", "parcel", "delivery", "pay",
    "refund", "reward", "prize", "gift", "bonus", "claim", "help", "alert", "service", "client", "kunde", "compte", "colis",
    "paquet", "paket", "envio",
)  # fmt: skip
