"""The table of connectors: one row per wire format."""

from __future__ import annotations

from typing import Final

from connectors import meta
from connectors.contract import Connector, Outbound, Parse, Reconciliation
from connectors.facebook import webhook as facebook
from connectors.instagram import conversations
from connectors.instagram import webhook as instagram
from connectors.sms_console import outbound as console
from connectors.sms_genesys import outbound as genesys_outbound
from connectors.sms_genesys import webhook as genesys
from connectors.sms_http import outbound as http_outbound
from connectors.sms_http import webhook as http
from connectors.sms_telnyx import outbound as telnyx_outbound
from connectors.sms_telnyx import webhook as telnyx
from connectors.sms_twilio import outbound as twilio_outbound
from connectors.sms_twilio import webhook as twilio
from connectors.sms_vonage import outbound as vonage_outbound
from connectors.sms_vonage import webhook as vonage
from connectors.whatsapp import webhook as whatsapp
from connectors.x import compliance
from connectors.x import webhook as x
from policies.message import Channel


def _meta(channel: Channel, parse: Parse, reconciliation: Reconciliation | None = None) -> Connector:
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
        reconciliation=reconciliation,
    )


def _own_format(name: str, outbound: Outbound) -> Connector:
    """Where no provider's format is given: texts and reports come in one of ours."""
    return Connector(
        name=name,
        channel=Channel.SMS,
        has_aliases=True,
        handshake=http.handshake,
        verify=http.verify,
        parse=http.parse,
        signature_headers=(http.SIGNATURE_HEADER, http.TIMESTAMP_HEADER),
        sample_signature=http.sample_signature,
        outbound=outbound,
    )


_ROWS: Final = (
    _meta(Channel.WHATSAPP, whatsapp.parse),
    _meta(Channel.FACEBOOK, facebook.parse),
    _meta(Channel.INSTAGRAM, instagram.parse, conversations.RECONCILIATION),
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
        reconciliation=compliance.RECONCILIATION,
    ),
    Connector(
        name="sms-genesys",
        channel=Channel.SMS,
        has_aliases=True,
        handshake=genesys.handshake,
        verify=genesys.verify,
        parse=genesys.parse,
        signature_headers=(genesys.SIGNATURE_HEADER,),
        sample_signature=genesys.sample_signature,
        signs_with="signature_secret_token",
        outbound=genesys_outbound.OUTBOUND,
    ),
    Connector(
        name="sms-twilio",
        channel=Channel.SMS,
        has_aliases=True,
        handshake=twilio.handshake,
        verify=twilio.verify,
        decode=twilio.decode,
        parse=twilio.parse,
        accepted=twilio.ACCEPTED,
        signature_headers=(twilio.SIGNATURE_HEADER,),
        sample_signature=twilio.sample_signature,
        signs_url=True,
        signs_with="auth_token",
        outbound=twilio_outbound.OUTBOUND,
    ),
    Connector(
        name="sms-vonage",
        channel=Channel.SMS,
        has_aliases=True,
        handshake=vonage.handshake,
        verify=vonage.verify,
        parse=vonage.parse,
        signature_headers=(vonage.SIGNATURE_HEADER,),
        sample_signature=vonage.sample_signature,
        signs_with="signature_secret",
        outbound=vonage_outbound.OUTBOUND,
    ),
    Connector(
        name="sms-telnyx",
        channel=Channel.SMS,
        has_aliases=True,
        handshake=telnyx.handshake,
        verify=telnyx.verify,
        parse=telnyx.parse,
        signature_headers=(telnyx.SIGNATURE_HEADER, telnyx.TIMESTAMP_HEADER),
        sample_signature=None,
        signs_with="public_key",
        outbound=telnyx_outbound.OUTBOUND,
    ),
    _own_format("sms-http", http_outbound.OUTBOUND),
    _own_format("sms-console", console.OUTBOUND),
)

CONNECTORS: Final[dict[str, Connector]] = {row.name: row for row in _ROWS}
"""Every connector under the name that stands in webhook paths and tenant files."""

SOCIAL: Final[dict[str, Connector]] = {row.name: row for row in _ROWS if row.channel is not Channel.SMS}
"""Those of the messaging platforms: the others carry text messages."""
