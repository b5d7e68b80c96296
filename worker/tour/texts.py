"""The tour's second half: texts handed in over the interface, judged, shown instead of sent, and a STOP that is honoured."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from connectors import sample
from connectors.registry import CONNECTORS

CONNECTOR: Final = "sms-console"
SENDER: Final = "+12025550123"
"""A number of a range that is kept for examples, as all of them here."""

_PATIENCE_SECONDS: Final = 10.0
_PENDING: Final = frozenset({"queued", "sending"})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed in, the verdict with its reasons, and what became of it."""

    title: str
    verdict: str
    held: str


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """How the tour reaches the worker: both listeners, a key that may send, and the secret that signs inbound texts."""

    client: httpx.Client
    webhooks: str
    interface: str
    tenant: str
    key: str
    secret: bytes

    def __repr__(self) -> str:
        return "<Phone>"

    def hand_in(self, text: str, recipient: str, sender: str = SENDER) -> Mapping[str, Any]:
        """Hand a text in; the answer."""
        body = {
            "sender": sender,
            "recipient": recipient,
            "text": text,
            "purpose": "transactional",
            "submitter": "the tour",
        }
        answer = self.client.post(
            f"{self.interface}/v1/tenants/{self.tenant}/sms", json=body, headers=self._headers
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def look(self, id_: str) -> Mapping[str, Any]:
        """Where a text stands, when it is no longer on its way or patience has ended."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            answer = self.client.get(
                f"{self.interface}/v1/tenants/{self.tenant}/sms/{id_}", headers=self._headers
            )
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
            if told["state"] not in _PENDING or time.monotonic() > deadline:
                return told
            time.sleep(0.05)

    def receive(self, said: str, number: str) -> int:
        """A text from somebody's phone; the answer's status."""
        body = msgspec.json.encode(
            {"event": "message", "id": secrets.token_hex(8), "from": number, "to": SENDER, "text": said}
        )
        url = f"{self.webhooks}/webhooks/{self.tenant}/{CONNECTOR}"
        headers = sample.signed(CONNECTORS[CONNECTOR], body, self.secret, url=url, now=time.time_ns() // 1000)
        return self.client.post(
            url, content=body, headers=headers | {"content-type": "application/json"}
        ).status_code

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


def travel(phone: Phone) -> Iterator[Seen]:
    """Tell the story of texts; every number is fresh, as far as the range goes."""
    for told in (_sent, _held, _forged, _stopped):
        yield told(phone)


def _sent(phone: Phone) -> Seen:
    answer = phone.hand_in("Your table for two is ready, see you at eight.", _number())
    return _seen("a text of the tenant's own", phone, answer)


def _held(phone: Phone) -> Seen:
    answer = phone.hand_in(
        "Your account is locked! Verify your password at https://bit.ly/3xYz now", _number()
    )
    return _seen("a lure to a stranger's link", phone, answer)


def _forged(phone: Phone) -> Seen:
    answer = phone.hand_in("Your parcel is waiting.", _number(), sender="Dem0")
    return _seen("a name that passes for the tenant's", phone, answer)


def _stopped(phone: Phone) -> Seen:
    """Whoever says STOP is told once that it is done, and gets nothing after it."""
    number = _number()
    phone.receive("STOP", number)
    answer = phone.hand_in("Your table for two is ready, see you at eight.", number)
    return _seen("STOP, then a text all the same", phone, answer)


def _seen(title: str, phone: Phone, answer: Mapping[str, Any]) -> Seen:
    codes = ", ".join(dict.fromkeys(reason["code"] for reason in answer["reasons"]))
    state = phone.look(answer["id"])["state"]
    return Seen(title=title, verdict=answer["verdict"] + (f" ({codes})" if codes else ""), held=_words(state))


_WORDS: Final[Mapping[str, str]] = {
    "sent": "sent: the console showed it",
    "waiting": "held for a person: quarantine list",
    "refused": "nothing was sent",
}


def _words(state: str) -> str:
    return _WORDS.get(state, state)


def _number() -> str:
    """From +1 202 555 0124 to 0199."""
    return f"+120255501{24 + secrets.randbelow(76):02d}"
