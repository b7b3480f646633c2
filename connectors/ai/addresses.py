"""Which addresses a base URL may lead to: a tenant's settings must not reach into the caller's own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

SCHEMES = {"https": 443, "http": 80}


async def allowed(base_url: str | None, *, private: bool) -> str | None:
    """Return why a base URL may not be called; None if it may.

    Without `private`, only public addresses may, by https. The name is looked up again to connect, so a name server
    that changes its answer within a call is not noticed.
    """
    if base_url is None:
        return None
    try:
        parts = urlsplit(base_url)
        port = parts.port or SCHEMES.get(parts.scheme)
    except ValueError as error:
        return f"the base URL {base_url!r} is none: {error}"
    if port is None or not parts.hostname:
        return f"the base URL {base_url!r} has no host, or is neither http nor https"
    if private:
        return None
    if parts.scheme != "https":
        return f"the base URL {base_url!r} is not https, which only a provider with allow_private may have"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"{parts.hostname} has no address: {error}"
    inside = [address for *_, (address, *_) in found if not ipaddress.ip_address(str(address).split("%")[0]).is_global]
    if inside:
        return f"{parts.hostname} is at the private address {inside[0]}: if you mean it, set allow_private"
    return None
