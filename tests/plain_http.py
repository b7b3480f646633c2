"""Requests to a server of a test, as httpx makes them, but with the certificates read once.

httpx reads them for each client, which takes 34 ms of CPU, and each of its functions makes a client.
"""

from __future__ import annotations

from functools import partial

import httpx

from tradewind.connectors.certificates import certificates

get, post, request, delete, put = (
    partial(function, verify=certificates())
    for function in (httpx.get, httpx.post, httpx.request, httpx.delete, httpx.put)
)
Client = partial(httpx.Client, verify=certificates())
AsyncClient = partial(httpx.AsyncClient, verify=certificates())
