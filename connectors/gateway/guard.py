"""What holds for every HTTP request, before any route: its Host, the size of its body, the headers of its answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind.connectors.gateway.pages import import_map_source
from tradewind.connectors.gateway.problems import MEDIA_TYPE, Problem

BODY_BYTES: Final = 1024 * 1024
CSP: Final = (
    f"default-src 'none'; script-src 'self' {import_map_source()}; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware. Plain, for it stands in front of every request."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what no route should see, and pass on the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY]
            await send(message)

        problem = self._wrong_host(headers) or _too_large(headers)
        if problem is not None:
            await answer(problem, secured)
            return
        await self._app(scope, _Bounded(receive), secured)

    def _wrong_host(self, headers: dict[bytes, bytes]) -> Problem | None:
        given = headers.get(b"host", b"").decode("latin-1")
        if known_host(given, self._hosts):
            return None
        return Problem(
            421,
            "UNKNOWN_HOST",
            f"this gateway is not called {given[:100]!r}",
            f"use one of {', '.join(sorted(self._hosts))}, or add the name to TRADEWIND_GATEWAY__HOSTS",
            pointer="header: Host",
        )


def known_host(given: str, hosts: frozenset[str]) -> bool:
    """Return whether a Host header, with or without a port, is one of the names."""
    name, colon, port = given.lower().rpartition(":")
    if not colon or not port.isdigit():
        name = given.lower()
    return name in hosts


def is_foreign(origin: str | None, host: str) -> bool:
    """Return whether a page of another origin has made a request: browsers name the origin."""
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


async def answer(problem: Problem, send: Send) -> None:
    """Send a problem as the whole answer."""
    body = problem.body()
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in problem.headers.items()),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _too_large(headers: dict[bytes, Any]) -> Problem | None:
    length = headers.get(b"content-length", b"0")
    return too_large() if length.isdigit() and int(length) > BODY_BYTES else None


def too_large() -> Problem:
    """Return the answer to a body over the limit."""
    return Problem(
        413,
        "BODY_TOO_LARGE",
        f"a body has at most {BODY_BYTES} bytes",
        "send less, or in parts",
        headers={"Connection": "close"},
    )


class _Bounded:
    """Counts a body as it comes in: chunks state no length beforehand."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes = receive, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > BODY_BYTES:
            raise HTTPException(413)  # FastAPI passes only this kind on from a body; `app.py` makes a problem of it
        return message
