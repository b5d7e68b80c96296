"""Registrable domains, as the public suffix list has them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.screening.suffixes import TOPS, registrable


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("larkfield.com", "larkfield.com"),
        ("go.shop.larkfield.co.uk", "larkfield.co.uk"),
        ("com", None),
        ("co.uk", None),
        ("localhost", None),
        ("a.larkfield.unlisted", "larkfield.unlisted"),
        ("larkfield.blogspot.com", "larkfield.blogspot.com"),  # the private section
        ("www.anything.ck", "www.anything.ck"),  # *.ck
        ("anything.ck", None),
        ("a.www.ck", "www.ck"),  # but not www.ck
        ("a.city.kobe.jp", "city.kobe.jp"),
        ("a.b.other.kobe.jp", "b.other.kobe.jp"),
        ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),  # listed in its own letters
        ("xn--55qx5d.cn", None),
        (".com", None),
        ("", None),
    ],
)
def test_the_registrable_domain_is_one_name_below_the_longest_suffix(host: str, domain: str | None) -> None:
    """Plain rules, wildcards and their exceptions, tops that nobody listed, and what is no name at all."""
    assert registrable(host) == domain


@given(st.lists(st.sampled_from(["a", "www", "co", "uk", "jp", "kobe", "city", "com", ""]), max_size=6))
def test_what_is_registrable_is_its_own_registrable_domain(labels: list[str]) -> None:
    """Total; the answer is the end of the host, and asking again changes nothing."""
    host = ".".join(labels)
    domain = registrable(host)
    if domain is not None:
        assert f".{host}".endswith(f".{domain}")
        assert registrable(domain) == domain


def test_tops_are_known() -> None:
    """Of countries, of the usual kinds, and in other letters."""
    assert {"com", "uk", "de", "top", "xn--j6w193g"} <= TOPS


def test_the_package_of_the_list_is_not_loaded() -> None:
    """Its HTTP client stays out of the worker."""
    code = "import sys, policies.screening.suffixes; sys.exit('requests' in sys.modules or 'tldextract' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
