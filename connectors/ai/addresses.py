"""Which addresses a base URL may lead to: a tenant's settings must not reach into the caller's own network."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

SCHEMES = {"https": 443, "http": 80}
NAT64 = ipaddress.ip_network("64:ff9b::/96")
MEANT = "if you mean it, set allow_private"


async def allowed(base_url: str | None, *, private: bool) -> str | None:
    """Return why a base URL may not be called; None if it may.

    Without `private`, only public addresses may, by https. `connections` looks again at what a name leads to.
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
    inside = [str(address) for *_, (address, *_) in found if not is_public(str(address))]
    return f"{parts.hostname} is at the private address {inside[0]}: {MEANT}" if inside else None


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


class PublicNames(AbstractResolver):
    """Looks up names, and refuses those that lead to private addresses: what is connected to was looked at."""

    def __init__(self) -> None:
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises `OSError` if one of them is private."""
        found = await self._resolver.resolve(host, port, family)
        inside = [one["host"] for one in found if not is_public(one["host"])]
        if inside:
            raise OSError(errno.EACCES, f"{host} is at the private address {inside[0]}: {MEANT}")
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def connections(limit: int, *, private: bool, tls: ssl.SSLContext) -> aiohttp.ClientSession:
    """Return connections to providers, `limit` at once; without `private`, to public addresses alone.

    They keep no cookies, for tenants share them, and take no proxy or password from the environment.
    """
    resolver = None if private else PublicNames()
    connector = aiohttp.TCPConnector(limit=limit, resolver=resolver, ssl=tls)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
