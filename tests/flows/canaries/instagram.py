"""Instagram: stories, media, URLs in every disguise, and what nobody understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from tests.flows.canaries.mint import Attempt, Body, Mint, Shape
from tests.flows.canaries.wire import (
    attachment,
    change,
    envelope,
    ig,
    item,
    post,
)
from worker.tour import samples
from worker.tour.samples import Scene


def story_mention(m: Mint) -> list[Attempt]:
    return [
        ig(
            m.scene("instagram"),
            message={"mid": m.id(), "attachments": attachment("story_mention", url=m.cdn())},
        )
    ]


def story_mention_other_host(m: Mint) -> list[Attempt]:
    url = f"https://media.example.net/{m.secret()}.mp4"
    what = attachment("story_mention", url=url, id=m.secret(), title=m.secret())
    return [ig(m.scene("instagram"), message={"mid": m.id(), "attachments": what})]


def story_mention_standby(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "attachments": attachment("story_mention", url=m.cdn())}
    return [ig(m.scene("instagram"), key="standby", message=what)]


def story_mention_echo(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "is_echo": True, "attachments": attachment("story_mention", url=m.cdn())}
    return [ig(m.scene("instagram"), out=True, message=what)]


def story_mention_changes(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    what = {"mid": m.id(), "attachments": attachment("story_mention", url=m.cdn())}
    return [change("instagram", scene, "messages", item(scene, message=what))]


def story_reply(m: Mint) -> list[Attempt]:
    story = {"id": m.secret(), "url": f"https://stories.example.net/{m.secret()}"}
    return [
        ig(m.scene("instagram"), message={"mid": m.id(), "text": m.words(), "reply_to": {"story": story}})
    ]


def story_share(m: Mint) -> list[Attempt]:
    what = attachment("ig_story", story_media_id=m.secret(), story_media_url=m.cdn())
    return [ig(m.scene("instagram"), message={"mid": m.id(), "text": m.words(), "attachments": what})]


def reel(m: Mint) -> list[Attempt]:
    what = attachment("ig_reel", url=m.cdn(), title=f"look {m.cdn()}", reel_video_id=m.aside())
    return [ig(m.scene("instagram"), message={"mid": m.id(), "attachments": what})]


def image(m: Mint) -> list[Attempt]:
    return [
        ig(m.scene("instagram"), message={"mid": m.id(), "attachments": attachment("image", url=m.cdn())})
    ]


def media_list(m: Mint) -> list[Attempt]:
    what = attachment("ig_post", media=[{"url": m.cdn(), "thumbnail_url": m.cdn()}], title=m.words())
    return [ig(m.scene("instagram"), message={"mid": m.id(), "attachments": what})]


def template(m: Mint) -> list[Attempt]:
    button = {"type": "web_url", "title": m.words(), "url": m.cdn(), "payload": m.cdn()}
    element: Body = {"title": m.words(), "subtitle": m.cdn(), "image_url": m.cdn(), "buttons": [button]}
    element["default_action"] = {"type": "web_url", "url": m.cdn()}
    what = attachment("template", template_type="generic", elements=[element], text=m.cdn(), buttons=[button])
    return [ig(m.scene("instagram"), out=True, message={"mid": m.id(), "is_echo": True, "attachments": what})]


def edit_with_url(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("instagram"), m.id()
    first = ig(scene, message={"mid": id_, "text": m.regret()})
    return [first, ig(scene, message_edit={"mid": id_, "text": f"{m.words()} {m.cdn()}", "num_edit": 1})]


def echo_with_url(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "is_echo": True, "text": f"{m.words()} {m.cdn()}"}
    return [ig(m.scene("instagram"), out=True, message=what)]


def wrapped(m: Mint) -> list[Attempt]:
    text = f"{m.words()} https://l.instagram.com/?u={quote(m.cdn(), safe='')}&e={m.secret()}"
    return [ig(m.scene("instagram"), message={"mid": m.id(), "text": text})]


def wrapped_twice(m: Mint) -> list[Attempt]:
    inner = f"https://l.facebook.com/l.php?u={quote(m.cdn(), safe='')}&h={m.secret()}"
    text = f"{m.words()} https://l.instagram.com/?u={quote(inner, safe='')}&e={m.secret()}"
    return [ig(m.scene("instagram"), message={"mid": m.id(), "text": text})]


def bare_host(m: Mint) -> list[Attempt]:
    text = f"{m.words()} scontent.xx.fbcdn.net/v/{m.secret()}.jpg and LOOKASIDE.FBSBX.COM./{m.secret()}"
    return [ig(m.scene("instagram"), message={"mid": m.id(), "text": text})]


def backslashes(m: Mint) -> list[Attempt]:
    text = f"{m.words()} {m.cdn().replace('/', chr(92) + '/')}"
    return [ig(m.scene("instagram"), message={"mid": m.id(), "text": text})]


def browser_tricks(m: Mint) -> list[Attempt]:
    urls = (
        f"https://scontent.xx.fbcdn.net\\@example.org/{m.secret()}",
        f"https://user:pass@lookaside.fbsbx.com:443/{m.secret()}",
        f"https://%73content.xx.fbcdn.net/{m.secret()}",
        f"https://ｌookaside.fbsbx.com/{m.secret()}",
        f"https://lookaside。fbsbx．com/{m.secret()}",
        f"https://look\taside.fb\nsbx.com/{m.secret()}",
        f"https://look\u00adaside.fbsbx.com/{m.secret()}",
        f"https:/lookaside.fbsbx.com/{m.secret()}",
        f"https:\\\\lookaside.fbsbx.com\\{m.secret()}",
        f"https:lookaside.fbsbx.com/{m.secret()}",
        f"https://%6c%6f%6f%6b%61%73%69%64%65.fbsbx.com/{m.secret()}",
        f"<https://lookaside.fbsbx.com/{m.secret()}>",
        f"[see](https://lookaside.fbsbx.com/{m.secret()})",
        f"blob:https://lookaside.fbsbx.com/{m.secret()}",
        f"view-source:https://lookaside.fbsbx.com/{m.secret()}",
        f"https://example.org/?u=https://lookaside.fbsbx.com/{m.secret()}",
        f"https://example.org/#https%3A%2F%2Flookaside.fbsbx.com%2F{m.secret()}",
        f"https://web.archive.org/web/2026/https://lookaside.fbsbx.com/{m.secret()}",
    )
    scene = m.scene("instagram")
    return [ig(scene, message={"mid": m.id(), "text": f"{m.words()} {url}"}) for url in urls]


def unsupported_type(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "is_unsupported": True, "attachments": attachment("unsupported_type", url=m.cdn())}
    return [ig(m.scene("instagram"), message=what)]


def type_of_tomorrow(m: Mint) -> list[Attempt]:
    layers = [{"preview": m.cdn(), "deeper": [{"still": m.cdn(), "caption": m.secret()}]}]
    return [
        ig(
            m.scene("instagram"),
            message={"mid": m.id(), "attachments": attachment("hologram", layers=layers)},
        )
    ]


def view_once(m: Mint) -> list[Attempt]:
    what = attachment("ephemeral", url=f"https://once.example.net/{m.secret()}", id=m.secret())
    return [ig(m.scene("instagram"), message={"mid": m.id(), "attachments": what})]


def profile_picture(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    entry = item(scene, message={"mid": m.id(), "text": m.words()})
    entry["sender"] |= {"username": m.aside(), "profile_pic": m.cdn(), "name": m.cdn()}
    return [envelope("instagram", scene, entry)]


def escaped_bytes(m: Mint) -> list[Attempt]:
    url = m.cdn()
    plain = ig(
        m.scene("instagram"), message={"mid": m.id(), "attachments": attachment("image", url=url)}
    ).body
    escaped = "".join(f"\\u{ord(character):04x}" for character in url)
    return [post("instagram", plain.replace(url.encode(), escaped.encode()))]


def unstorable_characters(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    plain = ig(scene, message={"mid": m.id(), "text": f"NUL {m.words()} {m.cdn()} LONE"}).body
    return [post("instagram", plain.replace(b"NUL", b"\\u0000").replace(b"LONE", b"\\ud83d"))]


def unknown_item(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    unheard: Body = {m.secret(): {"url": m.cdn(), m.secret(): [m.secret()]}}
    return [envelope("instagram", scene, item(scene) | unheard)]


def comment(m: Mint) -> list[Attempt]:
    value = {"id": m.secret(), "text": m.secret(), "from": {"username": m.secret()}, "media_url": m.cdn()}
    return [change("instagram", m.scene("instagram"), "comments", value)]


def unknown_change(m: Mint) -> list[Attempt]:
    return [change("instagram", m.scene("instagram"), m.secret(), {"text": m.secret(), "url": m.cdn()})]


def postback(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "title": f"{m.words()} {m.cdn()}", "payload": f"P {m.cdn()}"}
    return [ig(m.scene("instagram"), postback=what | {"referral": {"ref": m.cdn(), "source": "ADS"}})]


def quick_reply(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "text": m.words(), "quick_reply": {"payload": f"P {m.cdn()}"}}
    return [ig(m.scene("instagram"), message=what)]


def reaction(m: Mint) -> list[Attempt]:
    what = {"mid": m.aside(), "action": "react", "reaction": m.cdn(), "emoji": m.aside()}
    return [ig(m.scene("instagram"), reaction=what)]


def deleted_with_leftovers(m: Mint) -> list[Attempt]:
    what = {
        "mid": m.aside(),
        "is_deleted": True,
        "text": m.secret(),
        "attachments": attachment("image", url=m.cdn()),
    }
    return [ig(m.scene("instagram"), message=what)]


def foreign_account(m: Mint) -> list[Attempt]:
    scene = Scene(account=samples.digits(), person=m.secret(), at=m.scene("instagram").at)
    return [ig(scene, message={"mid": m.secret(), "text": m.secret()})]


def too_old(m: Mint) -> list[Attempt]:
    old = Scene(account=m.accounts["instagram"], person=m.secret(), at=1_000_000_000_000)
    return [ig(old, message={"mid": m.secret(), "text": m.secret()})]


SHAPES: Final[Sequence[Shape]] = (
    story_mention,
    story_mention_other_host,
    story_mention_standby,
    story_mention_echo,
    story_mention_changes,
    story_reply,
    story_share,
    reel,
    image,
    media_list,
    template,
    edit_with_url,
    echo_with_url,
    wrapped,
    wrapped_twice,
    bare_host,
    backslashes,
    browser_tricks,
    unsupported_type,
    type_of_tomorrow,
    view_once,
    profile_picture,
    escaped_bytes,
    unstorable_characters,
    unknown_item,
    comment,
    unknown_change,
    postback,
    quick_reply,
    reaction,
    deleted_with_leftovers,
    foreign_account,
    too_old,
)
