"""For demonstrations: a text is shown where the worker runs, and goes nowhere. Nothing is ever sent."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.contract import HttpAnswer, HttpRequest, Outbound, Sending, SendResult, Sent, Text, Unknown

URL: Final = "console:"
"""No address that any HTTP client could call: whoever carries requests out shows the body instead."""

SHOWN: Final = HttpAnswer(status=200, headers={}, body=b"")
"""The answer to a request that was shown."""


def addresses(_sending: Sending) -> tuple[str, ...]:
    """None: nothing leaves this machine, so nothing has to be declared."""
    return ()


def build_request(text: Text, _sending: Sending) -> HttpRequest:
    """What is to be shown, as JSON: ``id``, ``from``, ``to``, ``text``."""
    shown = {"id": text.id, "from": text.sender, "to": text.recipient, "text": text.text}
    return HttpRequest(method="POST", url=URL, headers={}, body=msgspec.json.encode(shown))


def read_result(answer: HttpAnswer, _sending: Sending) -> SendResult:
    """200 is a text that was shown."""
    return Sent(id="") if answer.status == 200 else Unknown()


OUTBOUND: Final = Outbound(
    options={}, secrets=(), addresses=addresses, build_request=build_request, read_result=read_result
)
