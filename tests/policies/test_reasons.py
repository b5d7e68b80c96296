"""Every reason says what it means, which clauses it serves, and who gives it."""

from __future__ import annotations

import re

import pytest

from policies.reasons import CLAUSES, REMEDY, WORDS, clauses_of
from policies.reference import NOT_OF_A_RULE, page
from policies.rules import GATES
from policies.verdict import ReasonCode

ROWS = [row for table in GATES.values() for row in table]


@pytest.mark.parametrize("code", ReasonCode)
def test_a_reason_has_a_sentence_clauses_and_somebody_who_gives_it(code: ReasonCode) -> None:
    """One rule, or the list of those that no rule gives. A gate's own reason serves the clauses of the rule that failed."""
    assert re.fullmatch(r"[A-Z].+\.", WORDS[code])
    giving = [row for row in ROWS if code in row.codes]
    assert len(giving) == (0 if code in NOT_OF_A_RULE else 1)
    served = CLAUSES.get(code) or tuple(clause for row in giving for clause in row.clauses)
    assert served or code is ReasonCode.POLICY_ERROR
    assert f"`{code.value}`" in page()


def test_a_row_serves_the_clauses_of_its_reasons() -> None:
    """Where they have their own, its clauses are theirs and no others."""
    for row in ROWS:
        own = [code for code in row.codes if code in CLAUSES]
        assert own in ([], [*row.codes])
        assert not own or row.clauses == clauses_of(row.codes)


def test_what_would_change_a_judgement_is_said_where_there_is_one() -> None:
    """As a sentence for a reviewer to act on."""
    assert all(REMEDY.values())
    assert REMEDY.keys() <= WORDS.keys() & CLAUSES.keys()
