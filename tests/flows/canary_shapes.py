"""Canaries: fresh strings in every shape in which content can arrive, each with what may become of it.

``never``    nowhere: in no file, line, answer, metric, export or crash output
``kept``     in the decrypted export, and nowhere else that can be read
``private``  perhaps in the decrypted export, nowhere else that can be read
``taken``    was stored and then taken back: not in the export, not in a live table, readable nowhere
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from worker import samples
from worker.samples import Scene

Body = dict[str, Any]

TENANT: Final = "canary"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and the statuses that it may be answered with. ``raw``: these bytes on a bare socket instead."""

    connector: str
    body: bytes = b""
    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = {}
    signed: bool = True
    admin: bool = False
    statuses: frozenset[int] = frozenset({200})
    raw: bytes = b""


class Mint:
    """Makes one shape's canaries and remembers them."""

    def __init__(self, accounts: dict[str, str]) -> None:
        self.accounts = accounts
        self.never: list[str] = []
        self.kept: list[str] = []
        self.private: list[str] = []
        self.taken: list[str] = []

    def scene(self, connector: str) -> Scene:
        """A person nobody has heard of, writing to the tenant now."""
        scene = Scene.fresh(self.accounts[connector])
        self.private.append(scene.person)
        return scene

    def secret(self) -> str:
        """A string that may be nowhere."""
        return self._into(self.never)

    def words(self) -> str:
        """A text that must be in the export."""
        return f"words {self._into(self.kept)} end"

    def aside(self) -> str:
        """A string that may be in the export or not."""
        return self._into(self.private)

    def regret(self) -> str:
        """A string that will be taken back."""
        return f"words {self._into(self.taken)} end"

    def id(self) -> str:
        """A message id that the export gives back."""
        return f"m_{self._into(self.kept)}"

    def number(self) -> str:
        """A message id of digits that the export gives back."""
        self.kept.append(samples.digits())
        return self.kept[-1]

    def cdn(self) -> str:
        """A Facebook CDN URL; neither its asset nor its signature may be anywhere."""
        host = secrets.choice(("lookaside.fbsbx.com", "scontent.xx.fbcdn.net", "scontent.cdninstagram.com"))
        return f"https://{host}/ig_messaging_cdn/?asset_id={self.secret()}&signature={self.secret()}"

    def all(self) -> list[str]:
        """Every canary of this shape."""
        return [*self.never, *self.kept, *self.private, *self.taken]

    def _into(self, purpose: list[str]) -> str:
        purpose.append("q" + secrets.token_hex(10))
        return purpose[-1]


Shape = Callable[[Mint], Sequence[Attempt]]


# --- the wire ---------------------------------------------------------------------------------------------------


def post(connector: str, payload: Any) -> Attempt:
    """A signed delivery."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Attempt(connector=connector, body=body)


def item(scene: Scene, *, out: bool = False, **what: Any) -> Body:
    """A messaging item, from the person or (``out``) from the tenant."""
    sender, recipient = (scene.account, scene.person) if out else (scene.person, scene.account)
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": scene.at, **what}


def envelope(connector: str, scene: Scene, *items: Body, key: str = "messaging") -> Attempt:
    """Messaging items of one entry."""
    entry = {"id": scene.account, "time": scene.at, key: list(items)}
    return post(connector, {"object": samples.OBJECTS[connector], "entry": [entry]})


def ig(scene: Scene, *, out: bool = False, key: str = "messaging", **what: Any) -> Attempt:
    """One Instagram item."""
    return envelope("instagram", scene, item(scene, out=out, **what), key=key)


def fb(scene: Scene, *, out: bool = False, key: str = "messaging", **what: Any) -> Attempt:
    """One Messenger item."""
    return envelope("facebook", scene, item(scene, out=out, **what), key=key)


def change(connector: str, scene: Scene, field: str, value: Body) -> Attempt:
    """One change of an entry, on a page or an Instagram account."""
    entry = {"id": scene.account, "time": scene.at // 1000, "changes": [{"field": field, "value": value}]}
    return post(connector, {"object": samples.OBJECTS[connector], "entry": [entry]})


def wa(scene: Scene, field: str = "messages", **value: Any) -> Attempt:
    """One WhatsApp change."""
    number = {"display_phone_number": "15550100200", "phone_number_id": scene.account}
    whole = {"messaging_product": "whatsapp", "metadata": number, **value}
    entry = {"id": scene.account, "changes": [{"field": field, "value": whole}]}
    return post("whatsapp", {"object": "whatsapp_business_account", "entry": [entry]})


def wam(scene: Scene, id_: str, kind: str, **what: Any) -> Attempt:
    """One WhatsApp message."""
    return wa(scene, messages=[wa_message(scene, id_, kind, **what)])


def wa_message(scene: Scene, id_: str, kind: str, **what: Any) -> Body:
    """A message object."""
    return {"from": scene.person, "id": id_, "timestamp": str(scene.at // 1000), "type": kind, **what}


def attachment(kind: str, **payload: Any) -> list[Body]:
    """A list of one attachment."""
    return [{"type": kind, "payload": payload}]


def aaa(scene: Scene, **what: Any) -> Attempt:
    """An Account Activity delivery."""
    return post("x", {"for_user_id": scene.account, **what})


def xaa(scene: Scene, kind: str, payload: Body) -> Attempt:
    """An X Activity delivery."""
    data = {"event_uuid": samples.digits(), "filter": {"user_id": scene.account}, "event_type": kind}
    return post("x", {"data": data | {"payload": payload}})


def tweet(scene: Scene, id_: str, text: str, **more: Any) -> Body:
    """A post that mentions the tenant."""
    return {
        "id_str": id_,
        "timestamp_ms": str(scene.at),
        "text": text,
        "user": {"id_str": scene.person, "screen_name": "robin_sample"},
        "entities": {"user_mentions": [{"id_str": scene.account, "screen_name": "tenant"}], "urls": []},
        **more,
    }


# --- Instagram --------------------------------------------------------------------------------------------------


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


# --- Messenger --------------------------------------------------------------------------------------------------


def fallback(m: Mint) -> list[Attempt]:
    share = {
        "type": "fallback",
        "title": m.words(),
        "url": m.cdn(),
        "payload": {"title": m.cdn(), "url": m.cdn()},
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "attachments": [share]})]


def product(m: Mint) -> list[Attempt]:
    elements = [{"id": m.aside(), "title": m.words(), "image_url": m.cdn(), "subtitle": m.cdn()}]
    what = attachment("template", product={"elements": elements})
    return [fb(m.scene("facebook"), message={"mid": m.id(), "attachments": what})]


def advertisement(m: Mint) -> list[Attempt]:
    context = {"ad_title": m.words(), "photo_url": m.cdn(), "video_url": m.cdn(), "post_id": m.aside()}
    referral = {
        "source": "ADS",
        "type": "OPEN_THREAD",
        "ad_id": m.aside(),
        "ref": m.cdn(),
        "ads_context_data": context,
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "referral": referral})]


def referral(m: Mint) -> list[Attempt]:
    what = {
        "ref": f"{m.aside()} {m.cdn()}",
        "source": "SHORTLINK",
        "type": "OPEN_THREAD",
        "referer_uri": m.cdn(),
    }
    return [fb(m.scene("facebook"), referral=what)]


def opt_in(m: Mint) -> list[Attempt]:
    what = {
        "ref": f"{m.aside()} {m.cdn()}",
        "type": "notification_messages",
        "title": m.cdn(),
        "payload": m.cdn(),
    }
    return [fb(m.scene("facebook"), optin=what)]


def standby(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "text": f"{m.words()} {m.cdn()}"}
    return [fb(m.scene("facebook"), key="standby", message=what)]


def facebook_story_reply(m: Mint) -> list[Attempt]:
    story = {"url": f"https://stories.example.net/{m.secret()}", "id": m.secret()}
    return [fb(m.scene("facebook"), message={"mid": m.id(), "text": m.words(), "reply_to": {"story": story}})]


def sticker(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "sticker_id": 369239263222822, "attachments": attachment("image", url=m.cdn())}
    return [fb(m.scene("facebook"), message=what)]


def location(m: Mint) -> list[Attempt]:
    where = {
        "type": "location",
        "title": m.words(),
        "url": m.cdn(),
        "payload": {"coordinates": {"lat": 1, "long": 2}},
    }
    return [fb(m.scene("facebook"), message={"mid": m.id(), "attachments": [where]})]


def feed(m: Mint) -> list[Attempt]:
    value = {"item": "status", "message": m.secret(), "photos": [m.cdn()], "from": {"name": m.secret()}}
    return [change("facebook", m.scene("facebook"), "feed", value)]


def account_linking(m: Mint) -> list[Attempt]:
    return [fb(m.scene("facebook"), account_linking={"status": "linked", "authorization_code": m.secret()})]


# --- WhatsApp ---------------------------------------------------------------------------------------------------


def wa_image(m: Mint) -> list[Attempt]:
    what = {"id": m.aside(), "mime_type": "image/jpeg", "url": m.cdn(), "caption": f"{m.words()} {m.cdn()}"}
    return [wam(m.scene("whatsapp"), m.id(), "image", image=what)]


def wa_document(m: Mint) -> list[Attempt]:
    what = {"id": m.aside(), "filename": f"{m.cdn()} a.pdf", "caption": m.words(), "url": m.cdn()}
    return [wam(m.scene("whatsapp"), m.id(), "document", document=what)]


def wa_advertisement(m: Mint) -> list[Attempt]:
    what = {
        "source_url": m.cdn(),
        "source_id": m.aside(),
        "headline": m.words(),
        "body": m.cdn(),
        "source_type": "ad",
    }
    pictures = {"image_url": m.cdn(), "video_url": m.cdn(), "thumbnail_url": m.cdn(), "ctwa_clid": m.aside()}
    return [wam(m.scene("whatsapp"), m.id(), "text", text={"body": m.words()}, referral=what | pictures)]


def wa_flow(m: Mint) -> list[Attempt]:
    answer = json.dumps(
        {"note": m.words(), "photo": m.cdn(), "deep": {"list": [m.cdn()]}, "inner": json.dumps([m.cdn()])}
    )
    reply = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": m.cdn(), "response_json": answer}}
    return [wam(m.scene("whatsapp"), m.id(), "interactive", interactive=reply)]


def wa_contacts(m: Mint) -> list[Attempt]:
    card = {
        "name": {"formatted_name": m.words()},
        "phones": [{"phone": m.aside()}],
        "urls": [{"url": m.cdn()}],
    }
    return [wam(m.scene("whatsapp"), m.id(), "contacts", contacts=[card | {"org": {"company": m.cdn()}}])]


def wa_order(m: Mint) -> list[Attempt]:
    what = {
        "catalog_id": m.aside(),
        "text": f"{m.words()} {m.cdn()}",
        "product_items": [{"product_retailer_id": m.cdn()}],
    }
    return [wam(m.scene("whatsapp"), m.id(), "order", order=what)]


def wa_location(m: Mint) -> list[Attempt]:
    what = {"latitude": 1.5, "longitude": 2.5, "name": m.words(), "address": m.cdn(), "url": m.cdn()}
    return [wam(m.scene("whatsapp"), m.id(), "location", location=what)]


def wa_edit(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("whatsapp"), m.id()
    new = {"type": "text", "text": {"body": f"{m.words()} {m.cdn()}"}}
    edited = {"original_message_id": id_, "message": new}
    return [
        wam(scene, id_, "text", text={"body": m.regret()}),
        wam(scene, m.aside(), "edit", edit=edited),
    ]


def wa_echo(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    echo = wa_message(scene, m.id(), "text", text={"body": f"{m.words()} {m.cdn()}"})
    return [
        wa(scene, "smb_message_echoes", message_echoes=[echo | {"from": scene.account, "to": scene.person}])
    ]


def wa_history(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    told = wa_message(scene, m.id(), "text", text={"body": f"{m.words()} {m.cdn()}"})
    chunk = {"metadata": {"phase": 0}, "threads": [{"id": scene.person, "messages": [told]}]}
    return [wa(scene, "history", history=[chunk])]


def wa_unknown_type(m: Mint) -> list[Attempt]:
    what = {"preview": m.cdn(), "inner": [{"still": m.cdn(), "note": m.aside()}]}
    return [wam(m.scene("whatsapp"), m.id(), "hologram", hologram=what)]


def wa_view_once(m: Mint) -> list[Attempt]:
    errors = [
        {"code": 131051, "title": m.secret(), "message": m.secret(), "error_data": {"details": m.secret()}}
    ]
    what = {"unsupported": {"type": "view_once"}, "errors": errors}
    return [wam(m.scene("whatsapp"), m.id(), "unsupported", **what)]


def wa_failure(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    errors = [
        {"code": 131026, "title": m.secret(), "message": m.secret(), "error_data": {"details": m.secret()}}
    ]
    told = {
        "id": m.aside(),
        "recipient_id": scene.person,
        "status": "failed",
        "timestamp": str(scene.at // 1000),
    }
    return [wa(scene, statuses=[told | {"errors": errors, "biz_opaque_callback_data": m.secret()}])]


def wa_call(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    call = {
        "id": m.aside(),
        "from": scene.person,
        "event": "connect",
        "session": {"sdp": m.secret()},
        "url": m.cdn(),
    }
    return [wa(scene, "calls", calls=[call | {"timestamp": str(scene.at // 1000)}])]


def wa_system(m: Mint) -> list[Attempt]:
    what = {"body": f"{m.aside()} {m.cdn()}", "type": "customer_changed_identity", "identity": m.aside()}
    return [wam(m.scene("whatsapp"), m.id(), "system", system=what)]


def wa_preference(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    told = {"wa_id": scene.person, "detail": m.secret(), "category": "marketing_messages", "value": "stop"}
    return [wa(scene, "user_preferences", user_preferences=[told | {"timestamp": scene.at // 1000}])]


def wa_template_review(m: Mint) -> list[Attempt]:
    value = {
        "event": "REJECTED",
        "message_template_id": 7,
        "message_template_name": m.aside(),
        "reason": m.secret(),
    }
    return [wa(m.scene("whatsapp"), "message_template_status_update", **value)]


def wa_unknown_field(m: Mint) -> list[Attempt]:
    return [wa(m.scene("whatsapp"), m.secret(), whatever=[{"body": m.secret(), "url": m.cdn()}])]


def wa_profile(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    card = {"profile": {"name": f"{m.aside()} {m.cdn()}", "username": m.aside()}, "wa_id": scene.person}
    told = wa_message(scene, m.id(), "text", text={"body": m.words()})
    return [wa(scene, contacts=[card], messages=[told])]


def wa_reply_buttons(m: Mint) -> list[Attempt]:
    chosen = {"id": f"b {m.cdn()}", "title": m.words(), "description": m.cdn()}
    reply = {"type": "list_reply", "list_reply": chosen}
    return [wam(m.scene("whatsapp"), m.id(), "interactive", interactive=reply)]


# --- X ----------------------------------------------------------------------------------------------------------


def encrypted_chat(m: Mint) -> list[Attempt]:
    payload: Body = {
        "conversation_id": m.secret(),
        "encoded_event": base64.b64encode(m.secret().encode()).decode(),
    }
    payload |= {"sender_id": m.secret(), "message_event_signature": {"signature": m.secret()}}
    return [xaa(m.scene("x"), kind, payload) for kind in ("chat.received", "chat.sent")]


def x_direct_message(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    short = "https://t.co/invented01"
    links = {"urls": [{"url": short, "expanded_url": m.cdn(), "display_url": m.cdn()}], "user_mentions": []}
    data = {"text": f"{m.words()} {short} {m.cdn()}", "entities": links}
    create = {"target": {"recipient_id": scene.account}, "sender_id": scene.person, "message_data": data}
    event = {
        "type": "message_create",
        "id": m.number(),
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    pictures = {scene.person: {"id": scene.person, "name": m.aside(), "profile_image_url_https": m.cdn()}}
    return [aaa(scene, direct_message_events=[event], users=pictures)]


def x_activity_message(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    text = {"text": f"{m.words()} {m.cdn()}"}
    create = {"target": {"recipient_id": scene.account}, "sender_id": scene.person, "message_data": text}
    event = {
        "type": "message_create",
        "id": m.number(),
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    return [xaa(scene, "dm.received", {"direct_message_events": [event]})]


def x_post(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    quoted = tweet(scene, samples.digits(), f"{m.aside()} {m.cdn()}")
    card = {"name": "summary", "binding_values": {"photo": m.cdn()}}
    told = tweet(scene, m.number(), f"{m.words()} {m.cdn()}", quoted_status=quoted, card=card)
    return [aaa(scene, tweet_create_events=[told])]


def x_long_post(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    full = f"{m.words()} {m.cdn()} " + "and on " * 40
    mention = [{"id_str": scene.account, "screen_name": "tenant"}]
    extended = {
        "full_text": full,
        "entities": {"user_mentions": mention, "urls": [{"expanded_url": m.cdn()}]},
    }
    return [
        aaa(
            scene,
            tweet_create_events=[
                tweet(scene, m.number(), full[:60], truncated=True, extended_tweet=extended)
            ],
        )
    ]


def x_noted(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    like = {
        "id": m.secret(),
        "favorited_status": {"text": m.secret(), "url": m.cdn()},
        "user": {"name": m.secret()},
    }
    return [
        aaa(scene, favorite_events=[like]),
        xaa(scene, "profile.update.bio", {"before": m.secret(), "after": m.secret()}),
        xaa(scene, "news.new", {"headline": m.secret(), "summary": m.cdn()}),
    ]


def x_unknown(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    return [
        aaa(scene, **{f"{m.secret()}_events": [{"text": m.secret(), "url": m.cdn()}]}),
        xaa(scene, m.secret(), {"text": m.secret()}),
        post("x", {m.secret(): m.secret()}),
    ]


# --- taken back -------------------------------------------------------------------------------------------------


def unsent(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("instagram"), f"m_{m.regret().split()[1]}"
    what = {
        "mid": id_,
        "text": m.regret(),
        "attachments": attachment("image", url="https://files.example.org/a.jpg"),
    }
    return [ig(scene, message=what), ig(scene, message={"mid": id_, "is_deleted": True})]


def unsent_before(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("facebook"), f"m_{m.secret()}"
    return [
        fb(scene, message={"mid": id_, "is_deleted": True}),
        fb(scene, message={"mid": id_, "text": m.secret()}),
    ]


def edited_then_unsent(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("facebook"), f"m_{m.regret().split()[1]}"
    return [
        fb(scene, message={"mid": id_, "text": m.regret()}),
        fb(scene, message_edit={"mid": id_, "text": m.regret(), "num_edit": 1}),
        fb(scene, message={"mid": id_, "is_deleted": True}),
    ]


def revoked(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("whatsapp"), f"m_{m.regret().split()[1]}"
    return [
        wam(scene, id_, "text", text={"body": m.regret()}),
        wam(scene, m.aside(), "revoke", revoke={"original_message_id": id_}),
    ]


def post_deleted(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("x"), samples.digits()
    m.taken.append(id_)
    gone = {"status": {"id": id_, "user_id": scene.person}, "timestamp_ms": str(scene.at)}
    return [
        aaa(scene, tweet_create_events=[tweet(scene, id_, m.regret())]),
        aaa(scene, tweet_delete_events=[gone]),
    ]


# --- requests that are refused ----------------------------------------------------------------------------------


def malformed(m: Mint) -> list[Attempt]:
    bodies = (
        f'{{"object": "instagram", "entry": [{{"text": "{m.secret()}"',
        f"{m.secret()}",
        f'{{"a": {m.secret()}}}',
    )
    return [
        msgspec.structs.replace(post("instagram", body.encode()), statuses=frozenset({400}))
        for body in bodies
    ]


def not_utf8(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.aside(), "text": f"{m.aside()} {m.cdn()} BAD"}).body.replace(
        b"BAD", b"\xff\xfe"
    )
    odd = (body, b"\xef\xbb\xbf" + ig(scene, message={"mid": m.aside(), "text": m.cdn()}).body)
    return [msgspec.structs.replace(post("instagram", one), statuses=frozenset({200, 400})) for one in odd]


def deep(m: Mint) -> list[Attempt]:
    body = b'{"a":' * 5000 + json.dumps(m.secret()).encode() + b"}" * 5000
    return [msgspec.structs.replace(post("whatsapp", body), statuses=frozenset({200, 400}))]


def doubled_keys(m: Mint) -> list[Attempt]:
    body = f'{{"object":"instagram","entry":[],"object":"{m.secret()}","entry":[{{"id":"{m.secret()}"}}]}}'
    return [post("instagram", body.encode())]


def forged(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.secret(), "text": m.secret()}).body
    signature = {"x-hub-signature-256": f"sha256={m.secret()}"}
    return [
        Attempt(connector="instagram", body=body, headers=signature, signed=False, statuses=frozenset({401}))
    ]


def unsigned(m: Mint) -> list[Attempt]:
    body = json.dumps({"for_user_id": m.secret(), "url": m.cdn()}).encode()
    return [
        Attempt(connector=connector, body=body, signed=False, statuses=frozenset({401}))
        for connector in ("whatsapp", "facebook", "instagram", "x")
    ]


def oversized(m: Mint) -> list[Attempt]:
    body = json.dumps({"text": m.secret()}).encode() + b" " * (5 << 20) + m.secret().encode()
    return [Attempt(connector="whatsapp", body=body, statuses=frozenset({413}))]


def unknown_paths(m: Mint) -> list[Attempt]:
    paths = (
        f"/webhooks/{m.secret()}/whatsapp",
        f"/webhooks/{TENANT}/{m.secret()}",
        f"/{m.secret()}",
        f"/webhooks/..%2f{m.secret()}/x",
    )
    return [
        Attempt(connector="whatsapp", path=path, body=m.secret().encode(), statuses=frozenset({400, 404}))
        for path in paths
    ]


def query_string(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    body = ig(scene, message={"mid": m.id(), "text": m.words()}).body
    query = f"/webhooks/{TENANT}/instagram?{m.secret()}={m.secret()}&url={quote(m.cdn(), safe='')}"
    return [Attempt(connector="instagram", path=query, body=body, statuses=frozenset({200, 400, 404}))]


def request_headers(m: Mint) -> list[Attempt]:
    scene = m.scene("instagram")
    headers = {
        "user-agent": m.secret(),
        "referer": m.cdn(),
        "cookie": f"session={m.secret()}",
        "authorization": f"Bearer {m.secret()}",
        "x-forwarded-for": m.secret(),
        "x-request-id": m.secret(),
        "traceparent": m.secret(),
        f"x-{m.secret()}": m.secret(),
        "content-type": f"text/{m.secret()}",
    }
    return [msgspec.structs.replace(ig(scene, message={"mid": m.id(), "text": m.words()}), headers=headers)]


def compressed(m: Mint) -> list[Attempt]:
    body = gzip.compress(ig(m.scene("instagram"), message={"mid": m.secret(), "text": m.secret()}).body)
    headers = {"content-encoding": "gzip"}
    return [Attempt(connector="instagram", body=body, headers=headers, statuses=frozenset({415}))]


def strange_encoding(m: Mint) -> list[Attempt]:
    headers = {"content-encoding": m.secret()}
    return [Attempt(connector="instagram", body=b"{}", headers=headers, statuses=frozenset({415}))]


def wrong_handshake(m: Mint) -> list[Attempt]:
    query = f"hub.mode=subscribe&hub.challenge={m.secret()}&hub.verify_token={m.secret()}"
    return [
        Attempt(connector=c, method="GET", path=f"/webhooks/{TENANT}/{c}?{query}", statuses=frozenset({403}))
        for c in ("whatsapp", "facebook", "instagram")
    ]


def other_methods(m: Mint) -> list[Attempt]:
    return [
        Attempt(connector="x", method=method, body=m.secret().encode(), statuses=frozenset({405}))
        for method in ("PUT", "DELETE", "PATCH")
    ]


def forged_callback(m: Mint) -> list[Attempt]:
    claims = base64.urlsafe_b64encode(json.dumps({"user_id": m.secret()}).encode()).decode().rstrip("=")
    form = f"signed_request={m.secret()}.{claims}".encode()
    return [
        Attempt(
            connector="facebook",
            path=f"/webhooks/{TENANT}/facebook/{name}",
            body=form,
            headers={"content-type": "application/x-www-form-urlencoded"},
            signed=False,
            statuses=frozenset({401}),
        )
        for name in ("deauthorize", "data-deletion")
    ]


def admin_requests(m: Mint) -> list[Attempt]:
    return [
        Attempt(
            connector="", method="GET", path=f"{path}?{m.secret()}=1", headers={"cookie": m.secret()}, admin=True,
            statuses=frozenset({200, 400, 404}),
        )
        for path in ("/metrics", "/status", "/livez", "/readyz", f"/{m.secret()}")
    ]  # fmt: skip


def bare_sockets(m: Mint) -> list[Attempt]:
    """What no HTTP library would send: two lengths, a line that is none, endless headers, half a body."""
    head = f"POST /webhooks/{TENANT}/instagram HTTP/1.1\r\nhost: a\r\n"
    text = m.secret()
    requests = (
        f"{head}content-length: {len(text)}\r\ntransfer-encoding: chunked\r\n\r\n{text}",
        f"{m.secret()} {m.secret()}\r\n\r\n",
        f"GET /{m.secret()} HTTP/9.9\r\n\r\n",
        f"{head}x-a: {m.secret()}{'y' * 40_000}\r\n\r\n",
        f"{head}x-a\x00{m.secret()}: 1\r\ncontent-length: 0\r\n\r\n",
        f"{head}content-length: 1000\r\n\r\n{m.secret()}",
        f"{head}content-length: -{m.secret()}\r\n\r\n",
        f"{head}transfer-encoding: chunked\r\n\r\n{m.secret()}\r\n\r\n",
        f"{head}upgrade: {m.secret()}\r\nconnection: upgrade\r\n\r\n",
        f"GET /{m.secret() * 400} HTTP/1.1\r\nhost: {m.secret()}\r\n\r\n",
    )
    return [Attempt(connector="instagram", raw=request.encode("latin-1")) for request in requests]


SHAPES: Final[dict[str, Shape]] = {
    shape.__name__: shape
    for shape in (
        story_mention, story_mention_other_host, story_mention_standby, story_mention_echo, story_mention_changes,
        story_reply, story_share, reel, image, media_list, template, edit_with_url, echo_with_url, wrapped,
        wrapped_twice, bare_host, backslashes, browser_tricks, unsupported_type, type_of_tomorrow, view_once,
        profile_picture, escaped_bytes, unstorable_characters, unknown_item, comment, unknown_change, postback,
        quick_reply, reaction, deleted_with_leftovers, foreign_account, too_old,
        fallback, product, advertisement, referral, opt_in, standby, facebook_story_reply, sticker, location, feed,
        account_linking,
        wa_image, wa_document, wa_advertisement, wa_flow, wa_contacts, wa_order, wa_location, wa_edit, wa_echo,
        wa_history, wa_unknown_type, wa_view_once, wa_failure, wa_call, wa_system, wa_preference, wa_template_review,
        wa_unknown_field, wa_profile, wa_reply_buttons,
        encrypted_chat, x_direct_message, x_activity_message, x_post, x_long_post, x_noted, x_unknown,
        unsent, unsent_before, edited_then_unsent, revoked, post_deleted,
        malformed, not_utf8, deep, doubled_keys, forged, unsigned, oversized, unknown_paths, query_string,
        request_headers, compressed, strange_encoding, wrong_handshake, other_methods, forged_callback,
        admin_requests, bare_sockets,
    )
}  # fmt: skip
