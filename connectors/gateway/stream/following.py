"""The channels of account events that one client follows: begun, pumped while the client reads, and ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream.commands import Following
from tradewind.connectors.gateway.stream.delivery import Delivery, FellBehind
from tradewind.connectors.gateway.stream.events import Events, gap
from tradewind.connectors.gateway.stream.feed import EventChannel, Filter
from tradewind.connectors.gateway.wire import encoded

MARK_S: Final = 10.0
"""How often a client is told where it stands while nothing comes for it, so that its token does not grow old."""
log = logging.getLogger(__name__)


class Followings:
    """Those of one connection. For the event loop's thread alone."""

    def __init__(
        self,
        events: Events,
        send: Callable[[bytes], None],
        writable: Callable[[], bool],
        fell_behind: Callable[[], None],
    ) -> None:
        """`send` writes a frame, `writable` tells whether the client reads, `fell_behind` ends the connection."""
        self._events, self._send, self._writable, self._fell_behind = events, send, writable, fell_behind
        self._deliveries: dict[EventChannel, Delivery] = {}
        self._beginning: dict[EventChannel, asyncio.Task[None]] = {}
        self._pumping: asyncio.Handle | None = None
        self._marked_s = 0.0

    def begin(self, command: Following, tenant_id: str | None) -> None:
        """Follow a channel by what a client asks for, from then on instead of what it followed there."""
        self.leave(command.channel)
        task = asyncio.get_running_loop().create_task(self._begin(command, tenant_id))
        self._beginning[command.channel] = task

    def leave(self, channel: EventChannel) -> None:
        """Follow a channel no more."""
        if (task := self._beginning.pop(channel, None)) is not None:
            task.cancel()
        if self._deliveries.pop(channel, None) is not None:
            self._events.feeds[channel].leave(self)

    def count(self, with_one: EventChannel | None = None) -> int:
        """Return how many channels are followed, or would be with another one."""
        return len({*self._deliveries, *self._beginning, *([with_one] if with_one else ())})

    def places(self) -> dict[EventChannel, str]:
        """Return the token of each channel that is followed."""
        return {channel: delivery.at for channel, delivery in self._deliveries.items()}

    def arrived(self) -> None:
        """Hand on the records that have come, once all of them have."""
        if self._pumping is None and self._writable():
            self._pumping = asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        """Hand on what waits while the client reads."""
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None
        try:
            for delivery in tuple(self._deliveries.values()):
                frames = delivery.frames()
                while self._writable() and (frame := next(frames, None)) is not None:
                    self._send(frame)
        except FellBehind:
            self._fell_behind()
            return
        if any(delivery.more for delivery in self._deliveries.values()):
            self.arrived()

    def mark(self, now_s: float) -> None:
        """Say where the client stands, every some seconds; end the connection if it lost its place."""
        if any(delivery.lost for delivery in self._deliveries.values()):
            self._fell_behind()
            return
        if now_s >= self._marked_s + MARK_S and self._writable():
            self._marked_s = now_s
            for delivery in self._deliveries.values():
                if (frame := delivery.mark()) is not None:
                    self._send(frame)

    def close(self) -> None:
        """Follow nothing more."""
        for channel in {*self._deliveries, *self._beginning}:
            self.leave(channel)
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None

    async def _begin(self, command: Following, tenant_id: str | None) -> None:
        wanted = Filter(tenant_id, frozenset(command.symbols), command.account)
        try:
            await self._placed(command, wanted)
        except Problem as problem:
            self._say(command.channel, problem)
        except Exception:  # a bug: the client must not wait for ever
            log.exception("%s cannot be followed", command.channel)
            self._say(command.channel, Problem(500, "INTERNAL", "the gateway failed", "see its log"))
        del self._beginning[command.channel]

    def _say(self, channel: EventChannel, problem: Problem) -> None:
        said = {"code": problem.code, "detail": problem.detail, "remedy": problem.remedy}
        self._send(encoded({"op": "error", "channel": channel, **said}))

    async def _placed(self, command: Following, wanted: Filter) -> None:
        delivery = self._events.delivery(command.channel, wanted)
        offsets = None if command.at is None else self._events.offsets(command.channel, wanted, command.at)
        if offsets is None:
            if command.at is not None:
                self._send(gap(command.channel, "records behind this token are kept no more: a snapshot follows"))
            for frame in await self._events.begin(delivery):
                self._send(frame)
        else:
            delivery.place(offsets)
            self._send(delivery.standing())
        self._deliveries[command.channel] = delivery
        self._events.feeds[command.channel].follow(self)
        self.pump()
