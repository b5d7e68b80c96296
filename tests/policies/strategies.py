"""Made-up messages, tenants and Facebook CDN URLs in every disguise, for all tests that need them."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec
from hypothesis import strategies as st

from policies.message import (
    Channel,
    Content,
    Direction,
    Identifier,
    IdentifierKind,
    Json,
    Media,
    MediaKind,
    Message,
    MessageKind,
)
from policies.tenant import Facts, TenantPolicy

NOW: Final = 1_800_000_000_000_000
"""A fixed present, in microseconds."""

CANARY: Final = "CANARY7F3A"
"""Stands in the path of every planted URL; no disguise changes it, and nothing else contains it."""

CDN_HOSTS: Final = (
    "lookaside.fbsbx.com",
    "cdn.fbsbx.com",
    "scontent.cdninstagram.com",
    "scontent-lis1-1.cdninstagram.com",
    "scontent.xx.fbcdn.net",
    "video-ams4-1.xx.fbcdn.net",
    "scontent.flis9-2.fna.fbcdn.net",
    "lookaside.cdnwhatsapp.net",
    "mmg-fna.whatsapp.net",
    "media-lis1-1.cdn.whatsapp.net",
)
CDN_PATHS: Final = (
    f"/ig_messaging_cdn/?asset_id={CANARY}&signature=made-up_",
    f"/v/t51.2885-15/{CANARY}_n.jpg?stp=dst-jpg_e35&oh=00_made&oe=66AA",
    f"/whatsapp_business/attachments/?mid={CANARY}&ext=1&hash=made-up",
    f"/m1/v/t24/{CANARY}",
    f"?id={CANARY}",
)

_FRAKTUR: Final = {ord(c): 0x1D51E + i for i, c in enumerate(string.ascii_lowercase)}

Disguise = Callable[[str, str], str]
"""Writes the URL of a host and a path in another way."""


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _middle(host: str, inserted: str) -> str:
    """Into the middle of the registrable name."""
    at = len(host) - 7
    return host[:at] + inserted + host[at:]


def _https(host: str, path: str) -> str:
    return f"https://{host}{path}"


def _encoded(host: str, path: str) -> str:
    return quote(_https(host, path), safe="")


DISGUISES: Final[dict[str, Disguise]] = {
    "as it is": _https,
    "plain http": lambda host, path: f"http://{host}{path}",
    "upper case": lambda host, path: f"HTTPS://{host.upper()}{path}",
    "trailing dot": lambda host, path: f"https://{host}.{path}",
    "port": lambda host, path: f"https://{host}:443{path}",
    "user information": lambda host, path: f"https://example.org:pw@{host}{path}",
    "no slashes": lambda host, path: f"https:{host}{path}",
    "backslashes": lambda host, path: f"https:\\\\{host}\\x{path}",
    "backslash authority": lambda host, path: f"https://{host}\\@example.org{path}",
    "scheme-relative": lambda host, path: f"//{host}{path}",
    "no scheme": lambda host, path: f"{host}{path}",
    "no scheme, port": lambda host, path: f"{host}:443{path}",
    "full-width host": lambda host, path: f"https://{_full_width(host)}{path}",
    "full-width front": lambda host, path: f"{_full_width(f'https://{host}')}{path}",
    "mathematical letters": lambda host, path: f"https://{host.translate(_FRAKTUR)}{path}",
    "ideographic dots": lambda host, path: f"https://{host.replace('.', '。')}{path}",
    "tab in the host": lambda host, path: f"https://{_middle(host, chr(9))}{path}",
    "line break in the host": lambda host, path: f"https://{_middle(host, chr(13) + chr(10))}{path}",
    "zero-width space": lambda host, path: f"https://{_middle(host, chr(0x200B))}{path}",
    "zero-width joiner, no scheme": lambda host, path: f"{_middle(host, chr(0x200D))}{path}",
    "soft hyphen": lambda host, path: f"https://{_middle(host, chr(0xAD))}{path}",
    "percent-encoded letter": lambda host, path: f"https://%{ord(host[0]):02x}{host[1:]}{path}",
    "percent-encoded name": lambda host, path: f"https://{host[:-7]}%{ord(host[-7]):02X}{host[-6:]}{path}",
    "percent-encoded": _encoded,
    "percent-encoded twice": lambda host, path: quote(_encoded(host, path), safe=""),
    "percent-encoded, no scheme": lambda host, path: quote(f"{host}{path}", safe=""),
    "JSON slashes": lambda host, path: _https(host, path).replace("/", "\\/"),
    "JSON in JSON": lambda host, path: _https(host, path).replace("/", "\\\\/"),
    "JSON letters": lambda host, path: (
        "\\u0068ttps:\\/\\/" + host[:-7] + "".join(f"\\u{ord(c):04x}" for c in host[-7:]) + path
    ),
    "HTML ampersands": lambda host, path: html.escape(_https(host, path)),
    "HTML slashes": lambda host, path: _https(host, path).replace("/", "&#x2f;").replace(":", "&#58;"),
    "HTML names": lambda host, path: _https(host, path).replace("/", "&sol;").replace(".", "&period;"),
    "l.instagram.com": lambda host, path: f"https://l.instagram.com/?u={_encoded(host, path)}&e=AT0made",
    "l.facebook.com": lambda host, path: f"https://l.facebook.com/l.php?u={_encoded(host, path)}&h=AT0made",
    "lm.facebook.com, twice": lambda host, path: (
        f"https://lm.facebook.com/l.php?u={quote(_encoded(host, path), safe='')}&h=AT0made"
    ),
    "wrapper without scheme": lambda host, path: f"l.facebook.com/l.php?u={_encoded(host, path)}",
    "link protection": lambda host, path: (
        f"https://eu.safelinks.example.org/?url={_encoded(host, path)}&data=05%7C01&reserved=0"
    ),
    "three wrappers": lambda host, path: (
        "https://l.instagram.com/?u="
        + quote(
            "https://l.facebook.com/l.php?u="
            + quote(f"https://proxy.example.org/go?to={_encoded(host, path)}", safe=""),
            safe="",
        )
    ),
    "image proxy": lambda host, path: f"https://images.example.org/{host}{path}",
    "safe_image.php": lambda host, path: (
        f"https://external.xx.fbcdn.net/safe_image.php?url=https%3A%2F%2Fexample.org%2F{CANARY}"
    ),
}

WRAPPINGS: Final = (
    "{}",
    "see {} please",
    "({})",
    "[a picture]({}) of mine",
    "<{}>",
    "“{}”",
    '"{}"',
    "**{}**, they said",
    "Look: {}!",
    "日本語{}\u3000です",
    "first line\n{}\nlast line",
)
"""Sentences around a URL; what stands in them besides the URL must stay."""

INNOCENT: Final = (
    "",
    "Where is my order 4711? Thanks!",
    "50% off & more, 100 %, AT&T \\o/ c:\\temp",
    "Grüße aus Köln 😀👍🏽 … “c'est ça”",
    "订单还没有到。谢谢！",
    "https://example.org/a%20b?c=d&e=f#g",
    "https://cdninstagram.com.example.org/a https://evilcdninstagram.com/b https://notfbcdn.net/c",
    "https://lookaside.fbsbx.com.evil.example/file",
    "https://l.instagram.com/?u=https%3A%2F%2Fexample.org%2F%40channel&e=AT2made",
    "https://graph.facebook.com/v26.0/123 and https://wa.me/351900000000",
    "mail me@fbcdn.net, or 351900000000@s.whatsapp.net",
    "is fbcdn.net down?",
)
"""Texts in which nothing may change."""

texts = st.one_of(st.sampled_from(INNOCENT), st.text(max_size=40))
"""What people write. No CDN URL comes of drawing letters by chance."""


innocent_urls = st.sampled_from(
    (
        "https://example.org/a%20b?c=d&e=f#g",
        "https://lookaside.fbsbx.com.evil.example/file",
        "https://l.instagram.com/?u=https%3A%2F%2Fexample.org%2F%40channel&e=AT2made",
        "https://pbs.example/media/1.jpg",
    )
)
"""Where attachments may lie. In a text a host alone is a name; here it would be a place."""


@st.composite
def cdn_urls(draw: st.DrawFn) -> str:
    """A Facebook CDN URL in some disguise, with the canary in it."""
    disguise = draw(st.sampled_from(sorted(DISGUISES)))
    return DISGUISES[disguise](draw(st.sampled_from(CDN_HOSTS)), draw(st.sampled_from(CDN_PATHS)))


def trees(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Json]]:
    """Details: JSON trees with these strings as leaves and as keys."""
    scalars = st.one_of(leaves, st.none(), st.booleans(), st.integers(-(10**20), 10**20))
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(leaves, inner, max_size=3)),
        max_leaves=4,
    )
    return st.dictionaries(
        st.one_of(st.sampled_from(("context", "template", "image_url")), leaves), values, max_size=3
    )


def medias(
    leaves: st.SearchStrategy[str],
    kinds: st.SearchStrategy[MediaKind] | None = None,
    urls: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Media]:
    """Attachments of any kind with these strings in them."""
    maybe = st.one_of(st.none(), leaves)
    return st.builds(
        Media,
        kind=st.sampled_from(MediaKind) if kinds is None else kinds,
        url=maybe if urls is None else st.one_of(st.none(), urls),
        id=maybe,
        mime_type=st.sampled_from((None, "image/jpeg")),
        sha256=st.sampled_from((None, "0" * 64)),
        title=maybe,
    )


def contents(
    leaves: st.SearchStrategy[str], urls: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[Content]:
    """What was said, with these strings everywhere; attachments point to ``urls``."""
    return st.builds(
        Content,
        text=st.one_of(st.none(), leaves),
        media=st.lists(medias(leaves, urls=urls), max_size=3).map(tuple),
        details=trees(leaves),
        profile=st.dictionaries(st.one_of(st.sampled_from(("name", "username")), leaves), leaves, max_size=2),
    )


def messages(said: st.SearchStrategy[Content] | None = None) -> st.SearchStrategy[Message]:
    """Messages of every channel, kind and direction."""
    ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
    people = st.builds(Identifier, kind=st.sampled_from(IdentifierKind), value=ids)
    return st.builds(
        Message,
        channel=st.sampled_from(Channel),
        account=ids,
        id=ids,
        direction=st.sampled_from(Direction),
        kind=st.sampled_from(MessageKind),
        person=st.lists(people, max_size=2).map(tuple),
        occurred_at=st.integers(NOW - 10**15, NOW),
        content=contents(texts, innocent_urls) if said is None else said,
        reply_to=st.one_of(st.none(), ids),
        thread=st.one_of(st.none(), ids),
        standby=st.booleans(),
        history=st.booleans(),
    )


planted = messages(contents(st.one_of(cdn_urls(), texts)))
"""Messages with disguised CDN URLs as texts, ids, titles, keys, leaves and names."""

TUNING: Final[dict[str, st.SearchStrategy[object]]] = {
    "remove_hosts": st.sampled_from(((), ("example.org",), ("evil.example", "bücher.example"))),
    "never_record_kinds": st.lists(st.sampled_from(MessageKind), max_size=2, unique=True).map(tuple),
    "record_standby": st.booleans(),
    "record_history": st.booleans(),
    "record_profiles": st.booleans(),
    "record_media_references": st.booleans(),
    "oldest_days": st.integers(1, 3650),
}
"""Every field of a tenant's policy."""

policies = st.builds(TenantPolicy, **TUNING)
"""Tenants that switch and tune whatever can be."""

facts = st.builds(Facts, now=st.just(NOW), policy=policies, unsent=st.booleans())


def message(**changes: object) -> Message:
    """One plain message, with the named fields otherwise; ``text`` and ``media`` go into its content."""
    said = {name: changes.pop(name) for name in ("text", "media", "details", "profile") if name in changes}
    plain = Message(
        channel=Channel.INSTAGRAM,
        account="17840000000000042",
        id="m_made_up_1",
        direction=Direction.INBOUND,
        kind=MessageKind.TEXT,
        person=(Identifier(kind=IdentifierKind.IGSID, value="1780000000000007"),),
        occurred_at=NOW,
        content=msgspec.convert({}, Content) if not said else Content(**said),  # type: ignore[arg-type]
    )
    return msgspec.structs.replace(plain, **changes)


def known(**tuning: object) -> Facts:
    """The facts of a tenant with this tuning, and no tombstone."""
    return Facts(now=NOW, policy=TenantPolicy(**tuning))  # type: ignore[arg-type]


def written(value: object) -> str:
    """Everything that stands in a value, as JSON with nothing escaped, to search in."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
