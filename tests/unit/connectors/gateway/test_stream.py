"""The WebSocket on uvicorn's port: picows takes over the connection, and holds each client to its limits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from gateway.serving import Served, served

from tradewind.connectors.gateway.stream import connection
from tradewind.connectors.gateway.stream.commands import BadFrame, parse
from tradewind.connectors.gateway.stream.hub import Hub

WAIT_S = 30.0
Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def opened(gateway: Served, path: str = "stream", *, token: str | None = None) -> AsyncIterator[Socket]:
    """Open a WebSocket, and say who asks."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/api/v1/{path}", autoping=False) as socket,
    ):
        await socket.send_json({"op": "auth", "token": token or gateway.token()})
        assert (await told(socket))["op"] == "ready"
        yield socket


async def told(socket: Socket) -> Any:
    """Return the next frame."""
    return json.loads((await socket.receive(WAIT_S)).data)


async def closed(socket: Socket) -> int:
    """Return the code by which the server closes, past all that it has sent before."""
    while (message := await socket.receive(WAIT_S)).type != aiohttp.WSMsgType.CLOSE:
        assert message.type == aiohttp.WSMsgType.TEXT, message
    return int(message.data)


async def test_a_reader_gets_a_snapshot_and_then_what_changes(gateway: Served) -> None:
    """Each with a running number, and the same frame for all."""
    gateway.put(("ticks", "EURUSD.SIM"), b'{"bid":1.1}')
    async with opened(gateway) as one, opened(gateway) as other:
        for socket in (one, other):
            await socket.send_json({"op": "subscribe", "channel": "ticks", "symbols": ["EURUSD.SIM"]})
            first = await told(socket)
            assert (first["op"], first["data"]) == ("snapshot", {"bid": 1.1})
        gateway.put(("ticks", "GBPUSD.SIM"), b"{}")
        gateway.put(("ticks", "EURUSD.SIM"), b'{"bid":1.2}')
        second = await told(one)
        assert (second["op"], second["symbol"], second["data"]) == ("update", "EURUSD.SIM", {"bid": 1.2})
        assert second["n"] == first["n"] + 1
        assert await told(other) == second


async def test_http_goes_on_beside_websockets_on_one_port(gateway: Served) -> None:
    """Before, while and after."""
    async with opened(gateway) as socket, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(f"{gateway.url}/assets/main.js") as answer:
                assert answer.status == 200
        await socket.send_json({"op": "ping"})
        assert await told(socket) == {"op": "pong"}


async def test_changes_in_a_burst_are_replaced_and_not_queued(gateway: Served) -> None:
    """A reader gets the last of them; the number says how many there were."""
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "bars"})
        await socket.send_json({"op": "ping"})
        while (first := await told(socket)) != {"op": "pong"}:
            assert first["op"] == "snapshot", "of what other tests have put there"
        done = asyncio.Event()
        here = asyncio.get_running_loop()

        def burst() -> None:
            for number in range(100):
                gateway.gateway.hub.put(("bars", "A.SIM:60"), b'{"close":%d}' % number)
            here.call_soon_threadsafe(done.set)

        gateway.loop.call_soon_threadsafe(burst)
        await done.wait()
        found = await told(socket)
        assert (found["n"], found["data"]) == (100, {"close": 99})
        await socket.send_json({"op": "ping"})
        assert await told(socket) == {"op": "pong"}


async def test_a_client_that_does_not_read_costs_one_entry_a_cell(gateway: Served) -> None:
    """Its connection stops writing; when it reads again, it gets the last of each cell."""
    big = b'{"x":"' + b"x" * 60_000 + b'"}'
    async with opened(gateway) as slow:
        await slow.send_json({"op": "subscribe", "channel": "ticks"})
        for _ in range(120):
            gateway.put(("ticks", "BIG.SIM"), big)
            await asyncio.sleep(connection.FLUSH_S * 1.2)
        gateway.put(("ticks", "BIG.SIM"), b'{"last":true}')
        numbers = []
        while True:
            frame = await told(slow)
            if frame["symbol"] == "BIG.SIM":
                numbers.append(frame["n"])
                if frame["data"] == {"last": True}:
                    break
        assert numbers == sorted(set(numbers))
        assert len(numbers) < 121, "no frame was replaced: the socket took all of them"


async def test_who_does_not_say_who_they_are_is_closed(gateway: Served, hurried: Served) -> None:
    """After some seconds, with a wrong token, or with another first frame."""
    async with aiohttp.ClientSession() as session:
        url = f"{gateway.url}/api/v1/stream"
        async with session.ws_connect(url) as socket:
            await socket.send_json({"op": "auth", "token": "x"})
            assert await closed(socket) == connection.UNKNOWN_CLIENT
        async with session.ws_connect(url) as socket:
            await socket.send_json({"op": "subscribe", "channel": "ticks"})
            assert await closed(socket) == connection.BAD_FRAME
        async with session.ws_connect(f"{hurried.url}/api/v1/stream") as socket:
            assert await closed(socket) == connection.AUTH_TIMEOUT


async def test_whoever_must_add_a_second_factor_sees_no_stream(gateway: Served) -> None:
    """The token is good, and opens nothing but the second factor."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/api/v1/stream", autoping=False) as socket,
    ):
        await socket.send_json({"op": "auth", "token": gateway.token("enrolling", "alpha")})
        assert await closed(socket) == connection.UNKNOWN_CLIENT


async def test_a_session_that_ends_ends_its_connections(gateway: Served) -> None:
    """Within a second."""
    async with opened(gateway, token=gateway.token(session="ending")) as socket:
        gateway.users.ended.append("ending")
        begun = time.monotonic()
        assert await closed(socket) == connection.UNKNOWN_CLIENT
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("x", connection.BAD_FRAME),
        ("[]", connection.BAD_FRAME),
        ('{"op":"subscribe","channel":"tick"}', connection.BAD_FRAME),
        ("[" * 60_000, connection.BAD_FRAME),
        (b"\xff", connection.NOT_TEXT),
        ("x" * 70_000, 1009),
    ],
    ids=["no JSON", "no object", "a misspelt channel", "deep", "binary", "over 64 KiB"],
)
async def test_a_frame_that_is_no_command_closes_with_a_code(gateway: Served, frame: str | bytes, code: int) -> None:
    """And a reason; others go on."""
    async with opened(gateway) as other:
        async with opened(gateway) as socket:
            if isinstance(frame, str):
                await socket.send_str(frame)
            else:
                await socket.send_bytes(frame)
            assert await closed(socket) == code
        await other.send_json({"op": "ping"})
        assert await told(other) == {"op": "pong"}


async def test_a_client_has_twenty_frames_a_second_and_fifty_subscriptions(gateway: Served) -> None:
    """More close its connection."""
    async with opened(gateway) as socket:
        for _ in range(2 * connection.FRAMES + 1):
            await socket.send_json({"op": "ping"})
        assert await closed(socket) == connection.TOO_FAST
    async with opened(gateway) as socket:
        for half in ("A", "B"):
            symbols = [f"{half}{number}" for number in range(26)]
            await socket.send_json({"op": "subscribe", "channel": "ticks", "symbols": symbols})
        assert await closed(socket) == connection.TOO_MANY


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Origin": "http://evil.example"}, "stream", 403),
        ({"Host": "evil.example"}, "stream", 421),
        ({}, "strem", 404),
    ],
)
async def test_an_upgrade_from_elsewhere_is_refused(
    gateway: Served, headers: dict[str, str], path: str, status: int
) -> None:
    """By its origin, its host or its path, before anything is upgraded."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{gateway.url}/api/v1/{path}", headers=headers)
        assert refused.value.status == status


async def test_the_market_s_own_stream_has_no_other_channel(gateway: Served) -> None:
    """Its clients may be anybody's."""
    async with opened(gateway, "markets/stream") as socket:
        await socket.send_json({"op": "subscribe", "channel": "flow"})
        assert await closed(socket) == connection.BAD_FRAME


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"op":"subscribe","channel":"tick"}', "is it ticks?"),
        ('{"op":"subscribe","channel":"ticks","symbol":["A"]}', "symbol: subscribe has no such field"),
        ('{"op":"subscribe","channel":"ticks","symbols":[]}', "1 to 50"),
        ('{"op":"subscribe","channel":"ticks","symbols":["a b"]}', "'a b' is no symbol"),
        ('{"op":"subscribe","channel":"flow","symbols":["A"]}', "leave them out"),
        ('{"op":"auth"}', "token"),
        ('{"op":"bye"}', "expected one of"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(text: str, said: str) -> None:
    """In the reason of the close."""
    with pytest.raises(BadFrame, match=said.replace("?", r"\?")):
        parse(text)


def test_a_hub_forgets_readers_that_have_gone() -> None:
    """Else each connection would stay in memory."""

    class Reader:
        def changed(self, key: object) -> None:
            raise AssertionError("it has gone")

    hub, reader = Hub(), Reader()
    hub.subscribe(reader, ("ticks", "A"))
    hub.unsubscribe(reader, ("ticks", "A"))
    hub.put(("ticks", "A"), b"{}")
    assert not hub._readers


async def test_a_tenant_s_calls_and_stream_time_are_counted_and_an_operator_s_are_not() -> None:
    """By route; refused calls and routes that are not built cost nothing."""
    with served() as gateway:
        gateway.put(("ticks", "EURUSD.SIM"), b"{}")
        token = gateway.token("trader", "alpha")
        async with aiohttp.ClientSession(gateway.url, headers={"Authorization": f"Bearer {token}"}) as session:
            for path in ("streams/flow", "streams/flow", "markets/EURUSD/tick", "letters", "system/status"):
                await session.get(f"/api/v1/{path}")
        async with opened(gateway, token=token), opened(gateway, "markets/stream", token=gateway.token()):
            await asyncio.sleep(0.02)
    used = {(one.tenant_id, one.meter, one.dimension): one.quantity for one in gateway.counted}
    assert used.pop(("alpha", "stream.ms", "stream")) >= 20
    assert used == {("alpha", "api.calls", "streams/flow"): 2, ("alpha", "api.calls", "markets/{symbol}/tick"): 1}
