"""Addresses: of clients, as limits count them, and of pages, as redirects may name them."""

from __future__ import annotations

import ipaddress
import re

SITE_PREFIX = 64
"""One IPv6 customer has at least a /64 (RFC 6177): counted by single addresses, no client would ever reach a limit."""

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_local_path(target: str) -> bool:
    """Does this lead to a page of this service? Browsers read `//host` and `/\\host` as another one, and leave out tabs."""
    return _LOCAL_PATH.fullmatch(target) is not None


def network_of(address: str) -> str:
    """What stands for a client: an IPv4 address, the /64 of an IPv6 one, else the text itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, SITE_PREFIX), strict=False))


def is_in(address: str, networks: list[str]) -> bool:
    """Is this the address of one of the networks?"""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(network) for network in networks)
