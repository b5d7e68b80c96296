"""Every kind of number that is looked for: a new one is a file beside this one, a row here, and a table in its test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from policies.identifiers import (
    au_tfn,
    be_nn,
    br_cpf,
    ca_sin,
    card,
    ch_ahv,
    cvv,
    de_steuer_id,
    es_dni,
    es_nie,
    fr_nir,
    in_aadhaar,
    in_pan,
    it_codice_fiscale,
    mx_curp,
    nl_bsn,
    passport,
    pl_pesel,
    pt_nif,
    uk_nhs,
    uk_nino,
    us_itin,
    us_ssn,
)
from policies.identifiers.context import Words
from policies.identifiers.kind import Kind

KINDS: Final[tuple[Kind, ...]] = (
    # Where a number could be two of them, and the words beside it name both, the first one gives its name.
    card.KIND,
    it_codice_fiscale.KIND,
    mx_curp.KIND,
    ch_ahv.KIND,
    be_nn.KIND,
    de_steuer_id.KIND,
    br_cpf.KIND,
    pl_pesel.KIND,
    fr_nir.KIND,
    es_nie.KIND,
    es_dni.KIND,
    uk_nino.KIND,
    in_pan.KIND,
    in_aadhaar.KIND,
    uk_nhs.KIND,
    us_itin.KIND,
    ca_sin.KIND,
    pt_nif.KIND,
    au_tfn.KIND,
    nl_bsn.KIND,
    us_ssn.KIND,
    passport.KIND,
    cvv.KIND,
)


class Candidate(NamedTuple):
    """A kind that has a shape, and what a word in the text may say for it."""

    kind: Kind
    meanings: frozenset[str]


class Registry:
    """Kinds, compiled: which shapes begin how and belong to whom, and the words of all of them. Immutable."""

    __slots__ = ("order", "prefixes", "shapes", "words")

    def __init__(self, kinds: Iterable[Kind]) -> None:
        rows = tuple(kinds)
        shapes: dict[str, tuple[Candidate, ...]] = {}
        for kind in rows:
            for shape in kind.shapes:
                shapes[shape] = (*shapes.get(shape, ()), Candidate(kind, kind.meanings))
        self.shapes: Mapping[str, tuple[Candidate, ...]] = shapes
        self.prefixes = frozenset(shape[:end] for shape in shapes for end in range(1, len(shape) + 1))
        self.order: Mapping[str, int] = {kind.name: at for at, kind in enumerate(rows)}
        self.words = Words(rows)


REGISTRY: Final = Registry(KINDS)
"""All of them."""
