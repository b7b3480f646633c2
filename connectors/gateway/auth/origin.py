"""Where a request comes from: the address, the program, and whether it comes over a network."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from fastapi import Request

ADDRESS_CHARACTERS: Final = 64
"""An IPv6 address with a scope is shorter."""
NETWORK_BITS: Final = 64
"""Of an IPv6 address: whoever has one has all addresses of its network."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody signs in from."""

    address: str

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
    return Origin((request.client.host if request.client else "")[:ADDRESS_CHARACTERS])
