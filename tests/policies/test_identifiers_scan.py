"""The scanner itself: offsets, failures, hostile texts, and a registry that lists what there is."""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.identifiers import registry
from policies.identifiers.folding import fold
from policies.identifiers.kind import ANY_FORM, Family, Kind
from policies.identifiers.redact import GONE, redacted
from policies.identifiers.registry import KINDS, Registry
from policies.identifiers.runs import compact
from policies.identifiers.scan import scan
from tests.policies.identifiers.made import DISGUISES, texts

FOLDER = Path(registry.__file__).parent
ROOT = Path(__file__).parent


def _fails(_code: str) -> bool:
    raise LookupError


def test_every_kind_has_a_file_a_row_and_a_table() -> None:
    """All under one name, which the token says too."""
    files = {path.stem for path in FOLDER.glob("*.py") if "KIND: Final = Kind(" in path.read_text("utf-8")}
    names = [kind.name for kind in KINDS]
    assert sorted(names) == sorted(files)
    for kind in KINDS:
        assert (ROOT / "identifiers" / f"test_{kind.name}.py").exists()
        assert kind.token == f"[ID:{kind.name}]"


def test_a_check_that_fails_lets_nothing_pass() -> None:
    """What cannot be checked is taken for valid."""
    broken = Registry(msgspec.structs.replace(kind, valid=_fails) for kind in KINDS)
    for text in ("my ssn is 000-00-0000", "12345678-A", "4111 1111 1111 1112"):
        assert scan(text) == []
        assert len(scan(text, registry=broken)) == 1


def test_a_text_in_which_something_is_always_found_is_removed_whole() -> None:
    """As a token that is found in itself would be."""
    endless = Kind(name="x 9999", shapes=("9999",), valid=lambda _: True, words="x", certain=ANY_FORM)
    rows = Registry([endless])
    assert redacted("it is 1234 here", Family.GOVERNMENT, registry=rows) == GONE
    assert redacted(GONE, Family.GOVERNMENT, registry=rows) == GONE


def test_what_is_named_is_taken_before_what_is_longer() -> None:
    """And of two that are named alike, the longer one."""
    named = Kind(name="short", shapes=("9999",), valid=lambda _: True, words="one")
    form = Kind(name="long", shapes=("9999A",), valid=lambda _: True, words="two", alone=ANY_FORM)
    rows = Registry([named, form])
    found = [scan(text, registry=rows)[0].kind for text in ("one 1234 b", "two 1234 b", "1234 b")]
    assert found == [named, form, form]


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_spans_are_those_of_the_original(seed: int, kind: Kind) -> None:
    """What stands between them reads as a valid number of the kind, and its neighbours as something else."""
    for text, _ in random.Random(seed).sample(texts(kind, random.Random(seed), 1), 3):
        for one in scan(text):
            assert one.kind.valid(compact(fold(text[one.start : one.end]).text))
            assert fold(text[one.start]).text.strip(" -")


@pytest.mark.parametrize("disguise", DISGUISES)
def test_folding_remembers_where_everything_was(disguise: str) -> None:
    """A digit for a digit, in its place."""
    text = "ab " + DISGUISES[disguise]("536-90-4399", random.Random(1)) + " cd"
    folded = fold(text)
    at = folded.text.index(" cd")
    start, end = folded.span(3, at)
    assert (text[:start], text[end:]) == ("ab ", " cd")


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    """None raises, and a text without digits is untouched."""
    after = redacted(redacted(text, Family.GOVERNMENT), Family.PAYMENT)
    assert after == text or any(character.isdigit() for character in text)


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 4 5 6 7 8 9 0 ",
        "a1",
        "ssn 536904399 ",
        "ssn ",
        "http://1/",
        "1   ",
        "+1 ",
        "a.",
        "4111111111111111 ",
        "４１ ",
        "12345678Z dni ",
        "[id:card]123 ",
    ],
)
def test_time_grows_with_the_text_and_no_faster(text: str) -> None:
    """Four times as long takes about four times as long; ten are the limit here."""
    took = []
    for length in (2_000, 8_000):
        hostile = (text * length)[:length]
        begun = time.thread_time()
        scan(hostile)
        took.append(time.thread_time() - begun)
    assert took[1] < 10 * took[0] + 0.02


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SSN:536-90-4399,DOB:01/02/1980,card:4111111111111111", "SSN:[ID:us_ssn],DOB:01/02/1980,card:[ID:card]"),
        ("536-90-4399 4111 1111 1111 1111 dni ssn 536-90-4399", "[ID:us_ssn] [ID:card] dni ssn [ID:us_ssn]"),
        ("4111 1111 1111 1111 536-90-4399 code AB 12 34 56 C", "[ID:card] [ID:us_ssn] code [ID:uk_nino]"),
        ("cvv 536-90-4399", "cvv [ID:us_ssn]"),
        ("my DNI for the contract: 12345678Z", "my DNI for the contract: [ID:es_dni]"),
        ("mi DNI para el contrato: 12345678Z", "mi DNI para el contrato: [ID:es_dni]"),
        ("my ssn, order: 536904399", "my ssn, order: 536904399"),
        ("ssn and tel. 536904399", "ssn and tel. 536904399"),
        ("my tax id is 536904399", "my tax id is [ID:au_tfn]"),
        ("NIF ES12345678Z", "NIF ES[ID:es_dni]"),
        ("q12345678-Z", "q12345678-Z"),
        ("x4111111111111111", "x4111111111111111"),
        ("+41 11 1111 1111 1111 11", "+41 11 1111 1111 1111 11"),
        ("tel +85 07 30 033 28", "tel +85 07 30 033 28"),
        ('{"ssn":"536-90-4399"}', '{"ssn":"[ID:us_ssn]"}'),
        ("https://a.example/dni/12345678Z.", "https://a.example/dni/[ID:es_dni]."),
        ("https://a.example/12345678-Z/x?order=536904399&tfn=123456782#a", "https://a.example/12345678-Z/x?order=536904399&tfn=[ID:au_tfn]#a"),
        ("https://a.example/ssn-536904399-b.jpg", "https://a.example/ssn-536904399-b.jpg"),
        ("ｃｖｖ 123", "ｃｖｖ [ID:cvv]"),
        ("www.a.example/4111111111111111", "www.a.example/4111111111111111"),
        ("rssmra85t10a562s@a.example", "[ID:it_codice_fiscale]@a.example"),
        ("5\u200b36-90-4399\u200b!", "[ID:us_ssn]!"),
        ("ѕѕn 536904399", "ѕѕn [ID:us_ssn]"),
        ("卡4111111111111111。", "卡[ID:card]。"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[ID:card]"),
        ("536904399 dni: 12345678Z", "536904399 dni: [ID:es_dni]"),
        ("Do not share your CVV. 300 people did.", "Do not share your CVV. 300 people did."),
    ],
)  # fmt: skip
def test_what_stands_beside_a_number_decides(text: str, expected: str) -> None:
    """Names before and behind it, other numbers, URLs, other words for it, letters that run into it."""
    assert redacted(redacted(text, Family.GOVERNMENT), Family.PAYMENT) == expected
