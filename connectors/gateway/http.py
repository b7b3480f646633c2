"""uvicorn's HTTP protocol with the limits that httptools lacks: a request's head has a size and a time."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tradewind.connectors.gateway.problems import MEDIA_TYPE, Problem

HEAD_S: Final = 10.0
"""How long a client may take for the head of a request: a slow one must not hold a connection."""
HEAD_BYTES: Final = 32 * 1024
"""Bytes of a request's line and headers; cookies and tokens of ours are under 2 KiB."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP on one connection. A head that is too long is answered with 431, one that is too slow with 408."""

    head_s = HEAD_S

    _received = 0
    """Bytes of the head that is coming in, as far as pieces tell."""
    _counted = 0
    """Bytes of its line and headers, as far as they are parsed: a whole head may come in one piece."""
    _begun = False
    """Whether anything of it has come."""
    _refused = False
    _slow: asyncio.TimerHandle | None = None
    """Runs while a head is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came in, unless the head is past its limits."""
        if self._refused:
            return
        awaited = self._slow is not None
        if awaited:
            self._received += len(data)
        super().data_received(data)
        if awaited and self._slow is not None and self._received > HEAD_BYTES:
            self._refuse(_too_long())

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._counted = 0
        if self._slow is None:
            self._await_head()
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._counted += len(name) + len(value) + len(b": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the request, if its head was within its limits."""
        self._head_came()
        if self._counted + len(self.url) > HEAD_BYTES:
            self._refuse(_too_long())
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        if not self._refused:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket."""
        if not self._refused:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(Problem(400, "NOT_HTTP", msg, "speak HTTP/1.1 (RFC 9112) on this port"))

    def _await_head(self) -> None:
        self._received, self._begun = 0, False
        self._slow = self.loop.call_later(self.head_s, self._ran_out)

    def _head_came(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _ran_out(self) -> None:
        if not self._begun:
            self.transport.close()  # browsers open connections ahead, and want no answer to what they have not asked
        else:
            self._refuse(_too_slow(self.head_s))

    def _refuse(self, problem: Problem) -> None:
        """Answer and close."""
        self._head_came()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        body = problem.body()
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def _too_long() -> Problem:
    return Problem(
        431, "HEAD_TOO_LARGE", f"the head of the request is over {HEAD_BYTES} bytes", "send fewer or shorter headers"
    )


def _too_slow(head_s: float) -> Problem:
    return Problem(
        408,
        "HEAD_TOO_SLOW",
        f"the head of the request did not come within {head_s:g} s",
        "connect again, and send it whole",
    )
