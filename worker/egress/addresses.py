"""Which addresses a provider may have: public unicast, or what the operator allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""From a host and port to the addresses that it has now, in the order in which to try them. Raises OSError."""

# IANA's registries of special-purpose addresses (RFC 6890 and what updates it), looked at in October 2026, and the one
# public address at which a cloud's machines find their metadata.
_SPECIAL_4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",
    "100.64.0.0/10",  # shared by carriers; a cloud's metadata stands in it
    "127.0.0.0/8",
    "168.63.129.16/32",  # a cloud's metadata
    "169.254.0.0/16",  # link-local; most clouds' metadata
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",  # relays of 6to4
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
_UNICAST_6: Final = ip_network("2000::/3")
"""All that is handed out. Outside: loopback, unique local, link-local, multicast, mapped and translated IPv4."""

_SPECIAL_6: Final = (
    "2001::/23",  # protocols' own: Teredo, benchmarks, ORCHID
    "2001:db8::/32",
    "2002::/16",  # 6to4: leads to any IPv4 address
    "2620:4f:8000::/48",
    "3fff::/20",
)
_SPECIAL: Final[tuple[Network, ...]] = tuple(map(ip_network, (*_SPECIAL_4, *_SPECIAL_6)))


def is_public(address: Address) -> bool:
    """Whether it is one host's address on the internet, and nothing else. What hides another address in it is not."""
    if isinstance(address, IPv6Address) and (address not in _UNICAST_6 or address.scope_id is not None):
        return False
    return not _is_in(address, _SPECIAL)


def vetted(found: Iterable[str], allowed: Sequence[Network], *, only_allowed: bool) -> list[Address]:
    """Those of the addresses that may be connected to. ``only_allowed``: public ones may not."""
    addresses = [address for text in found if (address := _parsed(text)) is not None]
    return [one for one in addresses if _is_in(one, allowed) or (not only_allowed and is_public(one))]


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _parsed(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
