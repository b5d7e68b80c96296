"""What a tenant's file says of its agreement and of keeping; every error is named, nothing that was written is repeated."""

from __future__ import annotations

from datetime import date
from typing import Final

import pytest

from connectors.registry import CONNECTORS
from policies.retention import ANY, Agreement, ContentClass, Limits, Retention, Span
from worker.tenants.file import read_tenant

HEAD: Final = """
name = "Acme"
[connectors.whatsapp]
accounts = ["1"]
signing_secrets = ["file:a"]
verify_tokens = ["file:v"]
"""
GOOD: Final = """
[agreement]
ends = 2027-12-31
zone = "Europe/Berlin"
[retention.any]
text = { floor = "30 days", ceiling = "24 months" }
media = { ceiling = "90 days" }
[retention.whatsapp.personal]
ceiling = "7 days"
"""


def problems(text: str) -> list[str]:
    """What is wrong with a file that goes on like this."""
    return [str(problem) for problem in read_tenant("acme.toml", (HEAD + text).encode(), CONNECTORS)[1]]


def test_a_file_says_what_is_kept_until_when() -> None:
    entry, wrong = read_tenant("acme.toml", (HEAD + GOOD).encode(), CONNECTORS)
    assert (wrong, entry is not None) == ([], True)
    assert entry is not None
    assert entry.retention == Retention(
        agreement=Agreement(ends=date(2027, 12, 31), zone="Europe/Berlin"),
        limits={
            ANY: {
                ContentClass.TEXT: Limits(floor=Span(days=30), ceiling=Span(months=24)),
                ContentClass.MEDIA: Limits(ceiling=Span(days=90)),
            },
            "whatsapp": {ContentClass.PERSONAL: Limits(ceiling=Span(days=7))},
        },
    )


def test_a_file_without_a_word_keeps_everything() -> None:
    entry, _ = read_tenant("acme.toml", HEAD.encode(), CONNECTORS)
    assert entry is not None
    assert entry.retention == Retention()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[agreement]", "agreement.ends"),
        ('[agreement]\nends = "2027-12-31"', "agreement.ends"),
        ("[agreement]\nends = 2027-12-31T00:00:00Z", "agreement.ends"),
        ("[agreement]\nends = 9999-12-31", "agreement.ends"),
        ('[agreement]\nends = 2027-12-31\nzone = "Canary/4711"', "agreement.zone"),
        ('[agreement]\nends = 2027-12-31\nzone = "../canary4711"', "agreement.zone"),
        ("[agreement]\nends = 2027-12-31\nzone = 1", "agreement.zone"),
        ("[agreement]\nends = 2027-12-31\ncanary4711 = 1", "agreement"),
        ("[[agreement]]\nends = 2027-12-31", "agreement"),
        ("[[retention]]", "retention"),
        ('[retention.canary4711]\ntext = { ceiling = "1 day" }', "retention"),
        ('[retention.any]\ncanary4711 = { ceiling = "1 day" }', "retention.any"),
        ('[retention.any]\ntext = "1 day"', "retention.any.text"),
        ('[retention.any.text]\nroof = "1 day"', "retention.any.text"),
        ('[retention.any.text]\nceiling = "canary4711"', "retention.any.text.ceiling"),
        ("[retention.any.text]\nceiling = 30", "retention.any.text.ceiling"),
        ('[retention.any.text]\nfloor = "0 days"', "retention.any.text.floor"),
        ('[retention.any.text]\nceiling = "1 month"\nfloor = "60 days"', "retention.any.text"),
        (
            '[retention.any.text]\nfloor = "60 days"\n[retention.x.text]\nceiling = "1 month"',
            "retention.x.text",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, key: str) -> None:
    wrong = problems(text)
    assert [one.partition(": expected ")[0] for one in wrong] == [f"acme.toml: {key}"]
    assert "4711" not in "".join(wrong)


def test_every_error_is_found() -> None:
    text = '[agreement]\nends = 1\n[retention.any]\ntext = { ceiling = "" }\nmedia = 1'
    assert len(problems(text)) == 3
