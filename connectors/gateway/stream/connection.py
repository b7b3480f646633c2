"""One client of the WebSocket: who it is, what it reads, and the limits that it is held to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from tradewind.connectors.gateway.auth.roles import ENROLLING, Who, second_factor_wanted
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream.commands import Auth, BadFrame, Following, Subscription, parse
from tradewind.connectors.gateway.stream.events import Events
from tradewind.connectors.gateway.stream.following import Followings
from tradewind.connectors.gateway.stream.hub import ALL, Hub, Key
from tradewind.connectors.gateway.wire import encoded

AUTH_S: Final = 5.0
FLUSH_S: Final = 0.05
"""How long changes are gathered: a person sees no less, and a burst costs one write."""
FRAMES: Final = 20
"""Incoming frames a second."""
SUBSCRIPTIONS: Final = 50
CLOSE_S: Final = 2.0
"""How long a client has to answer a close before its connection is cut."""
REASON_BYTES: Final = 120
"""A close frame carries 123 bytes of reason."""
BAD_FRAME, UNKNOWN_CLIENT, AUTH_TIMEOUT, FELL_BEHIND, TOO_MANY, TOO_FAST = 4400, 4401, 4408, 4409, 4413, 4429
"""Close codes of ours: a frame that is no command; a token that is not good; no token in time; events that the client
has not read are kept no more; more subscriptions or frames than a connection may have."""
STREAM, MARKET_STREAM = "stream", "markets/stream"
"""How usage names them."""
NOT_TEXT: Final = 1003
log = logging.getLogger(__name__)


class Connections:
    """What the connections of a process share."""

    def __init__(
        self,
        hub: Hub,
        events: Events,
        verify: Callable[[str], Who],
        clock: Callable[[], float],
        streaming: Callable[[str, str], AbstractContextManager[None]],
        *,
        auth_s: float = AUTH_S,
    ) -> None:
        """Take what all need.

        `verify` raises `Problem` for a token that is not good. `clock` gives s since 1970. `streaming` counts the time
        for which a tenant has a stream of a name open.
        """
        self.hub, self.events, self.verify, self.clock = hub, events, verify, clock
        self.streaming, self.auth_s = streaming, auth_s
        self.open: set[Connection] = set()

    def check(self) -> None:
        """Close the connections whose tokens have ended; to be called each second."""
        for connection in tuple(self.open):
            connection.check()


class Connection(WSListener):
    """One client, from its upgrade to its end."""

    def __init__(self, shared: Connections, *, market_only: bool = False) -> None:
        super().__init__()
        self._shared, self._market_only = shared, market_only
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._token: str | None = None
        self._usage = ExitStack()
        self._tenant_id: str | None = None
        self._followings = Followings(shared.events, self._send, lambda: not self._paused, self._fell_behind)
        self._wanted: set[Key] = set()
        self._dirty: dict[Key, None] = {}
        """Cells that have changed since they were sent, in the order in which they did."""
        self._paused = False
        self._flushing: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._second, self._frames = 0, 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Wait for the client to say who it is."""
        self._transport = transport
        self._shared.open.add(self)
        seconds = self._shared.auth_s
        why = f'send {{"op":"auth","token":...}} within {seconds:g} s'
        self._waiting = self._loop.call_later(seconds, self._close, AUTH_TIMEOUT, why)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        """Forget the client."""
        self._end()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Do what a frame asks for."""
        if self._transport is None:
            return
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if frame.msg_type == WSMsgType.PONG:
            return
        if not self._may_go_on():
            self._close(TOO_FAST, f"more than {FRAMES} frames in a second")
            return
        if frame.msg_type != WSMsgType.TEXT or not frame.fin:
            self._close(NOT_TEXT, "send commands as whole text frames")
            return
        try:
            self._take(frame.get_payload_as_utf8_text())
        except UnicodeDecodeError:
            self._close(BAD_FRAME, "the frame is not UTF-8")
        except BadFrame as error:
            self._close(BAD_FRAME, str(error))
        except Problem as problem:
            self._close(UNKNOWN_CLIENT, f"{problem.code}: {problem.remedy}")

    def pause_writing(self) -> None:
        """Write nothing more: the client does not read. Cells that change are replaced meanwhile."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on with the last of each cell, and with the events that wait."""
        self._paused = False
        self._flush()
        self._followings.pump()

    def changed(self, key: Key) -> None:
        """Note that a cell has another frame, to be written soon."""
        self._dirty[key] = None
        if self._flushing is None and not self._paused:
            self._flushing = self._loop.call_later(FLUSH_S, self._flush)

    def check(self) -> None:
        """Close the connection if its token has ended, by its time or by its session."""
        if self._token is None or self._transport is None:
            return
        try:
            self._shared.verify(self._token)
        except Problem as problem:
            self._close(UNKNOWN_CLIENT, f"{problem.code}: {problem.remedy}")
        else:
            self._followings.mark(self._loop.time())

    def _take(self, text: str) -> None:
        command = parse(text)
        if isinstance(command, Auth):
            who = self._shared.verify(command.token)
            if who.role == ENROLLING:
                raise second_factor_wanted()
            if self._token is not None and who.tenant_id != self._tenant_id:
                raise BadFrame("token: it is of another tenant than the one before: open another connection")
            self._token = command.token
            self._count(who.tenant_id)
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
            self._send(encoded({"op": "ready", "role": who.role, "tenant": who.tenant_id, "expires": who.expires_s}))
        elif self._token is None:
            raise BadFrame('the first frame is {"op":"auth","token":...}')
        elif isinstance(command, Subscription):
            self._subscribe(command)
        elif isinstance(command, Following):
            self._follow(command)
        else:
            self._send(b'{"op":"pong"}')

    def _follow(self, command: Following) -> None:
        if self._market_only:
            raise BadFrame(f"channel: markets/stream has ticks and bars; {command.channel} is on /api/v1/stream")
        if command.op == "unsubscribe":
            self._followings.leave(command.channel)
        elif len(self._wanted) + self._followings.count(command.channel) > SUBSCRIPTIONS:
            self._too_many()
        else:
            self._followings.begin(command, self._tenant_id)

    def _fell_behind(self) -> None:
        """Say where the client stood in each channel, and end: it may go on from there, here or elsewhere."""
        self._send(encoded({"op": "bye", "at": self._followings.places()}))
        self._close(FELL_BEHIND, "events that were not read are kept no more: resume by the tokens of `bye`")

    def _too_many(self) -> None:
        self._close(TOO_MANY, f"more than {SUBSCRIPTIONS} subscriptions: leave symbols out for all of them")

    def _count(self, tenant_id: str | None) -> None:
        """Count the stream as usage of a tenant, from the first token of it on."""
        if tenant_id != self._tenant_id:
            self._usage.close()
            if tenant_id is not None:
                name = MARKET_STREAM if self._market_only else STREAM
                self._usage.enter_context(self._shared.streaming(tenant_id, name))
            self._tenant_id = tenant_id

    def _subscribe(self, command: Subscription) -> None:
        if self._market_only and command.channel == "flow":
            raise BadFrame("channel: markets/stream has ticks and bars; flow is on /api/v1/stream")
        keys = [(command.channel, symbol) for symbol in command.symbols]
        if command.op == "unsubscribe":
            for key in keys:
                self._wanted.discard(key)
                self._shared.hub.unsubscribe(self, key)
            self._dirty = {key: None for key in self._dirty if self._reads(key)}
            return
        if len(self._wanted.union(keys)) + self._followings.count() > SUBSCRIPTIONS:
            self._too_many()
            return
        for key in keys:
            self._wanted.add(key)
            for cell in self._shared.hub.subscribe(self, key):
                if (frame := self._shared.hub.frame(cell, "snapshot")) is not None:
                    self._send(frame)

    def _reads(self, key: Key) -> bool:
        return key in self._wanted or (key[0], ALL) in self._wanted

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        while self._dirty and not self._paused:
            key = next(iter(self._dirty))
            del self._dirty[key]
            if (frame := self._shared.hub.frame(key, "update")) is not None:
                self._send(frame)

    def _may_go_on(self) -> bool:
        second = int(self._loop.time())
        self._frames = self._frames + 1 if second == self._second else 1
        self._second = second
        return self._frames <= FRAMES

    def _send(self, frame: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, frame)

    def _close(self, code: int, reason: str) -> None:
        """Say why and end; a client that does not answer is cut off."""
        transport = self._transport
        self._end()
        if transport is not None:
            cut = reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
            transport.send_close(code, cut)  # type: ignore[arg-type] # of ours, which the enum lacks
            self._loop.call_later(CLOSE_S, transport.disconnect, False)  # noqa: FBT003 - whether what waits is sent

    def _end(self) -> None:
        self._transport = None
        self._usage.close()
        self._shared.open.discard(self)
        for key in self._wanted:
            self._shared.hub.unsubscribe(self, key)
        self._followings.close()
        self._wanted.clear()
        self._dirty.clear()
        for timer in (self._waiting, self._flushing):
            if timer is not None:
                timer.cancel()
        self._waiting = self._flushing = None
