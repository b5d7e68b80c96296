"""Signed webhook requests as the platforms send them, built before the clock starts.

A request is the complete HTTP/1.1 message as bytes, so that the load generator only writes it.
Every body is unique: a new message id, a text of its own, one of a fixed set of senders.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.plan import Target

SENDERS = 2_000
TEXT_LENGTHS = (820, 1_000)
WORDS = (
    "order delivery thanks please tomorrow the a is was when where invoice size blue green return "
    "refund address payment morning shop still waiting could you tell me about my parcel it has "
    "not arrived yet and i would like to know whether the second item can be sent with it"
).split()


@dataclass(frozen=True, slots=True)
class MessageParts:
    """What differs from one body to the next."""

    message_id: str
    quoted_id: str
    sender: int
    text: str
    milliseconds: int


def signed_requests(target: Target, count: int, run: str) -> Iterator[bytes]:
    """Yield `count` complete requests; another `run` word gives other message ids."""
    chance = random.Random(f"{run}/{target.path}")
    texts = [_text(chance) for _ in range(500)]
    key = hmac.new(target.secret.encode(), digestmod=hashlib.sha256)
    write_body = BODIES[target.channel]
    head = _head(target)
    now = int(time.time() * 1000)
    for number in range(count):
        parts = MessageParts(
            message_id=_message_id(f"{run}:{number}"),
            quoted_id=_message_id(f"quoted:{run}:{number}"),
            sender=chance.randrange(SENDERS),
            text=f"{number} {chance.choice(texts)}",
            milliseconds=now + number,
        )
        body = write_body(target.account, parts).encode()
        signature = key.copy()
        signature.update(body)
        yield head % (len(body), signature.hexdigest().encode()) + body


def _head(target: Target) -> bytes:
    """The request line and headers; length and signature stay open."""
    return (
        f"POST {target.path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1\r\n"
        f"User-Agent: facebookexternalua\r\n"
        f"Accept: */*\r\n"
        f"Content-Type: application/json\r\n"
        f"Content-Length: %d\r\n"
        f"X-Hub-Signature-256: sha256=%s\r\n\r\n"
    ).encode()


def _text(chance: random.Random) -> str:
    """A message text of ordinary words, as long as a long customer message."""
    wanted = chance.randrange(*TEXT_LENGTHS)
    return " ".join(chance.choices(WORDS, k=wanted // 4))[:wanted]


def _message_id(seed: str) -> str:
    """An opaque id with the length and alphabet of the platforms' ids."""
    digest = hashlib.sha512(seed.encode()).digest()
    return base64.urlsafe_b64encode(digest + digest[:32]).decode()


def _instagram(account: str, parts: MessageParts) -> str:
    """A direct message that quotes an earlier one."""
    return (
        f'{{"object":"instagram","entry":[{{"time":{parts.milliseconds},"id":"{account}",'
        f'"messaging":[{{"sender":{{"id":"{10**15 + parts.sender}"}},'
        f'"recipient":{{"id":"{account}"}},"timestamp":{parts.milliseconds},'
        f'"message":{{"mid":"aWdfZAG1faXRlbToxOjpLzZA{parts.message_id}","text":"{parts.text}",'
        f'"reply_to":{{"mid":"aWdfZAG1faXRlbToxOjpLzZA{parts.quoted_id}"}}}}}}]}}]}}'
    )


def _whatsapp(account: str, parts: MessageParts) -> str:
    """A text message that quotes an earlier one, with the sender's profile."""
    phone = 15550000000 + parts.sender
    return (
        f'{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{'
        f'"value":{{"messaging_product":"whatsapp","metadata":{{'
        f'"display_phone_number":"15550783881","phone_number_id":"{account}"}},'
        f'"contacts":[{{"profile":{{"name":"Customer {parts.sender}"}},"wa_id":"{phone}"}}],'
        f'"messages":[{{"context":{{"from":"15550783881","id":"wamid.{parts.quoted_id}"}},'
        f'"from":"{phone}","id":"wamid.{parts.message_id}",'
        f'"timestamp":"{parts.milliseconds // 1000}",'
        f'"text":{{"body":"{parts.text}"}},"type":"text"}}]}},"field":"messages"}}]}}]}}'
    )


BODIES = {"instagram": _instagram, "whatsapp": _whatsapp}
