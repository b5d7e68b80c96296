"""The table of connectors: one row per wire format."""

from __future__ import annotations

from typing import Final

from connectors import meta
from connectors.contract import Connector
from connectors.facebook import webhook as facebook
from connectors.instagram import webhook as instagram
from connectors.whatsapp import webhook as whatsapp
from connectors.x import webhook as x
from policies.message import Channel

_META_NEEDS = ("signing_secrets", "verify_tokens")

CONNECTORS: Final[dict[str, Connector]] = {
    row.name: row
    for row in (
        Connector(
            name="whatsapp",
            channel=Channel.WHATSAPP,
            handshake=meta.handshake,
            verify=meta.verify,
            parse=whatsapp.parse,
            sample_signature=meta.sample_signature,
            needs=_META_NEEDS,
            signed_request=meta.signed_request,
        ),
        Connector(
            name="facebook",
            channel=Channel.FACEBOOK,
            handshake=meta.handshake,
            verify=meta.verify,
            parse=facebook.parse,
            sample_signature=meta.sample_signature,
            needs=_META_NEEDS,
            signed_request=meta.signed_request,
        ),
        Connector(
            name="instagram",
            channel=Channel.INSTAGRAM,
            handshake=meta.handshake,
            verify=meta.verify,
            parse=instagram.parse,
            sample_signature=meta.sample_signature,
            needs=_META_NEEDS,
            signed_request=meta.signed_request,
        ),
        Connector(
            name="x",
            channel=Channel.X,
            handshake=x.handshake,
            verify=x.verify,
            parse=x.parse,
            sample_signature=x.sample_signature,
            has_aliases=True,
        ),
    )
}
