"""The table of connectors: one row per wire format."""

from __future__ import annotations

from typing import Final

from connectors import meta
from connectors.contract import Connector, Parse
from connectors.facebook import webhook as facebook
from connectors.instagram import webhook as instagram
from connectors.whatsapp import webhook as whatsapp
from connectors.x import webhook as x
from policies.message import Channel


def _meta(channel: Channel, parse: Parse) -> Connector:
    """A channel of Meta's: one handshake and one signature for all of them."""
    return Connector(
        name=channel.value,
        channel=channel,
        handshake=meta.handshake,
        verify=meta.verify,
        parse=parse,
        signature_headers=(meta.SIGNATURE_HEADER,),
        sample_signature=meta.sample_signature,
        needs=("signing_secrets", "verify_tokens"),
        signed_request=meta.signed_request,
        signs_with="app_secret",
    )


_ROWS: Final = (
    _meta(Channel.WHATSAPP, whatsapp.parse),
    _meta(Channel.FACEBOOK, facebook.parse),
    _meta(Channel.INSTAGRAM, instagram.parse),
    Connector(
        name="x",
        channel=Channel.X,
        handshake=x.handshake,
        verify=x.verify,
        parse=x.parse,
        signature_headers=(x.SIGNATURE_HEADER,),
        sample_signature=x.sample_signature,
        has_aliases=True,
        signs_with="consumer_secret",
    ),
)

CONNECTORS: Final[dict[str, Connector]] = {row.name: row for row in _ROWS}
"""Every connector under the name that stands in webhook paths and tenant files."""
