"""The links of a text: as a person would open them, however they are written.

Found in the folded text (``hxxp``, ``[.]``, `` dot ``, split hosts); the host is the one that a browser would ask for
what stands in the original, so that a look-alike letter leads where it really leads.
"""

from __future__ import annotations

import re
from typing import Final

import ada_url

from policies.message import Private
from policies.screening import suffixes
from policies.screening.normalise import Folded

MOST: Final = 64
"""So many links of one text are looked at; who writes more hides something."""


class Link(Private, frozen=True):
    """A link or e-mail address. ``start`` and ``end`` are positions in the folded text.

    ``host`` is canonical (lower case, IDNA); ``path`` begins with a slash or is empty; ``domain`` is the registrable
    domain, or the host where there is none.
    """

    host: str
    domain: str
    path: str
    start: int
    end: int
    mail: bool = False
    ip: bool = False
    hidden: bool = False
    scheme: bool = False

    @property
    def punycode(self) -> bool:
        """Whether a label is written in other letters than ASCII."""
        return "xn--" in self.host


def links(original: str, folded: Folded) -> list[Link]:
    """Links in the order of the text, apart from each other."""
    text = folded.text
    found: list[Link] = []
    if not _WORTH_A_LOOK.search(text):
        return found
    end = 0
    for match in _ANY.finditer(text):
        if match.start() < end or len(found) >= MOST:
            continue
        link = _link(original, folded, match)
        if link is not None:
            found.append(link)
            end = link.end
    return found


def unreadable(covered: str) -> tuple[int, int] | None:
    """Where a link begins that leads nowhere a browser could go, in a folded text whose links are covered."""
    match = _BEGUN.search(covered)
    return None if match is None else match.span()


def _link(original: str, folded: Folded, match: re.Match[str]) -> Link | None:
    kind = match.lastgroup
    if kind == "mail":
        return _made(original, folded, match.start("mailhost"), match.end(), mail=True)
    if kind == "url":
        return _schemed(original, folded, match)
    if not _is_host(original, folded, match):
        return None
    return _made(original, folded, match.start(), _trimmed(folded.text, match.start(), match.end()))


def _schemed(original: str, folded: Folded, match: re.Match[str]) -> Link | None:
    start, end = match.start("rest"), _trimmed(folded.text, match.start("rest"), match.end())
    link = _made(original, folded, start, end, scheme=True)
    if link is None:
        return None
    prefix = folded.text[match.start() : start]
    hidden = link.hidden or prefix.startswith("hx") or " " in prefix or ":" not in prefix
    return Link(link.host, link.domain, link.path, match.start(), end, ip=link.ip, hidden=hidden, scheme=True)


def _made(
    original: str, folded: Folded, start: int, end: int, *, mail: bool = False, scheme: bool = False
) -> Link | None:
    if end <= start:
        return None
    shown = folded.text[start:end]
    plain = _DOTS.sub(".", shown)
    written = original[folded.starts[start] : folded.starts[end - 1] + 1]
    host, path = _asked(plain if written.isascii() else _DOTS.sub(".", _INVISIBLE.sub("", written)))
    if not host:
        host, path = _asked(plain)
    if not host:
        return None
    ip = bool(_IP.fullmatch(host)) or host.startswith("[")
    domain = host if ip else registrable(host)
    hidden = plain != shown or _INVISIBLE.search(written) is not None
    return Link(host, domain, path, start, end, mail=mail, ip=ip, hidden=hidden, scheme=scheme)


def host_and_path(written: str) -> tuple[str, str] | None:
    """Host and path of what somebody wrote for a host or URL; None for what is none."""
    host, path = _asked(_SCHEME.sub("", written.strip()))
    return (host, path) if "." in host or host == "localhost" else None


def _asked(address: str) -> tuple[str, str]:
    """The host that a browser would ask for it, and the path."""
    try:
        url = ada_url.URL("http://" + address.lstrip("/"))
    except ValueError:
        return "", ""
    path = url.pathname + url.search
    return url.hostname.rstrip("."), "" if path == "/" else path


def registrable(host: str) -> str:
    """The registrable domain of a host (public suffix list, private section too); the host itself where it has none."""
    return suffixes.registrable(host) or host


def is_public_suffix(host: str) -> bool:
    """Whether everybody may register below it: nobody owns all of it."""
    return suffixes.registrable(host) is None


def _trimmed(text: str, start: int, end: int) -> int:
    """Where the link ends: punctuation of the sentence around it is not its own."""
    while end > start and text[end - 1] in _TRAILING:
        end -= 1
    return end


def _is_host(original: str, folded: Folded, match: re.Match[str]) -> bool:
    """Whether a bare name such as ``example.org`` is one, or a missing space behind a full stop."""
    host = _DOTS.sub(".", match.group("host"))
    first, _, top = host.rpartition(".")
    has_path = bool(match.group("path"))
    if not has_path and _merchant(original, folded, match):
        return False
    if host.startswith("www.") and len(host) > 7:
        return True
    if not _is_top(original, folded, match, top) or not _LETTER.search(first):
        return False
    if has_path:
        return True
    split = match.group("host") != host
    return not _sentence(original, folded, match, top) and _likely(first, top, split=split)


def _is_top(original: str, folded: Folded, match: re.Match[str], top: str) -> bool:
    """Whether there is such a top. Behind a full stop of another script, a word that is one too begins a sentence."""
    if top.isascii():
        return top in _TOPS
    dot = original[folded.starts[match.end("host") - len(top) - 1]]
    return dot == "." and ada_url.idna_to_ascii(top).decode() in _TOPS


def _likely(first: str, top: str, *, split: bool) -> bool:
    """Whether a name without scheme and path is more likely a host than two words without a space."""
    if split:
        return top in _CERTAIN
    if top in _WORDS:
        return "-" in first or "." in first
    return top in _CERTAIN or "-" in first or "." in first or len(first) > 2


def _merchant(original: str, folded: Folded, match: re.Match[str]) -> bool:
    """``at AMAZON.COM*A1``: a card statement names shops so, in capital letters."""
    written = original[folded.starts[match.start()] : folded.starts[match.end() - 1] + 1]
    return (
        written.isupper() and _PAID.search(folded.text, max(0, match.start() - 12), match.start()) is not None
    )


def _sentence(original: str, folded: Folded, match: re.Match[str], top: str) -> bool:
    """``done.Call us``: a capital letter behind the dot of a small word begins a sentence."""
    end = match.end("host")
    tail = original[folded.starts[end - len(top)] : folded.starts[end - 1] + 1]
    head = original[folded.starts[match.start()]]
    return tail[:1].isupper() and not (tail.isupper() and head.isupper())


_TOPS: Final = suffixes.TOPS | {"example", "test", "onion", "invalid"}
_CERTAIN: Final = frozenset(
    "com net org info biz xyz top online site shop club app live vip icu cc click link ly website space store tech fun "
    "io co tk ml ga gq cf pw ru cn uk fr eu nl ca au de es it ch at be pl pt br mx ar cl pe in us gov edu mobi page dev "
    "example".split()
)
# Tops that are words of a language that we read: alone, behind a short word, they are more often a missing space.
_WORDS: Final = frozenset(
    "in is it to at so me my be no us de la el es se si am an as do ma mi sa ne mu pa ist il va sur des les call now here "
    "download click link bank help support today how one pay save shop sale free day date best cash money care info live "
    "contact email phone app store plus win bid new news next online page place top vip zone team work works world "
    "call kim fyi fun you off bar black blue box buy cab cafe camp car city cloud club codes coffee color cool "
    "delivery direct dog earth events express family fan farm fast film final fish fit food foundation game gift gold "
    "golf green group guide home host hot house ink job jobs land law legal life like living loan loans love man map "
    "market media men menu mobile moe mom mov music name network order parts party pet photo photos pics pictures pink "
    "pizza play press prime promo pub quest read red rent report rest review room rocks run safe school science "
    "security select services sex shopping show site ski social solutions space spot store studio style sucks supply "
    "talk tax taxi tel tips tires tools tours town toys trade training tv video vote voting watch web wedding wiki "
    "wow yes yoga zero son mal das die und der ein les voto casa bio ski ink voyage reise sarl viajes tienda "
    "st by to im cat are no".split()
) - {"info", "online", "top", "vip", "site", "store", "shop", "live", "club", "us", "de", "es"}

_DOT: Final = r"(?:\s?[\[({<]\s?(?:\.|dot|punkt|punto|point)\s?[\])}>]\s?|\.)"
_DOTS: Final = re.compile(
    r"\s?[\[({<]\s?(?:\.|dot|punkt|punto|point)\s?[\])}>]\s?|\s(?:dot|punkt|punto|point)\s|\s?\.\s?"
)
_LABEL: Final = r"[^\W_](?:[\w\-]{0,61}[^\W_])?"
_SPLIT: Final = (
    r"(?:\s\.\s?|\.\s(?=[a-z]{2,6}\s?/[^\s])|\sdot\s|\s(?:punkt|punto|point)\s(?=com|net|org))"
    r"(?:com|net|org|info|biz|xyz|top|online|site|shop|club|icu|cc|ly|io|ru|cn|uk|fr|eu|nl|de|es)(?![^\W_])"
)
_HOST: Final = rf"(?<![\w@.\-])(?:{_LABEL}{_DOT}){{1,8}}(?:[a-z][a-z0-9\-]{{1,24}}|[^\W\d_a-z][^\W\d_]{{1,24}})(?![\w])|(?<![\w@.\-]){_LABEL}{_SPLIT}"
_ANY: Final = re.compile(
    rf"(?P<mail>(?<![\w.+\-])[\w.+\-]{{1,64}}(?:@|\s?[\[(]\s?at\s?[\])]\s?)(?P<mailhost>(?:{_LABEL}{_DOT}){{1,6}}[a-z]{{2,24}}))"
    rf"|(?<![^\W_])h(?:tt|xx)ps?\s?[:;]?\s?/\s?/\s{{0,2}}(?P<rest>(?:[^\s/?\#<>\"]+(?:{_SPLIT})?)[^\s<>\"]*)(?P<url>)"
    rf"|(?P<bare>(?P<host>{_HOST})(?::\d{{2,5}})?(?P<path>\s?/[^\s<>\"]*|\?[^\s<>\"]+)?)"
)
_SCHEME: Final = re.compile(r"^[a-zA-Z][\w+.\-]*://")
_WORTH_A_LOOK: Final = re.compile(
    r"\.[^\W_]|//|[\[({<]\s?(?:\.|dot|pun|poi)|\sdot\s|\s\.|\.\s[a-z]{2,6}\s?/|\bh(?:tt|xx)ps?\b|\bpunkt|\bpunto|\bpoint"
)
_IP: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\xad\u034f]")
_LETTER: Final = re.compile(r"[^\W\d_]")
_DIGIT: Final = re.compile(r"\d")
_PAID: Final = re.compile(r"(?:at|to|from|for|by|info|via|chez|en|bei|on)[\s:*]{1,2}$")
_BEGUN: Final = re.compile(r"(?<![^\W_])(?:h(?:tt|xx)ps?(?![^\W_])|www\s?\.)")
_TRAILING: Final = frozenset(".,;:!?'\")]}>»…")
