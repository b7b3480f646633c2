"""Where a request comes from: the address, the program, and whether it comes over a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

ADDRESS_CHARACTERS: Final = 64
"""An IPv6 address with a scope is shorter."""
AGENT_CHARACTERS: Final = 200
LOCAL: Final = "localhost"
PROXIED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""Headers that proxies add."""
NETWORK_BITS: Final = 64
"""Of an IPv6 address: whoever has one has all addresses of its network."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody signs in from."""

    address: str
    remote: bool = False
    """Whether it comes over a network: then a second factor is wanted."""
    agent: str = ""
    """The program, as it calls itself."""

    @property
    def network(self) -> str:
        """The address, or the network of an IPv6 address, which one person has as a whole."""
        try:
            found = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return self.address
        if found.version == 4:
            return str(found)
        return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))


def origin_of(request: Request) -> Origin:
    """Return where a request comes from."""
    address = _printable(request.client.host if request.client else "", ADDRESS_CHARACTERS)
    agent = _printable(request.headers.get("user-agent", ""), AGENT_CHARACTERS)
    return Origin(address, is_remote(address, request.headers), agent)


def is_remote(address: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request comes over a network: from another machine, by a name, or through a proxy.

    A proxy on this machine has a loopback address as well, so any sign of one counts.
    """
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return not (_is_loopback(address) and (host == LOCAL or _is_loopback(host))) or any(
        name in headers for name in PROXIED
    )


def _printable(text: str, most: int) -> str:
    """Return what a client says of itself as PostgreSQL and pages can show it."""
    return "".join(one for one in text if one.isprintable())[:most]


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
