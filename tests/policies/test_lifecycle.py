"""The order of precedence, over every combination of duties."""

from __future__ import annotations

from itertools import combinations

import pytest

from policies.lifecycle import CLAUSES, Disposal, Duty, Fate, disposal

N, H, P, E, F, C = Duty
EVERY = [frozenset(some) for size in range(7) for some in combinations(Duty, size)]


def expected(duties: frozenset[Duty]) -> tuple[Fate, Duty | None]:  # noqa: PLR0911 - a table
    """The table of terms.md, written out as a person would read it."""
    if N in duties:
        return Fate.PURGE, N
    if H in duties:
        return (Fate.RESTRICT if duties & {P, E} else Fate.KEEP), H
    if P in duties:
        return Fate.PURGE, P
    if E in duties:
        return Fate.PURGE, E
    if F in duties:
        return Fate.KEEP, F
    if C in duties:
        return Fate.PURGE, C
    return Fate.KEEP, None


@pytest.mark.parametrize("duties", EVERY, ids=lambda duties: "+".join(sorted(duties)) or "none")
def test_every_combination_ends_as_the_terms_say(duties: frozenset[Duty]) -> None:
    answer = disposal(duties)
    assert (answer.fate, answer.because) == expected(duties)


@pytest.mark.parametrize("duties", EVERY)
def test_whoever_wanted_the_opposite_is_named(duties: frozenset[Duty]) -> None:
    """Every conflict can be logged with its reason."""
    answer = disposal(duties)
    go, stay = {N, P, E, C}, {H, F}
    opposite = (stay if answer.because in go else go) if answer.because else set[Duty]()
    assert set(answer.overruled) == duties & opposite
    assert answer.because not in answer.overruled


@pytest.mark.parametrize("duties", EVERY)
def test_records_without_content_meet_the_floor(duties: frozenset[Duty]) -> None:
    """Neither an erasure nor a platform deletion removes what says that it was done."""
    answer = disposal(duties, content=False)
    kept = disposal(duties & {H, F, C})
    assert answer == Disposal(fate=kept.fate, because=kept.because, overruled=kept.overruled)
    assert answer.fate is not Fate.RESTRICT


def test_every_duty_serves_a_clause() -> None:
    assert CLAUSES.keys() == set(Duty)
    assert all(CLAUSES.values())
