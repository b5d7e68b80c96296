"""Links and numbers are found however they are written, and belong to the sender or to somebody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.screening.context import Register, ScreenContext
from policies.screening.links import links
from policies.screening.normalise import fold
from policies.screening.numbers import asked, digits_of, same_number
from policies.screening.screen import screen
from policies.verdict import ReasonCode

REGISTER = Register.of(
    ["https://larkfield.example", "bit.ly/lark", "shop.larkfield.co.uk"],
    ["+44 20 7946 0018", "85050"],
    ["Larkfield"],
)
CONTEXT = ScreenContext(sender="+44 800 555 0142", register=REGISTER)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("go to sm4x.info now", ["sm4x.info"]),
        ("http //bit.ly/x y", ["bit.ly"]),
        ("hxxps://evil.com", ["evil.com"]),
        ("evil[.]com/pay", ["evil.com"]),
        ("evil dot com", ["evil.com"]),
        ("bit . ly/abc", ["bit.ly"]),
        ("www.unknown.zz/a", ["www.unknown.zz"]),
        ("https://larkfield.example@evil.com/x", ["evil.com"]),
        ("http://3232235777/x", ["192.168.1.1"]),
        ("раypаl.com/login", ["xn--ypl-5cdc6g.com"]),
        ("\uff48ttps://ev\u200bil.com/a", ["evil.com"]),
        ("paid.Download the app. Bal.is 20 at 5 p.m.", []),
        ("from IP 165.250.300.1 at 9.30", []),
        ("está en el punto de recogida", []),
        ("USD 20.00 at AMAZON.COM*A1", []),
    ],
)
def test_links_are_those_that_a_browser_would_open(text: str, hosts: list[str]) -> None:
    """Split, re-fanged, disguised and bare links are found; full stops without a space are none."""
    assert [link.host for link in links(text, fold(text))] == hosts


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("call 0800 555 0142 now", ["08005550142"]),
        ("rufen sie 0800 555 0142 an", ["08005550142"]),
        ("appelez le 01 99 00 12 34", ["0199001234"]),
        ("escríbeme por whatsapp al 612 345 678", ["612345678"]),
        ("text win to 86021", ["86021"]),
        ("fwd sms to 7256177089", ["7256177089"]),
        ("ref no 482424773865, a/c xx1234", []),
        ("your code is 48291377", []),
        ("stop au 36184", []),
        ("reply stop to 85050", []),
        ("call 999 or 112", []),
        ("call before 12/03/2025", []),
    ],
)
def test_numbers_count_where_the_text_asks_for_them(text: str, digits: list[str]) -> None:
    """References, codes, dates, emergency numbers and opting out are no call-back numbers."""
    assert [number.digits for number in asked(fold(text).text)] == digits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+44 20 7946 0018", "020 7946 0018", True),
        ("0044 20 7946 0018", "+442079460018", True),
        ("+1 800 555 0142", "800-555-0142", True),
        ("+44 20 7946 0018", "+44 20 7946 0019", False),
        ("7946 0018", "+44 20 7946 0018", False),
        ("85050", "185050", False),
    ],
)
def test_one_line_in_two_spellings(one: str, other: str, *, same: bool) -> None:
    """National and international spelling are one number; a shared ending is not enough."""
    assert same_number(digits_of(one), digits_of(other)) is same


@pytest.mark.parametrize(
    "text",
    [
        "Track it at https://go.larkfield.example/a",
        "Track it at larkfield.example",
        "See https://www.larkfield.co.uk/x",
        "See bit.ly/lark/a",
        "Call 020 7946 0018 or 0800 555 0142",
        "Text MORE to 85050",
    ],
)
def test_what_is_in_the_register_is_no_reason(text: str) -> None:
    """The tenant's domains with all below them, its own short links, its numbers and its sender's number pass."""
    assert screen(text, CONTEXT).codes == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("See https://evil.com/a", ReasonCode.URL_FOREIGN),
        ("See https://larkfield.example.evil.com", ReasonCode.URL_LOOKALIKE),
        ("See https://larkfeild.com", ReasonCode.URL_LOOKALIKE),
        ("See https://notlarkfield.example", ReasonCode.URL_FOREIGN),
        ("See https://bit.ly/other", ReasonCode.SHORTENER),
        ("See http://1.2.3.4/a", ReasonCode.URL_IP),
        ("See https://lаrkfield.example", ReasonCode.URL_PUNYCODE),
        ("See evil [dot] com", ReasonCode.URL_HIDDEN),
        ("See http // and more", ReasonCode.URL_HIDDEN),
        ("Join https://t.me/abc", ReasonCode.CHAT_INVITE),
        ("WhatsApp me on +44 7700 900123", ReasonCode.CHAT_INVITE),
        ("Call 0906 1234567 today", ReasonCode.NUMBER_FOREIGN),
        ("Call XXXXXXXXXX today", ReasonCode.NUMBER_FOREIGN),
        ("Contact me at claims@gmail.com", ReasonCode.EMAIL_FOREIGN),
    ],
)
def test_what_is_not_in_the_register_is_named(text: str, code: ReasonCode) -> None:
    """Each way to lead elsewhere has its own code, and the text is held."""
    screening = screen(text, CONTEXT)
    assert code in screening.codes
    assert screening.action != "pass"


@given(st.from_regex(r"[a-z]{3,12}\.(com|net|fr|de|xyz)", fullmatch=True))
def test_an_empty_register_owns_nothing(host: str) -> None:
    """Whatever the host is, a sender without a register does not own it, and one that names it does."""
    text = f"see https://{host}/a"
    assert ReasonCode.URL_FOREIGN in screen(text, ScreenContext()).codes
    assert (
        ReasonCode.URL_FOREIGN
        not in screen(text, ScreenContext(register=Register.of([f"{host}/a", host]))).codes
    )


@pytest.mark.parametrize(
    "shared", ["bit.ly/abc", "https://t.me/lark", "sites.google.com/lark", "blogspot.com/lark"]
)
def test_a_shared_host_is_owned_as_far_as_its_path(shared: str) -> None:
    """Nobody owns a shortener, a chat application or a public suffix by registering a page of it."""
    host = shared.removeprefix("https://").partition("/")[0]
    context = ScreenContext(register=Register.of([shared]))
    assert ReasonCode.URL_FOREIGN in screen(f"see https://{host}/evil", context).codes
    assert (
        ReasonCode.URL_FOREIGN not in screen(f"see https://{shared.removeprefix('https://')}", context).codes
    )
