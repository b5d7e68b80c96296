"""The reference says what the tables say, and the tables are complete and provable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.message import Channel, Direction
from policies.reference import NOT_OF_A_RULE, clause_order, page, rows
from policies.rules import GATES
from policies.verdict import ReasonCode
from tests.architecture.policy_reference import PAGE

ROOT = Path(__file__).parents[2]
RULES = ROOT / "policies" / "rules"
CLAUSES = {
    *(f"SM-{number}" for number in range(1, 11)),
    *(f"VT-{number}" for number in range(9)),
    *(f"VT-1.{number}" for number in (1, 2, 3, 5)),
    *(f"PP-{number}" for number in range(1, 11)),
}
ROWS = tuple(rows())
NAMES = [row.rule for row in ROWS]


def test_the_page_is_not_stale() -> None:
    """Write it anew with ``python -m tests.architecture.policy_reference``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_rule_file_has_a_row_and_every_row_a_file() -> None:
    """One file, one row, the same name."""
    files = sorted(path.stem for path in RULES.glob("*.py") if path.stem != "__init__")
    assert sorted(NAMES) == files


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_has_its_table_and_its_property(name: str) -> None:
    """In the test file that carries its name."""
    source = (ROOT / f"tests/policies/test_{name}.py").read_text(encoding="utf-8")
    assert "parametrize" in source
    assert "@given" in source


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_says_what_it_does_and_for_which_clause(name: str) -> None:
    """First line: the rule in one plain sentence. Then, in the text: each of its clauses."""
    summary, _, rest = (RULES / f"{name}.py").read_text(encoding="utf-8").removeprefix('"""').partition("\n")
    text = rest.partition('"""')[0]
    row = ROWS[NAMES.index(name)]
    assert row.summary == summary
    assert re.fullmatch(r"[A-Z].+\.", summary)
    assert [clause for clause in row.clauses if clause not in text] == []


def test_every_clause_is_one_of_the_terms() -> None:
    """And every rule serves at least one."""
    assert {clause for row in ROWS for clause in row.clauses} <= CLAUSES
    assert all(row.clauses for row in ROWS)


def test_every_reason_code_is_given_by_a_rule_or_explained() -> None:
    """By exactly one of the two."""
    given = {reason for row in ROWS for reason in row.reasons}
    explained = {code.value for code in NOT_OF_A_RULE}
    assert given | explained == {code.value for code in ReasonCode}
    assert not given & explained


def test_every_rule_gives_only_the_reasons_of_its_row() -> None:
    """The codes in a rule's source are those of its row."""
    for row in ROWS:
        source = (RULES / f"{row.rule}.py").read_text(encoding="utf-8")
        used = {ReasonCode[name].value for name in re.findall(r"ReasonCode\.([A-Z_]+)", source)}
        assert used == set(row.reasons), row.rule


def test_names_and_places_are_unique() -> None:
    """A reason names its rule; a rule stands in one gate, once."""
    assert len(set(NAMES)) == len(NAMES)
    assert [(row.gate, row.order) for row in ROWS] == [
        (gate, order) for gate, table in GATES.items() for order in range(1, len(table) + 1)
    ]


def test_what_is_recorded_is_judged_whatever_it_is_and_what_is_sent_where_it_is_a_text() -> None:
    """Story media come back in echoes, a CDN URL can be pasted into any channel; only texts are sent."""
    for row in ROWS:
        sends = row.gate == "BEFORE_SEND"
        assert set(row.channels) == ({"sms"} if sends else set(Channel))
        assert set(row.directions) == ({"outbound"} if sends else set(Direction))


def test_clauses_are_in_the_order_of_their_numbers() -> None:
    """SM-9 before SM-10, VT-1.1 before VT-1.2."""
    assert sorted(["SM-10", "VT-1.2", "SM-9", "PP-3", "VT-1.1"], key=clause_order) == [
        "PP-3",
        "SM-9",
        "SM-10",
        "VT-1.1",
        "VT-1.2",
    ]
