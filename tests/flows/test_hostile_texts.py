"""Attacks on texts: by whoever holds a key, whoever can write to a tenant's number, and a provider that means ill."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import HttpRequest
from policies.sms.recipients import objection
from policies.verdict import ReasonCode
from tests.worker.loopback import serving
from worker.egress.client import CallFailed, Client, Why
from worker.sms.payload import suppression_references

# One telephone each, in its one spelling and in others that numbering plans read as the same.
SPELLINGS: Final = {
    "+12025550143": ("+112025550143",),
    "+447911123456": ("+4407911123456",),
    "+33612345678": ("+330612345678",),
    "+4915112345678": ("+49015112345678",),
    "+61412345678": ("+610412345678",),
    "+819012345678": ("+8109012345678",),
    "+5491123456789": ("+54111523456789",),
}
OTHERS: Final = [(right, other) for right, others in SPELLINGS.items() for other in others]


# --- a key's holder and whoever opted out --------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "other"), OTHERS)
def test_no_spelling_of_a_number_leads_past_its_opt_out(right: str, other: str) -> None:
    """A national prefix behind the country's code is dropped by networks, so that the text would arrive."""
    assert objection(right) is None
    assert objection(other) is ReasonCode.RECIPIENT_MALFORMED
    key = bytes(32)
    assert suppression_references(key, other, "s", "c") == suppression_references(key, right, "s", "c")


@given(st.sampled_from(sorted(SPELLINGS)), st.text("0123456789", min_size=1, max_size=3))
def test_digits_put_in_make_another_number_or_none(right: str, put_in: str) -> None:
    """Wherever they stand behind the country's code: what may be sent to is nobody who opted out."""
    key = bytes(32)
    against = set(suppression_references(key, right, "s", "c"))
    for at in range(2, 5):
        other = right[:at] + put_in + right[at:]
        if other != right and objection(other) is None:
            assert against.isdisjoint(suppression_references(key, other, "s", "c"))


# --- a provider that means ill -------------------------------------------------------------------------------------------


def interim(connection: socket.socket, _request: bytes) -> None:
    """Interim answers as fast as they are read, without an end."""
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)


def test_a_provider_that_never_stops_talking_ends_at_the_deadline() -> None:
    """Each read finds something, so that no read ever waits: the call as a whole has to end."""
    client = Client((ip_network("127.0.0.0/8"),), lambda _host, _port: ["127.0.0.1"])
    with serving(interim) as server:
        request = HttpRequest(method="POST", url=f"http://sms.example:{server.port}/", headers={}, body=b"a")
        began = time.monotonic()
        with pytest.raises(CallFailed) as caught:
            client.send(request, {"sms.example"}, 0.5)
        assert time.monotonic() - began < 2
        assert caught.value.why is Why.TIMEOUT
    client.close()
