"""What a person released teaches the register, and never that a stranger's shared host is one's own."""

from __future__ import annotations

from policies.screening.context import Register, ScreenContext
from policies.screening.lessons import lesson
from policies.screening.patterns import template
from policies.screening.screen import screen
from policies.verdict import ReasonCode

OWNED = Register.of(["acme.example"], ["+12025550123"])
TEXT = "Parcel 12345 comes today: https://parcels.example.org/t/99 or call +1 202 555 0188"


def test_what_is_learnt_makes_the_same_kind_of_text_pass() -> None:
    learnt = lesson([TEXT], OWNED)
    assert learnt.hosts == ("example.org",)
    taught = Register.of(
        ["acme.example", *learnt.hosts],
        ["+12025550123", *learnt.numbers],
        templates=map(template, learnt.templates),
    )
    before = screen(TEXT, ScreenContext(register=OWNED)).codes
    after = screen(TEXT.replace("12345", "777"), ScreenContext(register=taught)).codes
    assert {ReasonCode.URL_FOREIGN, ReasonCode.NUMBER_FOREIGN} <= set(before)
    assert after == ()


def test_what_is_owned_is_not_proposed_again() -> None:
    learnt = lesson(["See https://acme.example/a or call +1 202 555 0123"], OWNED)
    assert (learnt.hosts, learnt.numbers) == ((), ())


def test_a_host_that_is_everybodys_is_never_proposed() -> None:
    """Whoever owned a shortener would own every link on it."""
    assert lesson(["Win now: https://bit.ly/abc123"], OWNED).hosts == ()


def test_each_template_is_proposed_once() -> None:
    texts = [f"Your code is {number}" for number in range(1000, 1100)]
    assert lesson(texts, OWNED).templates == ("Your code is {digits}",)


def test_a_text_with_braces_becomes_no_template() -> None:
    """Its braces would be slots."""
    assert lesson(["Use {code} 12345"], OWNED).templates == ()
