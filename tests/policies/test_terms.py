"""The register of terms: every clause that is cited exists, and a change of it is a change of every policy digest."""

from __future__ import annotations

import msgspec
import pytest

from policies import digest, terms
from policies.digest import policy_digest
from policies.lifecycle import CLAUSES as OF_DUTIES
from policies.reasons import CLAUSES as OF_REASONS
from policies.rules import GATES
from policies.tenant import TenantPolicy
from policies.terms import TERMS, read_terms

CITED = {
    *(clause for table in GATES.values() for rule in table for clause in rule.clauses),
    *(clause for clauses in OF_REASONS.values() for clause in clauses),
    *(clause for clauses in OF_DUTIES.values() for clause in clauses),
}


@pytest.mark.parametrize("clause", sorted(CITED))
def test_every_clause_that_is_cited_stands_in_the_register(clause: str) -> None:
    assert TERMS.clauses[clause]
    assert TERMS.document(clause).title


def test_every_document_says_which_edition_was_read_and_when() -> None:
    assert {one.id for one in TERMS.documents} == {"SM", "VT", "PP"}
    assert all(one.read_on.year >= 2024 and one.editions for one in TERMS.documents)


def test_decisions_name_the_terms_by_their_policy_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = policy_digest(TenantPolicy())
    monkeypatch.setattr(digest, "TERMS_DIGEST", "0" * 16)
    assert policy_digest(TenantPolicy()) != before


def test_a_new_revision_changes_the_digest() -> None:
    """Whatever it changes: a date, a clause, a title."""
    later = msgspec.structs.replace(TERMS, clauses={**TERMS.clauses, "SM-11": "something new"})
    assert msgspec.json.encode(later, order="sorted") != msgspec.json.encode(TERMS, order="sorted")
    assert len(terms.TERMS_DIGEST) == 16


def test_a_clause_of_no_document_is_refused() -> None:
    with pytest.raises(ValueError, match="no document"):
        read_terms(b'revision = "1"\ndocuments = []\n[clauses]\nXX-1 = "?"\n')
