"""Hosts that a tenant does not want recorded are removed like the Facebook CDN's (PP-3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.gate import decide
from policies.message import Content, Media, MediaKind, Message
from policies.rules import NEVER_RECORD, tenant_host
from policies.verdict import ALLOW, Amend, Outcome, ReasonCode, Verdict
from tests.policies.strategies import CANARY, DISGUISES, known, message, messages, written

HOSTS = ("files.example", "bücher.example")


def becomes(**content: object) -> Verdict:
    return Amend(content=Content(**content), code=ReasonCode.TENANT_HOST)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "hosts", "verdict"),
    [
        (message(text="https://files.example/a"), (), ALLOW),
        (message(text="https://files.example/a"), ("other.example",), ALLOW),
        (message(text="https://files.example/a b"), HOSTS, becomes(text="[removed:url] b")),
        (message(text="https://x.y.files.example/a b"), HOSTS, becomes(text="[removed:url] b")),
        (message(text="https://notfiles.example/a"), HOSTS, ALLOW),
        (message(text="BÜCHER.example/a"), HOSTS, becomes(text="[removed:url]")),
        (message(text="https://xn--bcher-kva.example"), HOSTS, becomes(text="[removed:url]")),
        (
            message(media=(Media(kind=MediaKind.FILE, url="https://files.example/a", id="1", title="a"),)),
            HOSTS,
            becomes(media=(Media(kind=MediaKind.FILE, id="1", title="a", removed="tenant_host"),)),
        ),
        (message(details={"link": "files.example/a"}), HOSTS, becomes(details={"link": "[removed:url]"})),
        (message(text="https://scontent.xx.fbcdn.net/a"), HOSTS, ALLOW),
        (message(text="https://xn--files.example/a [removed:url]"), HOSTS, ALLOW),
    ],
)
def test_tenant_host(judged: Message, hosts: tuple[str, ...], verdict: Verdict) -> None:
    """Only the tenant's own hosts, and what lies below them."""
    assert tenant_host.check(judged, known(remove_hosts=hosts)) == verdict


def test_a_host_of_the_cdn_stays_the_terms_reason() -> None:
    """Where a tenant names what SM-6 forbids anyway, the record says SM-6."""
    decision = decide(message(text="https://a.fbcdn.net/x"), known(remove_hosts=("fbcdn.net",)), NEVER_RECORD)
    assert [reason.code for reason in decision.reasons] == [ReasonCode.FACEBOOK_CDN]


def test_a_host_that_is_none_withholds_everything() -> None:
    """The loader refuses it; should it come through, nothing is kept unjudged."""
    decision = decide(message(text="x"), known(remove_hosts=("not a host",)), NEVER_RECORD)
    assert decision.outcome is Outcome.QUARANTINED


@settings(max_examples=60)
@given(
    messages(), st.sampled_from(sorted(DISGUISES)), st.sampled_from(("files.example", "img.files.example"))
)
def test_no_url_of_theirs_survives_in_any_disguise(judged: Message, disguise: str, host: str) -> None:
    """As little as one of the CDN does."""
    url = DISGUISES[disguise](f"cdn.{host}", f"/{CANARY}?a=b")
    content = Content(
        text=f"see {url}", media=judged.content.media, details={"a": [url]}, profile={"name": url}
    )
    decision = decide(message(content=content), known(remove_hosts=HOSTS), NEVER_RECORD)
    assert decision.message is not None
    assert CANARY not in written(decision.message)
