"""The certificates that HTTP clients trust, read once: httpx reads them anew for each client, 34 ms of CPU."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def certificates() -> ssl.SSLContext:
    """Return what `httpx` takes as `verify`; for clients that are made again and again."""
    return httpx.create_ssl_context()
