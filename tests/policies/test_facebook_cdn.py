"""Facebook CDN URLs: removed by value, wherever they stand (SM-6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from policies.message import Content, Identifier, IdentifierKind, Media, MediaKind, Message
from policies.rules import facebook_cdn
from policies.verdict import ALLOW, Amend, Quarantine, ReasonCode, Verdict
from tests.policies.strategies import CANARY, CDN_HOSTS, cdn_urls, known, message, messages, planted, written

URL = "https://scontent-lis1-1.cdninstagram.com/v/t51/1_n.jpg?oh=00_x&oe=66AA"
REMOVED = "[removed:facebook-cdn]"
WITHHELD = Quarantine(code=ReasonCode.FACEBOOK_CDN)


def becomes(**content: object) -> Verdict:
    return Amend(content=Content(**content), code=ReasonCode.FACEBOOK_CDN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        (message(), ALLOW),
        (message(text="hello"), ALLOW),
        (message(text=f"see {URL}, ok?"), becomes(text=f"see {REMOVED}, ok?")),
        (message(text=f"{URL} {URL}"), becomes(text=f"{REMOVED} {REMOVED}")),
        (message(text=REMOVED), ALLOW),
        (
            message(media=(Media(kind=MediaKind.IMAGE, url=URL),)),
            becomes(media=(Media(kind=MediaKind.IMAGE, removed="facebook_cdn"),)),
        ),
        (
            message(media=(Media(kind=MediaKind.UNKNOWN, url=f"https://l.facebook.com/l.php?u={URL}"),)),
            becomes(media=(Media(kind=MediaKind.UNKNOWN, removed="facebook_cdn"),)),
        ),
        (message(media=(Media(kind=MediaKind.UNKNOWN, url="https://example.org/v2"),)), ALLOW),
        (
            message(
                media=(
                    Media(kind=MediaKind.UNSUPPORTED, url=URL),
                    Media(kind=MediaKind.LINK, url="https://b.example/"),
                )
            ),
            becomes(
                media=(
                    Media(kind=MediaKind.UNSUPPORTED, removed="facebook_cdn"),
                    Media(kind=MediaKind.LINK, url="https://b.example/"),
                )
            ),
        ),
        (
            message(details={"template": {"elements": [{"image_url": URL, "title": "t"}]}}),
            becomes(details={"template": {"elements": [{"image_url": REMOVED, "title": "t"}]}}),
        ),
        (message(details={URL: {URL: 1}}), becomes(details={REMOVED: {REMOVED: 1}})),
        (
            message(profile={"name": "Ann", "picture": URL}),
            becomes(profile={"name": "Ann", "picture": REMOVED}),
        ),
        (message(id=URL, text="x"), WITHHELD),
        (message(account=URL), WITHHELD),
        (message(reply_to=URL), WITHHELD),
        (message(thread=URL), WITHHELD),
        (message(also_known_as=("1", URL)), WITHHELD),
        (message(person=(Identifier(kind=IdentifierKind.PSID, value=URL),)), WITHHELD),
        (message(thread="351900000000@s.whatsapp.net"), ALLOW),
    ],
)
def test_facebook_cdn(judged: Message, verdict: Verdict) -> None:
    """Attachments lose it, texts show the token, ids that are such a URL withhold the message."""
    assert facebook_cdn.check(judged, known()) == verdict


@pytest.mark.parametrize("host", CDN_HOSTS)
def test_every_known_host_is_one(host: str) -> None:
    """And so is any host below it."""
    for name in (host, f"new.{host}"):
        assert facebook_cdn.stands_in(message(text=f"https://{name}/x"))


@settings(max_examples=60)
@given(planted)
def test_no_tenant_and_no_kind_of_message_keeps_one(judged: Message) -> None:
    """The rule alone removes every one of them, and asked again has nothing to add."""
    verdict = facebook_cdn.check(judged, known(record_media_references=True))
    content = verdict.content if isinstance(verdict, Amend) else judged.content
    assert CANARY not in written(content)
    assert facebook_cdn.check(message(content=content), known()) == ALLOW


@settings(max_examples=40)
@given(messages(), cdn_urls())
def test_an_id_is_withheld_in_any_disguise(judged: Message, url: str) -> None:
    """Identity cannot be amended, so nothing of such a message is kept."""
    assert facebook_cdn.check(message(id=url, content=judged.content), known()) == WITHHELD
