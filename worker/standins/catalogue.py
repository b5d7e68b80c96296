"""Every stand-in, under the name of the connector that speaks to it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from worker.standins.gateway import GATEWAY
from worker.standins.genesys import GENESYS
from worker.standins.provider import Provider
from worker.standins.telnyx import TELNYX
from worker.standins.twilio import TWILIO
from worker.standins.vonage import VONAGE

STANDINS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        "sms-genesys": GENESYS,
        "sms-twilio": TWILIO,
        "sms-vonage": VONAGE,
        "sms-telnyx": TELNYX,
        "sms-http": GATEWAY,
    }
)
