"""Signing a body as a platform would: what replay, the tour, conformance and the tests post."""

from __future__ import annotations

from connectors.contract import Connector, WebhookRequest
from policies.message import Instant


class OnlyThePlatformSigns(Exception):
    """A tenant of this connector holds no key that signs."""


def signed(
    connector: Connector, body: bytes, secret: bytes, *, url: str = "", now: Instant = 0
) -> dict[str, str]:
    """The headers of a delivery that is posted to ``url`` at the time ``now``. Raises OnlyThePlatformSigns."""
    if connector.sample_signature is None:
        raise OnlyThePlatformSigns
    request = WebhookRequest(method="POST", headers={}, query={}, body=body, url=url, received_at=now)
    return connector.sample_signature(request, secret)
