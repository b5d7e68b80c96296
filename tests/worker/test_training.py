"""Training is a function of its texts: the same bytes every time; slots and rows are as documented."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from policies.screening.features import SIZE
from policies.screening.model import read_model
from policies.screening.reading import read
from worker.errors import ConfigurationError
from worker.training.collections import FRAUD, chosen_rows, digest, own_abuse, own_fraud, public, written
from worker.training.slots import filled
from worker.training.solver import Example, solve
from worker.training.train import made


def test_training_twice_gives_the_same_bytes() -> None:
    """A small training is reproducible to the byte, and what it gives can be read and tells the sides apart."""
    fraud, abuse = list(own_fraud())[::12], list(own_abuse())[::6]
    once = made(fraud, abuse, lambda _: None)
    assert once == made(fraud, abuse, lambda _: None)
    model = read_model(once, hashlib.sha256(once).hexdigest())
    bad = model.scores(read("You have won a prize! Claim it now, click here", model.vocabulary).words, [])[0]
    good = model.scores(
        read("Your appointment is confirmed for Friday at 9am. Thank you", model.vocabulary).words, []
    )[0]
    assert bad > good


def test_the_solver_parts_what_can_be_parted() -> None:
    """Two points on two sides are told apart with margin one."""
    weights = solve([Example((0,), (1.0,), 1, 100.0), Example((1,), (1.0,), -1, 100.0)], 2, 20)
    assert weights[0] == pytest.approx(1, abs=0.05)
    assert weights[1] == pytest.approx(-1, abs=0.05)


def test_slots_are_filled_the_same_each_time() -> None:
    """No slot is left; variants differ; the register names what the text shows."""
    for text in written():
        once = filled(text.text, text.lang, 0)
        assert once == filled(text.text, text.lang, 0)
        assert "{" not in once.text
        assert all(host in once.text for host in once.hosts)


def test_rows_are_chosen_by_digest(tmp_path: Path) -> None:
    """Rows that are not on the list do not train; a listed row that is missing stops the training."""
    collection = (FRAUD[0],)
    (tmp_path / collection[0].file).write_text(
        "id,label,kind,text\n1,ham,ham,hello\n2,spam,spam,win\n", encoding="utf-8"
    )
    kept = public(tmp_path, collection, frozenset({digest("win")}))
    assert [(labelled.text, labelled.side) for labelled in kept] == [("win", 1)]
    with pytest.raises(ConfigurationError, match="1 of 2 rows are missing"):
        public(tmp_path, collection, frozenset({digest("win"), digest("other")}))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        public(tmp_path / "none", collection, None)


def test_the_lists_of_rows_ship() -> None:
    """Digests only, sixteen hexadecimal digits each."""
    for name in ("rows.txt", "abuse_rows.txt"):
        rows = chosen_rows(name)
        assert len(rows) > 1000
        assert all(len(row) == 16 and int(row, 16) >= 0 for row in rows)


def test_features_fit_the_table() -> None:
    """The number of features is a power of two: hashes are masked."""
    assert SIZE & (SIZE - 1) == 0
