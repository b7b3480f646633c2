"""Which addresses a base URL may lead to: a tenant's settings must not reach into the caller's own network."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tradewind.processors.ai.settings_file.places import MEANT, flaw_of_url, is_public


async def allowed(base_url: str | None, *, private: bool) -> str | None:
    """Return why a base URL may not be called; None if it may.

    Without `private`, only public addresses may, by https. `connections` looks again at what a name leads to.
    """
    if base_url is None:
        return None
    if (flaw := flaw_of_url(base_url, private=private)) is not None or private:
        return flaw
    parts = urlsplit(base_url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"{parts.hostname} has no address: {error}"
    inside = [str(address) for *_, (address, *_) in found if not is_public(str(address))]
    return f"{parts.hostname} is at the private address {inside[0]}: {MEANT}" if inside else None


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
