"""Runs the gateway: uvicorn with uvloop and httptools, and picows for what is upgraded."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from starlette.types import ASGIApp

from tradewind.connectors.gateway.gateway import Gateway
from tradewind.connectors.gateway.guard import is_foreign, known_host
from tradewind.connectors.gateway.http import BoundedHttp
from tradewind.connectors.gateway.problems import MEDIA_TYPE, Problem
from tradewind.connectors.gateway.routes import PREFIX
from tradewind.connectors.gateway.stream.connection import Connection
from tradewind.connectors.gateway.upgrade import upgrade_protocol

LOOPBACK: Final = "127.0.0.1"
BACKLOG: Final = 512
CONNECTIONS: Final = 4_000
"""Open at once, HTTP and WebSocket; more are answered with 503."""
STREAMS: Final = 2_000
"""WebSockets among them."""
KEEP_ALIVE_S: Final = 30
STOP_S: Final = 2
"""How long requests in progress have at the end: the stack stops within 15 s."""
STREAM_PATH, MARKET_PATH = f"{PREFIX}/stream", f"{PREFIX}/markets/stream"
log = logging.getLogger(__name__)


class Door:
    """Decides on upgrades. The gateway comes once the server has started."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self.gateway: Gateway | None = None

    def accept(self, request: WSUpgradeRequest, transport: asyncio.Transport) -> Any:  # noqa: ARG002 - for limits by address
        """Return a listener for a connection, or the answer that refuses it."""
        path = request.path.decode("latin-1").partition("?")[0]
        problem = self._refusal(path, request)
        if problem is None:
            assert self.gateway is not None
            return Connection(self.gateway.connections, market_only=path == MARKET_PATH)
        answer = WSUpgradeResponse.create_error_response(
            problem.status, problem.body(), {"Content-Type": MEDIA_TYPE, "X-Content-Type-Options": "nosniff"}
        )
        return WSUpgradeResponseWithListener(answer, None)

    def _refusal(self, path: str, request: WSUpgradeRequest) -> Problem | None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not known_host(host, self._hosts):
            return Problem(
                421, "UNKNOWN_HOST", f"this gateway is not called {host[:100]!r}", "see TRADEWIND_GATEWAY__HOSTS"
            )
        if path not in {STREAM_PATH, MARKET_PATH}:
            return Problem(404, "NO_SUCH_ROUTE", f"there is no WebSocket at {path[:200]}", f"use {STREAM_PATH}")
        if is_foreign(origin, host):
            return Problem(403, "FOREIGN_ORIGIN", "a page of another origin may not do this", "use our own pages")
        if self.gateway is None or len(self.gateway.connections.open) >= STREAMS:
            return Problem(503, "TOO_MANY_CONNECTIONS", f"there are {STREAMS} WebSockets already", "try again later")
        return None


class GatewayStopped(RuntimeError):
    """The server could not start; the message says why, and what to do."""


def listen(port: int) -> socket.socket:
    """Return a socket on loopback; raises `GatewayStopped` where another process has the port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
    except OSError as error:
        found.close()
        raise GatewayStopped(
            f"the gateway cannot listen on port {port} of {LOOPBACK} ({error.strerror}): end what listens there, or "
            "set TRADEWIND_GATEWAY__PORT (under `up`: --base-port)"
        ) from error
    found.listen(BACKLOG)
    return found


def server_of(
    make_app: Callable[[Callable[[Gateway], None]], ASGIApp],
    hosts: tuple[str, ...],
    http: type[BoundedHttp] = BoundedHttp,
) -> uvicorn.Server:
    """Return a server that is not started. `make_app` takes what it must call with the gateway once it is made."""
    door = Door(hosts)

    def made(gateway: Gateway) -> None:
        door.gateway = gateway

    return uvicorn.Server(
        uvicorn.Config(
            make_app(made),
            loop="uvloop",
            http=http,
            ws=upgrade_protocol(door.accept),
            lifespan="on",
            log_config=None,
            access_log=False,  # its lines hold query strings; commands are audited instead
            server_header=False,
            date_header=True,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_S,
            backlog=BACKLOG,
        )
    )
