"""Finding the numbers of a text: shape, then check digit, then the written form and the words beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from policies.identifiers import card, cvv
from policies.identifiers.folding import CARD_MASK, MASK, fold, has_number
from policies.identifiers.kind import ANY, DOUBTFUL, Kind
from policies.identifiers.registry import REGISTRY, Registry
from policies.identifiers.runs import Piece, compact, pieces
from policies.identifiers.surroundings import Surroundings
from policies.message import Private

ROUNDS: Final = 4
"""So often a text is read again after something was found in it."""


class Found(Private, frozen=True):
    """A number of this kind stands in ``text[start:end]``."""

    kind: Kind
    start: int
    end: int


class Evidence(IntEnum):
    """What makes a piece a hit, the best first: where two hits overlap, the better one stays."""

    NAMED = 1
    NEAR = 2
    FORM = 3
    SOME_ID = 4


class _Hit(NamedTuple):
    kind: Kind
    start: int
    end: int
    evidence: Evidence


def scan(text: str, label: str = "", registry: Registry = REGISTRY) -> list[Found]:
    """Every number in the text, in order and apart from each other, in the text's own offsets.

    ``label`` is what the text is called where it stands: a form's question, a key.
    """
    if not has_number(text):
        return []
    head = f"{label}: " if label else ""
    folded = fold(head + text)
    spans = ((hit.kind, *folded.span(hit.start, hit.end)) for hit in _all_hits(folded.text, registry))
    shift = len(head)
    return [Found(kind=kind, start=at - shift, end=end - shift) for kind, at, end in spans if at >= shift]


def _all_hits(text: str, registry: Registry) -> list[_Hit]:
    """Hits until there are no more: a number beside another may show only where that one is out of the way.

    So it makes no difference which of them are tokens already.
    """
    hits = found = _hits(text, registry)
    for _ in range(ROUNDS):
        if not found:
            break
        text = _masked(text, found)
        found = _hits(text, registry)
        hits = [*hits, *found]
    return sorted(hits, key=lambda hit: hit.start)


def _masked(text: str, hits: Iterable[_Hit]) -> str:
    letters = list(text)
    for hit in hits:
        mask = CARD_MASK if hit.kind is card.KIND else MASK
        letters[hit.start : hit.end] = mask * (hit.end - hit.start)
    return "".join(letters)


def _hits(text: str, registry: Registry) -> list[_Hit]:
    """Hits in a folded text. Where there is a card, a second look is for what stands beside it."""
    around = Surroundings(text, registry.words)
    likely = list(_likely(text, registry, around))
    if not likely and CARD_MASK not in text:
        return []
    found = _apart(_judged(likely, around, cards=False), len(text), registry)
    ends = [hit.end for hit in found if hit.kind is card.KIND]
    ends += [match.end() for match in _CARD_TOKEN.finditer(text)]
    if not ends:
        return found
    beside = [*_judged(likely, around, cards=True), *_behind(text, ends)]
    return _apart([*found, *beside], len(text), registry)


def _likely(text: str, registry: Registry, around: Surroundings) -> Iterator[tuple[Kind, Piece]]:
    """Pieces that a word or their form speaks for, in a kind's way of writing and with its check digit."""
    said = around.meanings
    for piece in pieces(text, registry.shapes, registry.prefixes):
        start, end, shape = piece
        for kind, meanings in registry.shapes[shape]:
            if (
                (not said.isdisjoint(meanings) or _stands_alone(kind, start, end, around))
                and (kind.written is None or kind.written.fullmatch(text, start, end))
                and _valid(kind, compact(text[start:end]))
            ):
                yield kind, piece


def _stands_alone(kind: Kind, start: int, end: int, around: Surroundings) -> bool:
    """Whether it could be a hit in a text that has no word for it."""
    return _has_form(kind, start, end, around.text) and not around.flanked(start, end)


def _has_form(kind: Kind, start: int, end: int, text: str) -> bool:
    """Whether it is written as nothing else is."""
    if kind.alone is not None and kind.alone.fullmatch(text, start, end):
        return True
    return kind.certain is not None and kind.certain.fullmatch(text, start, end) is not None


def _valid(kind: Kind, digits: str) -> bool:
    try:
        return kind.valid(digits)
    except Exception:  # noqa: BLE001 - what cannot be checked is taken for valid: fail closed
        return True


def _judged(likely: Iterable[tuple[Kind, Piece]], around: Surroundings, *, cards: bool) -> Iterator[_Hit]:
    for kind, (start, end, _) in likely:
        names = frozenset((kind.name, DOUBTFUL + kind.name) if cards else (kind.name,))
        evidence = _evidence(kind, start, end, around, names)
        if evidence is not None:
            yield _Hit(kind, start, end, evidence)


def _evidence(
    kind: Kind, start: int, end: int, around: Surroundings, names: frozenset[str]
) -> Evidence | None:
    """What speaks for it; None where nothing does, or something speaks against it."""
    url = around.url_around(start, end)
    if around.flanked(start, end) if url is None else not around.is_whole_part(start, end, url):
        return None
    before = _before(kind, start, around, names)
    if before is Evidence.NAMED:
        return before
    if around.glued_before(start):
        return None
    if around.named_behind(end, names):
        return Evidence.NAMED
    return _from_afar(kind, start, end, around, names, before) if url is None else None


def _from_afar(
    kind: Kind, start: int, end: int, around: Surroundings, names: frozenset[str], near: Evidence | None
) -> Evidence | None:
    """What its form says, and words that are not right beside it: a word that is says more."""
    if kind.certain is not None and kind.certain.fullmatch(around.text, start, end):
        return Evidence.NAMED
    form = Evidence.FORM if _has_form(kind, start, end, around.text) else None
    best = near if near is Evidence.NEAR else form or near
    return None if best is None or around.is_something_else(start, end, names) else best


def _before(kind: Kind, start: int, around: Surroundings, names: frozenset[str]) -> Evidence | None:
    """Whether a word before it names it, or says that it is some identifier of a person."""
    best: Evidence | None = None
    reach = kind.reach or -1
    for label, distance in around.labels_before(start):
        if not names.isdisjoint(label.means):
            if around.named_before(label, start) and (kind.reach or around.same_sentence(label.end, start)):
                return Evidence.NAMED
            best = Evidence.NEAR if distance <= reach else best
        elif ANY in label.means and distance <= reach:
            best = best or Evidence.SOME_ID
    return best


def _behind(text: str, ends: Iterable[int]) -> Iterator[_Hit]:
    """Three or four digits right behind a card need no word beside them."""
    for end in ends:
        match = cvv.BEHIND.match(text, end)
        if match is not None:
            yield _Hit(cvv.KIND, *match.span("cvv"), Evidence.FORM)


def _apart(hits: Iterable[_Hit], length: int, registry: Registry) -> list[_Hit]:
    """Of hits that overlap, the one with the better evidence, or the longer one."""
    taken = bytearray(length)
    chosen: list[_Hit] = []
    for hit in sorted(
        hits, key=lambda hit: (hit.evidence, hit.start - hit.end, registry.order[hit.kind.name])
    ):
        if not any(taken[hit.start : hit.end]):
            taken[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
            chosen.append(hit)
    return sorted(chosen, key=lambda hit: hit.start)


_CARD_TOKEN: Final = re.compile(f"{CARD_MASK}+")
