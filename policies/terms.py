"""The terms that this product serves, as data: documents, their revisions, clauses in our own words (``terms.toml``).

VT-0: terms may change at any time and then bind. PP-10: a change is notified. So the register has a digest that is part
of every policy digest, and each decision names by it the terms that it was made under.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Final

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document of the terms.

    ``editions``: by language, the revision that the edition itself names, or ``undated``; ``read_on``: when the clauses
    were read from it.
    """

    id: str
    title: str
    editions: Mapping[str, str]
    read_on: date
    publisher: str


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The register: ``revision`` names this state of it; ``clauses`` by id."""

    revision: str
    documents: tuple[Document, ...]
    clauses: Mapping[str, str]

    def document(self, clause: str) -> Document:
        """The document that a clause stands in. Raises KeyError."""
        family = clause.partition("-")[0]
        return {one.id: one for one in self.documents}[family]


def read_terms(text: bytes) -> Terms:
    """The register in TOML. Raises ValueError when it is none, or a clause has no document."""
    terms = msgspec.convert(tomllib.loads(text.decode()), Terms)
    known = {one.id for one in terms.documents}
    if not all(clause.partition("-")[0] in known for clause in terms.clauses):
        raise ValueError("a clause stands in no document of the register")
    return terms


_TEXT: Final = (files("policies") / "terms.toml").read_bytes()
TERMS: Final = read_terms(_TEXT)
"""The register that is shipped."""

TERMS_DIGEST: Final = hashlib.sha256(msgspec.json.encode(TERMS, order="sorted")).hexdigest()[:16]
"""Changes with every change of the register, and with nothing else."""
