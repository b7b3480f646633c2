"""Where a provider is: which addresses are public, and what is wrong with a base URL before anybody looks it up."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = {"https": 443, "http": 80}
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
MEANT: Final = "if you mean it, set allow_private"


def is_public(address: str) -> bool:
    """Return whether an address is one of the public internet, also where IPv6 wraps one of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def flaw_of_url(base_url: str, *, private: bool) -> str | None:
    """Return what is wrong with a base URL as it is written; None if nothing is. A name may still lead inside."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or SCHEMES.get(parts.scheme)
    except ValueError as error:
        return f"the base URL {base_url!r} is none: {error}"
    if port is None or not parts.hostname or parts.scheme not in SCHEMES:
        return f"the base URL {base_url!r} has no host, or is neither http nor https"
    if private:
        return None
    if parts.scheme != "https":
        return f"the base URL {base_url!r} is not https, which only a provider with allow_private may have"
    try:
        inside = not is_public(parts.hostname)
    except ValueError:  # it is a name
        inside = parts.hostname == "localhost" or parts.hostname.endswith((".localhost", ".local", ".internal"))
    return f"{parts.hostname} is a private address: {MEANT}" if inside else None
