"""Hostile bodies with a known seed: real ones of each connector, bent where a parser, a rule or a table could break.

Every value that came from outside may carry the flight's marker, in texts, keys and numbers: wherever a marker is
seen afterwards, something of a body got out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from connectors.registry import CONNECTORS, SOCIAL

MARKER: Final = "quokka7marker"
NUMBER: Final = 8804199317253
"""The marker where a number has to stand."""

MOST_BYTES: Final = 3_000_000
"""What Meta sends at most. Bytes."""

_FOLDERS: Final = Path(__file__).parents[2] / "connectors"
_STRUCTURE: Final = frozenset({"object", "field", "type", "event_type", "status", "event", "action"})
"""Keys whose texts decide what the rest is: bent less often than others, or nothing would be understood."""


class Raw(str):
    """Text that stands in a body as it is: what no serialiser would write."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may come twice."""

    __slots__ = ()


@cache
def originals(connector: str) -> list[Any]:
    """The fixtures of a connector."""
    paths = sorted((_FOLDERS / connector / "fixtures").glob("*.json"))
    return [json.loads(path.read_bytes()) for path in paths if ".expected" not in path.suffixes]


def accounts(connector: str) -> list[str]:
    """Whose events the fixtures are."""
    parse = CONNECTORS[connector].parse
    found = {event.account for body in originals(connector) for event in parse(body, 0)}
    return sorted(found - {""})


def bodies(connector: str, seed: int, count: int) -> Iterator[bytes]:
    """So many hostile bodies; the same ones for the same seed. Each is at most MOST_BYTES long."""
    yield from _every_way(connector, seed)
    chance = random.Random(f"{seed} {connector}")
    sources = originals(connector)
    while count:
        body = _body(chance, sources)
        if len(body) <= MOST_BYTES:
            count -= 1
            yield body


def _every_way(connector: str, seed: int) -> Iterator[bytes]:
    """Each damage at least once, whatever the dice say."""
    chance = random.Random(f"every way {seed} {connector}")
    sources = originals(connector)
    for bend in (*BENDS, *WHOLE):
        yield _spelled(chance, bend(chance, _marked(chance, chance.choice(sources))))[:MOST_BYTES]
    for damage in (*DAMAGES, *(chance.choice(BULKS) for _ in range(2))):
        yield damage(chance, _spelled(chance, _marked(chance, chance.choice(sources))))[:MOST_BYTES]


def _body(chance: random.Random, sources: list[Any]) -> bytes:
    tree = _marked(chance, chance.choice(sources))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        tree = _bent(chance, tree, chance.choice(BENDS))
    if chance.random() < 0.05:
        tree = chance.choice(WHOLE)(chance, tree)
    body = _spelled(chance, tree)
    if chance.random() < 0.15:
        return chance.choice(BULKS if chance.random() < 0.1 else DAMAGES)(chance, body)
    return body


def _marked(chance: random.Random, node: Any, key: str = "") -> Any:
    """A copy with the marker in most texts."""
    if isinstance(node, dict):
        return Pairs((name, _marked(chance, held, name)) for name, held in node.items())
    if isinstance(node, list):
        return [_marked(chance, held, key) for held in node]
    if isinstance(node, str) and chance.random() < (0.02 if _decides(node, key) else 0.7):
        return chance.choice((f"{node}{MARKER}", f"{MARKER} {node}", MARKER))
    return node


def _decides(text: str, key: str) -> bool:
    """Whether without it nothing else would be understood: kinds, times, whose account it is."""
    return key in _STRUCTURE or text.isdecimal()


# -- one node ----------------------------------------------------------------------------------------------------

Bend = Callable[[random.Random, Any], Any]


def _bent(chance: random.Random, node: Any, bend: Bend, key: str = "") -> Any:
    """The tree with one node bent, some way down."""
    if chance.random() < (0.02 if key in _STRUCTURE else 0.12) or not isinstance(node, list) or not node:
        return bend(chance, node)
    at = chance.randrange(len(node))
    if isinstance(node, Pairs):
        name, held = node[at]
        node[at] = (name, _bent(chance, held, bend, name))
    else:
        node[at] = _bent(chance, node[at], bend, key)
    return node


def _other_value(chance: random.Random, _node: Any) -> Any:
    return chance.choice(VALUES)


def _other_type(chance: random.Random, node: Any) -> Any:
    if isinstance(node, str):
        return int(node) if node.isdecimal() and len(node) < 30 else [node]
    if isinstance(node, Pairs):
        return chance.choice(([held for _, held in node], str(node), None))
    return str(node)


def _wrapped(chance: random.Random, node: Any) -> Any:
    return chance.choice(([node], [[node]], Pairs([("value", node)]), [node, None, node]))


def _deep(chance: random.Random, node: Any) -> Any:
    for _ in range(chance.choice((5, 55, 62, 70))):
        node = (
            Pairs([(chance.choice(("message", "attachments", MARKER)), node)])
            if chance.random() < 0.5
            else [node]
        )
    return node


def _many(chance: random.Random, node: Any) -> Any:
    size = max(1, len(_spelled(chance, node)))
    times = min(chance.choice((2, 50, 1000)), max(1, 400_000 // size))
    return node * times if isinstance(node, list) and not isinstance(node, Pairs) else [node] * times


def _other_keys(chance: random.Random, node: Any) -> Any:
    if not isinstance(node, Pairs) or not node:
        return node
    at = chance.randrange(len(node))
    key, held = node[at]
    new = chance.choice((
        [], [(key, held), (key, MARKER)], [(MARKER, held)], [(key.upper(), held)], [("", held)], [(key, held), (f"\0{key}", held)],
        [(key, held), *((f"{MARKER}{n}", n) for n in range(300))], [(key + " ", held)], [("\ud800", held)],
    ))  # fmt: skip
    node[at : at + 1] = new
    return node


def _shuffled(chance: random.Random, node: Any) -> Any:
    if isinstance(node, list):
        chance.shuffle(node)
    return node


def _exchanged(chance: random.Random, node: Any) -> Any:
    """Values change places, keys stay."""
    if isinstance(node, Pairs):
        values = [held for _, held in node]
        chance.shuffle(values)
        return Pairs((key, held) for (key, _), held in zip(node, values, strict=True))
    return node


BENDS: Final[tuple[Bend, ...]] = (
    _other_value,
    _other_value,
    _other_value,
    _other_type,
    _wrapped,
    _deep,
    _many,
    _other_keys,
    _other_keys,
    _shuffled,
    _exchanged,
)

_CDN = f"https://scontent.xx.fbcdn.net/v/{MARKER}.jpg?oe=1"
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, "", " ", [], Pairs(), [[]], [None], NUMBER, str(NUMBER), MARKER, MARKER * 5000, "true", "false",
    2**31, 2**53 + 1, 2**63, -(2**63), 2**64, 10**40, Raw("1e999"), Raw("-1e999"), Raw("NaN"), Raw("-Infinity"), Raw("1" * 3999),
    Raw("9" * 50_000), Raw("1.0000000000000000000000001"), Raw("-0"), Raw("1E5"), Raw("01"), Raw('"\t"'), Raw('"\\ud800"'),
    Raw('"\\u0000' + MARKER + '"'), Raw("'x'"), Raw("undefined"), Raw('"\\x"'), "\0", f"a\0{MARKER}", "\ud83d", "\udc00\ud83d", "😀" * 200,
    "\u202e" + MARKER, "\ufeff" + MARKER, "e\u0301" * 500, "x" * 513, "7" * 512, "-" * 70_000, "1790000000", 1790000000, 1790000000000, -62135596800,
    253402300800, "2026-09-01T00:00:00Z", "2026-09-01T00:00:00+9999", "0001-01-01", "9999-12-31T23:59:59.999999Z", "Wed Oct 10 20:19:24 +0000 2018",
    f"wamid.{MARKER}", "../../" + MARKER, f"<script>{MARKER}</script>", f"'; DROP TABLE message; -- {MARKER}", f"%s{{}}{MARKER}%n", "${jndi:x}",
    _CDN, f"{_CDN} and {_CDN} " * 200, "scontent.xx.fbcdn.net/" * 3000, "https://l.facebook.com/l.php?u=" * 200, "%25" * 20_000, "\\/" * 20_000,
    "https:\\/\\/" * 5000, "." * 60_000, "a." * 30_000, "@" * 60_000, "&amp;" * 20_000, "&lt;" * 9999 + MARKER, "\n" * 60_000,
)  # fmt: skip
"""What stands where something else was expected."""


# -- the whole ---------------------------------------------------------------------------------------------------


def _in_an_array(_chance: random.Random, tree: Any) -> Any:
    return [tree, tree]


def _twice_over(_chance: random.Random, tree: Any) -> Any:
    """Every member twice: for most parsers the last counts."""
    return Pairs([*tree, *tree]) if isinstance(tree, Pairs) else tree


def _a_thousand_entries(chance: random.Random, tree: Any) -> Any:
    if not isinstance(tree, Pairs):
        return tree
    times = max(1, min(1000, 1_000_000 // max(1, len(_spelled(chance, tree)))))
    return Pairs(
        (key, held * times if key in _LISTS and isinstance(held, list) else held) for key, held in tree
    )


def _another_connectors(chance: random.Random, _tree: Any) -> Any:
    return _marked(chance, chance.choice(originals(chance.choice(list(SOCIAL)))))


def _a_scalar(chance: random.Random, _tree: Any) -> Any:
    return chance.choice(VALUES)


def _nothing_but_items(chance: random.Random, tree: Any) -> Any:
    """The lists of an envelope, full of what is no item."""
    filling: list[Any] = [chance.choice((0, None, "", [], Pairs(), MARKER))] * chance.choice((1001, 30_000))
    return (
        Pairs((key, filling if isinstance(held, list) else held) for key, held in tree)
        if isinstance(tree, Pairs)
        else filling
    )


_LISTS = frozenset({"entry", "direct_message_events", "tweet_create_events", "tweet_delete_events", "data"})
WHOLE: Final[tuple[Bend, ...]] = (
    _in_an_array,
    _twice_over,
    _a_thousand_entries,
    _another_connectors,
    _a_scalar,
    _nothing_but_items,
)


# -- the bytes ---------------------------------------------------------------------------------------------------


def _spelled(chance: random.Random, tree: Any) -> bytes:
    """The tree as JSON, or nearly so. Lone surrogates stand there as escapes."""
    colon, comma = chance.choice(((":", ","), (": ", ", "), (" :\n", "\t,\r\n")))
    as_ascii = chance.random() < 0.5

    def spell(node: Any) -> str:
        if isinstance(node, Raw):
            return node
        if isinstance(node, Pairs):
            return "{" + comma.join(f"{spell(key)}{colon}{spell(held)}" for key, held in node) + "}"
        if isinstance(node, list):
            return "[" + comma.join(map(spell, node)) + "]"
        if isinstance(node, str):
            return _ascii(node) if as_ascii or not _is_text(node) else _letters(node)
        return json.dumps(node)

    return spell(tree).encode()


_ascii, _letters = json.encoder.encode_basestring_ascii, json.encoder.encode_basestring


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _flipped(chance: random.Random, body: bytes) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.choice((1, 3, 20)) if damaged else 0):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


def _cut(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _beside(before: bytes, after: bytes = b"") -> Callable[[random.Random, bytes], bytes]:
    return lambda _chance, body: before + body + after


def _encoded(encoding: str) -> Callable[[random.Random, bytes], bytes]:
    return lambda _chance, body: body.decode().encode(encoding)


def _replaced(old: bytes, new: bytes) -> Callable[[random.Random, bytes], bytes]:
    return lambda _chance, body: body.replace(old, new)


DAMAGES: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    _flipped,
    _flipped,
    _cut,
    _beside(b"\xef\xbb\xbf"),
    _beside(b"", b"\0"),
    _beside(b"", b" " * 300_000),
    _beside(b"\n" * 1000, MARKER.encode()),
    _beside(b'{"a":' * 100, b"}" * 100),
    _beside(b"[" * 100_000),
    _beside(b"payload="),
    _encoded("utf-16"),
    _encoded("utf-32-be"),
    _replaced(b'"', b"'"),
    _replaced(b"a", b"\xff"),
    _replaced(b" ", b"\0"),
    _replaced(b":", b"::"),
    _replaced(b"}", b",}"),
    lambda chance, _body: chance.randbytes(chance.choice((0, 1, 1000, 300_000))),
)

BULKS: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    lambda _chance, _body: b"[" + b'"%b",' % MARKER.encode() * 150_000 + b"0]",
    lambda _chance, _body: b"[" + b"[]," * 900_000 + b"[]]",
    lambda _chance, _body: b'{"object":"page","entry":[' + b"{}," * 290_000 + b"{}]}",
    lambda _chance, _body: b'{"object":"' + b"\\u0000" * 400_000 + b'"}',
)
"""Megabytes of something that is small on the wire and large in memory."""
