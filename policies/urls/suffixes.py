"""Which hosts are meant, and whether a URL, or a text at first glance, has to do with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import ada_url

from policies.message import Private
from policies.urls.layers import DEPTH, decoded, may_be_encoded, plain
from policies.urls.tokens import TOWARDS_PATH


class Suffixes(Private, frozen=True, kw_only=True):
    """Registrable domains, compiled: they and everything below them. ``token`` replaces their URLs in a text.

    ``hints`` are the names with nothing left in them but what every disguise short of an encoding keeps: ASCII
    letters and digits, no dots. ``tops`` are their last labels. ``bare`` finds a host that is the beginning of a URL
    without a scheme, ``loose`` one in an authority that no browser accepts, ``separate`` one on a line of its own.
    """

    names: tuple[str, ...]
    token: str
    hints: tuple[str, ...]
    tops: tuple[str, ...]
    endings: tuple[str, ...]
    bare: re.Pattern[str]
    loose: re.Pattern[str]
    separate: re.Pattern[str]

    @classmethod
    def of(cls, names: Iterable[str], token: str) -> Suffixes:
        """Compile domains such as "example.org". Raises ValueError, which does not name it, for what is none."""
        hosts = _unique(map(host_name, names))
        spellings = _unique((*hosts, *map(ada_url.idna_to_unicode, hosts)))
        either = "|".join(map(re.escape, spellings))
        return cls(
            names=hosts,
            token=token,
            hints=_unique(plain(spelling).replace(".", "") for spelling in spellings),
            tops=_unique("." + plain(spelling.rpartition(".")[2]) for spelling in spellings),
            endings=tuple("." + host for host in hosts),
            # In the path of another URL a bare domain is a folder; one with a name before it is a host.
            bare=re.compile(rf"(?:(?<=[\w-]\.)|(?<![\w./\\-]))(?:{either}){TOWARDS_PATH}"),
            loose=re.compile(rf"(?<![\w-])(?:{either})(?!\.?[\w-])"),
            separate=re.compile(rf"(?<![./\\])[\t\r\n]+(?:[\w-]+\.)+(?:{either})(?!\.?[\w-])"),
        )

    def suspects(self, text: str) -> bool:
        """Whether the text could hold such a URL in any disguise: cheap, and never False for one that does."""
        if text.isascii() and not may_be_encoded(text) and not _has_breaks(text):
            text = text.lower()
            # Nothing hides a dot now: without a ".com" or ".net" there is no host.
            return _any_in(self.tops, text) and self.hinted(text)
        text = plain(text)
        if self.hinted(text):
            return True
        for _ in range(DEPTH if may_be_encoded(text) else 0):
            opened = decoded(text)
            if opened == text:
                return False
            text = plain(opened)
            if self.hinted(text):
                return True
        return False

    def hinted(self, text: str) -> bool:
        """Whether the letters of one of the names stand in the text, in this order, as it is."""
        letters = plain(text).encode("ascii").translate(_LOWER, _BETWEEN).decode()
        return _any_in(self.hints, letters)

    def holds(self, url: str) -> bool:
        """Whether a folded URL leads to one of the hosts, by its own host or by one inside it."""
        return self.bare.search(url) is not None or any(
            self._serves(match[1]) for match in _AUTHORITY.finditer(url)
        )

    def _serves(self, authority: str) -> bool:
        if not self.hinted(authority):
            return False
        try:
            host = ada_url.URL(f"https://{authority}").hostname
        except ValueError:
            return self.loose.search(authority) is not None
        return f".{host.rstrip('.')}".endswith(self.endings)


def host_name(value: str) -> str:
    """The domain as a browser writes it. Raises ValueError, without the value, for anything but a host name."""
    name = value.strip().strip(".")
    if not name or _NOT_IN_A_HOST.search(name):
        raise ValueError("not a host name")
    try:
        return str(ada_url.URL(f"https://{name}").hostname)
    except ValueError:
        raise ValueError("not a host name") from None


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _any_in(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # noqa: SIM110 - a generator costs more than the search, and this runs for every text
        if part in text:
            return True
    return False


def _has_breaks(text: str) -> bool:
    return "\n" in text or "\r" in text or "\t" in text


_LOWER: Final = bytes(range(256)).lower()
_BETWEEN: Final = b". \t\r\n"
_NOT_IN_A_HOST: Final = re.compile(r"[\s/\\?#@:%*]")
_AUTHORITY: Final = re.compile(r"(?:(?:https?|wss?|ftps?):[/\\]*+|[/\\]{2,}+)([^/\\?#]*+)")
