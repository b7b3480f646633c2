"""Hands a connection that uvicorn has begun as HTTP over to picows, which speaks WebSocket on it from then on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from picows import WSAutoPingStrategy, WSListener, WSUpgradeRequest
from picows.picows import WSProtocol  # type: ignore[attr-defined] # not in its stubs; the contract test holds it
from uvicorn.config import Config
from uvicorn.server import ServerState

FRAME_BYTES: Final = 64 * 1024
"""Of an incoming frame: clients send commands of a few hundred bytes."""
HANDSHAKE_S: Final = 5.0
PING_S: Final = 15.0
RESTART: Final = 1012
"""Close code of RFC 6455's registry: the server goes away and comes again."""
Accept = Callable[[WSUpgradeRequest, asyncio.Transport], Any]
"""Returns a listener, or an HTTP answer that refuses."""
log = logging.getLogger(__name__)
quiet = logging.getLogger("picows.gateway")
quiet.setLevel(logging.WARNING)  # it tells of every connection


def upgrade_protocol(accept: Accept) -> type[Any]:
    """Return the class for `uvicorn.Config(ws=...)`; `accept` decides on each upgrade."""

    class Upgraded(WSProtocol):  # type: ignore[misc] # it is native code
        """One connection after its upgrade."""

        def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:  # noqa: ARG002 - uvicorn's signature
            self._connections = server_state.connections
            self._raw: asyncio.Transport | None = None
            super().__init__(
                None,
                None,
                False,  # noqa: FBT003 - whether it is the client
                self._accepted,
                quiet,
                True,  # noqa: FBT003 - disconnect where the listener raises
                HANDSHAKE_S,
                True,  # noqa: FBT003 - ping
                PING_S,
                PING_S,
                WSAutoPingStrategy.PING_WHEN_IDLE,
                True,  # noqa: FBT003 - pong
                FRAME_BYTES,
                None,
                4096,
            )

        def _accepted(self, request: WSUpgradeRequest) -> Any:
            assert self._raw is not None
            return accept(request, self._raw)

        def connection_made(self, transport: asyncio.Transport) -> None:
            """Take over the transport."""
            self._raw = transport
            self._connections.add(self)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            """Let it go."""
            self._connections.discard(self)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """Take the head of the request, which uvicorn hands over in one piece."""
            while data:
                room = self.get_buffer(len(data))
                piece = data[: len(room)]
                room[: len(piece)] = piece
                self.buffer_updated(len(piece))
                data = data[len(piece) :]

        def shutdown(self) -> None:
            """Say goodbye: the server ends."""
            if self.transport is not None and isinstance(self.listener, WSListener):
                self.transport.send_close(RESTART, b"the gateway ends: connect again")
                self.transport.disconnect()

    return Upgraded
