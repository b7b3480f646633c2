"""The WebSocket of a gateway, followed for ever: connected again, and resumed where it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp

from tradewind.connectors.client.errors import ClientError, GatewayAway, Refused
from tradewind.connectors.client.session import AGAIN, PREFIX, RENEW_S, Session

CONFLATED: Final = frozenset({"ticks", "bars", "flow"})
"""Channels that keep the last of each symbol: they begin with it again."""
SILENT_S: Final = 45.0
"""Three pings of the gateway: after that the connection is dead."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
AGAIN_S: Final = 2.0
"""Until a channel is asked for again that the gateway cannot serve yet."""
FRAME_BYTES: Final = 64 * 1024 * 1024
PASSING: Final = frozenset({"KAFKA_AWAY", "STORE_AWAY"})
BAD_FRAME, UNKNOWN_CLIENT, TOO_MANY, TOO_FAST = 4400, 4401, 4413, 4429
"""Close codes after which the same again would end the same way, but for a token that has expired."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """What a channel tells."""

    channel: str
    kind: Literal["snapshot", "update", "gap"]
    """What stands; what has changed since; or that records were missed, which a snapshot follows or precedes."""
    symbol: str
    """`SYMBOL.VENUE`; empty where there is none."""
    data: Any
    """As the gateway sends it: decimals and 64-bit integers are text. None for a gap."""
    at: str | None
    """Where to go on, for `resume`; None of channels that keep the last of each symbol."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is followed."""

    channels: tuple[str, ...]
    symbols: tuple[str, ...]
    account: str | None


class Stream:
    """One stream of events. What nobody takes waits at the gateway, not here."""

    def __init__(self, session: Session, wanted: Wanted, resume: Mapping[str, str], patience_s: float) -> None:
        self._session, self._wanted, self._patience_s = session, wanted, patience_s
        self.at: dict[str, str] = dict(resume)
        """Where each channel is."""
        self._failing: dict[str, float] = {}
        """Channels that the gateway cannot serve, and since when."""
        self._heard_s = time.monotonic()

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Yield events for ever. Raises `Refused`, or `GatewayAway` once nothing has come for the patience."""
        pause_s, refused = FIRST_PAUSE_S, False
        self._heard_s = time.monotonic()
        while True:
            heard_s, trouble = self._heard_s, ""
            try:
                async for event in self._connection():
                    yield event
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                trouble = f"{type(error).__name__}: {error}"
            except Refused as no:
                if no.status not in AGAIN or no.code in PASSING:
                    raise
                trouble = str(no)
            except _Closed as closed:
                trouble = f"closed with {closed.code}: {closed.reason}"
                if closed.code in {BAD_FRAME, TOO_MANY, TOO_FAST} or (closed.code == UNKNOWN_CLIENT and refused):
                    raise Refused(closed.code, {"code": str(closed.code), "detail": closed.reason}) from closed
                refused = closed.code == UNKNOWN_CLIENT
            if self._heard_s > heard_s:
                pause_s = FIRST_PAUSE_S
            if time.monotonic() + pause_s > self._heard_s + self._patience_s:
                raise GatewayAway(f"no stream of {self._session.url} for {self._patience_s:.0f} s ({trouble})")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _connection(self) -> AsyncIterator[StreamEvent]:
        """Yield the events of one connection, until it ends."""
        token = await self._session.token()
        address = f"{self._session.url}{PREFIX}/stream"
        async with self._session.http.ws_connect(address, max_msg_size=FRAME_BYTES, heartbeat=None) as socket:
            tasks: set[asyncio.Task[None]] = set()
            try:
                await socket.send_json({"op": "auth", "token": token})
                while True:
                    frame = await _frame(socket)
                    if frame["op"] == "ready":
                        await self._ready(socket, frame, tasks)
                    elif (event := self._taken(socket, frame, tasks)) is not None:
                        yield event
            except _Closed as closed:
                if closed.code == UNKNOWN_CLIENT:
                    self._session.forget(token)
                raise
            finally:
                for task in tasks:
                    task.cancel()

    async def _ready(self, socket: _Socket, frame: Mapping[str, Any], tasks: set[asyncio.Task[None]]) -> None:
        """Ask for the channels, once; and for another token before this one ends."""
        self._heard_s = time.monotonic()
        if not tasks:
            for channel in self._wanted.channels:
                await socket.send_json(self._asked(channel))
        left_s = float(frame["expires"]) - time.time()
        _later(tasks, max(1.0, left_s - RENEW_S), lambda: self._renew(socket))

    async def _renew(self, socket: _Socket) -> None:
        await socket.send_json({"op": "auth", "token": await self._session.token()})

    def _asked(self, channel: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"op": "subscribe", "channel": channel}
        if self._wanted.symbols and channel != "flow":
            asked["symbols"] = list(self._wanted.symbols)
        if self._wanted.account is not None and channel not in CONFLATED:
            asked["account"] = self._wanted.account
        if channel in self.at:
            asked |= {"op": "resume", "at": self.at[channel]}
        return asked

    def _taken(self, socket: _Socket, frame: Mapping[str, Any], tasks: set[asyncio.Task[None]]) -> StreamEvent | None:
        """Take in a frame; returns the event that it is, if it is one."""
        self._heard_s = time.monotonic()
        channel, at = frame.get("channel", ""), frame.get("at")
        match frame["op"]:
            case "snapshot" | "update" as kind:
                self._failing.pop(channel, None)
                if at is not None:
                    self.at[channel] = at
                return StreamEvent(channel, kind, frame.get("symbol", ""), frame["data"], at)
            case "at":
                self._failing.pop(channel, None)
                self.at[channel] = frame["at"]
            case "bye":
                self.at |= frame["at"]
            case "gap":
                return StreamEvent(channel, "gap", "", None, None)
            case "error":
                return self._failed(socket, channel, frame, tasks)
        return None

    def _failed(
        self, socket: _Socket, channel: str, frame: Mapping[str, Any], tasks: set[asyncio.Task[None]]
    ) -> StreamEvent | None:
        """Ask for a channel again: in some seconds, or without a token that the gateway does not know."""
        if frame["code"] == "FOREIGN_CURSOR" and channel in self.at:
            del self.at[channel]
            _later(tasks, 0.0, lambda: socket.send_json(self._asked(channel)))
            return StreamEvent(channel, "gap", "", None, None)
        since = self._failing.setdefault(channel, time.monotonic())
        if frame["code"] not in PASSING or time.monotonic() > since + self._patience_s:
            raise Refused(503 if frame["code"] in PASSING else 500, frame)
        _later(tasks, AGAIN_S, lambda: socket.send_json(self._asked(channel)))
        return None


_Socket = aiohttp.ClientWebSocketResponse


class _Closed(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


async def _frame(socket: _Socket) -> Mapping[str, Any]:
    """Return the next frame; raises `_Closed`, or `TimeoutError` where even pings do not come."""
    while True:
        message = await socket.receive(SILENT_S)
        if message.type is aiohttp.WSMsgType.TEXT:
            found: Mapping[str, Any] = json.loads(message.data)
            return found
        if message.type is aiohttp.WSMsgType.CLOSE:
            raise _Closed(int(message.data), str(message.extra or ""))
        raise aiohttp.ClientConnectionError(f"the connection ended: {message.type.name}")


def _later(tasks: set[asyncio.Task[None]], seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do something later, while the connection lives: if it fails, the connection ends, and another one follows."""

    async def run() -> None:
        await asyncio.sleep(seconds)
        with suppress(aiohttp.ClientError, ClientError, OSError, TimeoutError):
            await work()

    task = asyncio.get_running_loop().create_task(run())
    tasks.add(task)


def wanted_of(channels: Sequence[str], symbols: Sequence[str], account: str | None) -> Wanted:
    """Return what is asked for; raises `ValueError` where that is nothing."""
    if not channels:
        raise ValueError("name the channels to follow, such as 'orders', 'fills'")
    return Wanted(tuple(dict.fromkeys(channels)), tuple(symbols), account)
