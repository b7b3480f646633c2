"""Events of accounts on the WebSocket: what stands, then each record once, and on from a token in any process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from gateway.serving import Served
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.gateway.cursors import Cursors
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream import connection
from tradewind.connectors.gateway.stream.commands import BadFrame, Following, parse
from tradewind.connectors.gateway.stream.delivery import FellBehind
from tradewind.connectors.gateway.stream.events import Events
from tradewind.connectors.gateway.stream.feed import EventChannel, Feed, Filter, Line, Stood

WAIT_S = 20.0
SECRET = b"x" * 32
Socket = aiohttp.ClientWebSocketResponse


def line(partition: int, offset: int, tenant: str | None = "alpha", symbol: str = "EURUSD.SIM") -> Line:
    """Return a record whose content is its place."""
    return Line(partition, offset, tenant, "main", symbol, json.dumps([partition, offset]).encode())


def restart(gateway: Served, channel: EventChannel, *lines: Line, first: int = 0) -> None:
    """Begin a channel anew, with records."""
    feed = gateway.gateway.connections.events.feeds[channel]
    gateway.run(lambda: (feed.start({0: first, 1: first}, "topic-1"), feed.add(lines)))


def add(gateway: Served, channel: EventChannel, *lines: Line) -> None:
    """Add records to a channel."""
    gateway.run(lambda: gateway.gateway.connections.events.feeds[channel].add(lines))


@asynccontextmanager
async def opened(gateway: Served, path: str = "stream", role: str = "trader") -> AsyncIterator[Socket]:
    """Open a WebSocket as a user of alpha, or as an operator."""
    token = gateway.token(role, None if role == "operator" else "alpha")  # type: ignore[arg-type]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/api/v1/{path}", autoping=False) as socket,
    ):
        await socket.send_json({"op": "auth", "token": token})
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


async def test_what_stands_comes_first_and_then_each_record_once(gateway: Served) -> None:
    """The rows of PostgreSQL, then what is not in them."""
    restart(gateway, "orders", line(0, 0), line(0, 1), line(1, 0))
    gateway.standing["orders"] = Stood([{"order_id": "o"}], {0: 1})
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "orders"})
        first = await told(socket)
        assert (first["op"], first["channel"], first["n"], first["data"]) == (
            "snapshot",
            "orders",
            0,
            [{"order_id": "o"}],
        )
        add(gateway, "orders", line(0, 2))
        found = [await told(socket) for _ in range(3)]
    assert [(one["op"], one["symbol"], one["n"]) for one in found] == [
        ("update", "EURUSD.SIM", number) for number in (1, 2, 3)
    ]
    assert [one["data"] for one in found] == [[0, 1], [1, 0], [0, 2]]


async def test_what_postgresql_does_not_keep_begins_with_its_newest_records(gateway: Served) -> None:
    """A hundred at the most."""
    restart(gateway, "signals", *(line(0, offset) for offset in range(60)), *(line(1, offset) for offset in range(60)))
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "signals"})
        first = await told(socket)
        assert first["data"] == [[0, offset] for offset in range(20, 60)] + [[1, offset] for offset in range(60)]
        add(gateway, "signals", line(0, 60))
        assert (await told(socket))["data"] == [0, 60]


async def test_a_tenant_gets_its_own_alone(gateway: Served) -> None:
    """An operator gets all, alerts of the platform among them."""
    of_all = (line(0, 0, "beta"), line(0, 1), line(0, 2, None))
    restart(gateway, "alerts", *of_all)
    async with opened(gateway) as own, opened(gateway, role="operator") as every:
        for socket, expected in ((own, [[0, 1]]), (every, [[0, 0], [0, 1], [0, 2]])):
            await socket.send_json({"op": "subscribe", "channel": "alerts"})
            assert (await told(socket))["data"] == expected
        add(gateway, "alerts", line(0, 3, "beta"), line(0, 4))
        assert (await told(own))["data"] == [0, 4]
        assert (await told(every))["data"] == [0, 3]


async def test_symbols_and_an_account_narrow_a_channel(gateway: Served) -> None:
    """Another subscription of the channel replaces the first."""
    restart(gateway, "decisions", line(0, 0), line(0, 1, symbol="GBPUSD.SIM"))
    async with opened(gateway) as socket:
        wanted = {"op": "subscribe", "channel": "decisions", "symbols": ["GBPUSD.SIM"], "account": "main"}
        await socket.send_json(wanted)
        assert (await told(socket))["data"] == [[0, 1]]
        await socket.send_json({**wanted, "account": "other"})
        assert (await told(socket))["data"] == []
        add(gateway, "decisions", line(0, 2, symbol="GBPUSD.SIM"))
        await socket.send_json({"op": "unsubscribe", "channel": "decisions"})
        await socket.send_json({"op": "ping"})
        assert await told(socket) == {"op": "pong"}


async def test_a_client_goes_on_where_it_was(gateway: Served) -> None:
    """By the token of the last frame, also after the process has read the topic anew."""
    restart(gateway, "fills", line(0, 0))
    gateway.standing["fills"] = Stood([], {})
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "fills"})
        assert (await told(socket))["op"] == "snapshot"
        at = (await told(socket))["at"]
    restart(gateway, "fills", line(0, 0), line(0, 1), line(1, 0))
    async with opened(gateway) as socket:
        await socket.send_json({"op": "resume", "channel": "fills", "at": at})
        assert (await told(socket)) == {"op": "at", "channel": "fills", "at": at}
        assert [(await told(socket))["data"] for _ in range(2)] == [[0, 1], [1, 0]]


async def test_a_place_that_is_kept_no_more_is_a_gap_and_a_snapshot(gateway: Served) -> None:
    """And the client is told so."""
    restart(gateway, "fills", line(0, 0))
    gateway.standing["fills"] = Stood([], {})
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "fills"})
        at = [(await told(socket)) for _ in range(2)][1]["at"]
    restart(gateway, "fills", line(0, 300), first=300)
    gateway.standing["fills"] = Stood([{"id": "f"}], {0: 301, 1: 300})
    async with opened(gateway) as socket:
        await socket.send_json({"op": "resume", "channel": "fills", "at": at})
        assert [(await told(socket))["op"] for _ in range(2)] == ["gap", "snapshot"]


async def test_a_sink_that_is_far_behind_is_a_gap_too(gateway: Served) -> None:
    """After the snapshot: what lies between the two is missing."""
    restart(gateway, "fills", line(0, 300), first=300)
    gateway.standing["fills"] = Stood([], {0: 3})
    async with opened(gateway) as socket:
        await socket.send_json({"op": "subscribe", "channel": "fills"})
        assert [(await told(socket))["op"] for _ in range(3)] == ["snapshot", "gap", "update"]


async def test_a_token_of_another_tenant_or_topic_is_refused(gateway: Served) -> None:
    """The connection goes on."""
    restart(gateway, "signals", line(0, 0))
    async with opened(gateway) as socket, opened(gateway, role="operator") as other:
        await other.send_json({"op": "subscribe", "channel": "signals"})
        at = (await told(other))["at"]
        for token in (at, "x"):
            await socket.send_json({"op": "resume", "channel": "signals", "at": token})
            found = await told(socket)
            assert (found["op"], found["channel"], found["code"]) == ("error", "signals", "FOREIGN_CURSOR")
        gateway.run(lambda: gateway.gateway.connections.events.feeds["signals"].start({0: 0}, "topic-2"))
    async with opened(gateway, role="operator") as other:
        await other.send_json({"op": "resume", "channel": "signals", "at": at})
        assert (await told(other))["code"] == "FOREIGN_CURSOR"


async def test_a_client_that_does_not_read_is_ended_once_its_records_are_gone(gateway: Served) -> None:
    """It costs nothing until then, and `bye` has the token to go on by."""
    restart(gateway, "positions")
    gateway.standing["positions"] = Stood([], {})
    async with opened(gateway) as slow:
        await slow.send_json({"op": "subscribe", "channel": "positions"})
        assert (await told(slow))["op"] == "snapshot"
        big = json.dumps("x" * 60_000).encode()
        lines = [Line(0, offset, "alpha", "main", "EURUSD.SIM", big) for offset in range(400)]
        for number in range(0, 400, 20):
            add(gateway, "positions", *lines[number : number + 20])
            await asyncio.sleep(0)
        offsets = []
        while (frame := await told(slow))["op"] == "update":
            offsets.append(frame["n"])
        assert frame["op"] == "bye"
        assert set(frame["at"]) == {"positions"}
        assert offsets == list(range(1, len(offsets) + 1))
        assert await closed(slow) == connection.FELL_BEHIND


async def test_markets_have_no_events_of_accounts(gateway: Served) -> None:
    """They are on the other stream."""
    async with opened(gateway, "markets/stream") as socket:
        await socket.send_json({"op": "subscribe", "channel": "orders"})
        assert await closed(socket) == connection.BAD_FRAME


async def test_nothing_is_followed_before_kafka_has_told_where_it_stands() -> None:
    """The client is told to ask again."""
    events = Events({"orders": Feed(bytes)}, never, Cursors(SECRET))
    with pytest.raises(Problem, match="have not been read yet") as caught:
        events.delivery("orders", Filter("alpha"))
    assert (caught.value.status, caught.value.code) == (503, "KAFKA_AWAY")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ({"op": "resume", "channel": "orders"}, "at: expected the `at` of the last frame of orders"),
        ({"op": "resume", "channel": "orders", "at": "x" * 2_001}, "of 1 to 2,000 characters"),
        ({"op": "resume", "channel": "ticks", "at": "x"}, "subscribe to it"),
        ({"op": "subscribe", "channel": "orders", "at": "x"}, "at: subscribe has no such field"),
        ({"op": "subscribe", "channel": "ticks", "account": "main"}, "account: ticks are of no account"),
        ({"op": "subscribe", "channel": "orders", "account": 1}, "account: expected its name"),
        ({"op": "subscribe", "channel": "order"}, "is it orders"),
        ({"op": "subscribe", "channel": "orders", "symbols": []}, "a list of 1 to 50 symbols"),
    ],
)
def test_a_command_that_is_wrong_says_where(frame: dict[str, Any], why: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadFrame, match=why):
        parse(json.dumps(frame))
    assert parse('{"op":"unsubscribe","channel":"orders"}') == Following("unsubscribe", "orders", ())


async def never(channel: EventChannel, wanted: Filter) -> Stood | None:
    """Have nothing that stands."""
    return None


class Followed:
    """A topic, a sink that lags behind, and a client that follows the topic through any process."""

    def __init__(self) -> None:
        self.topic: list[Line] = []
        self.ends = {0: 0, 1: 0}
        self.written = {0: 0, 1: 0}
        self.events = self._process()
        self.subscribe()

    def _process(self) -> Events:
        """Return a process that begins anew, some records before the ends."""
        feed = Feed(bytes, kept=6)
        begins = {partition: max(0, end - 4) for partition, end in self.ends.items()}
        feed.start(begins, "topic-1")
        feed.add([one for one in self.topic if one.offset >= begins[one.partition]])

        async def standing(channel: EventChannel, wanted: Filter) -> Stood:
            rows = [{"at": place(one)} for one in self.topic if one.offset < self.written[one.partition]]
            return Stood(rows, dict(self.written))

        return Events({"orders": feed}, standing, Cursors(SECRET))

    def subscribe(self) -> None:
        """Begin with what stands. A gap is what lies between it and the oldest record that is kept."""
        self.delivery = self.events.delivery("orders", Filter(None))
        first, *gaps = [json.loads(frame) for frame in asyncio.run(self.events.begin(self.delivery))]
        self.seen = [row["at"] for row in first["data"]]
        kept = self.events.feeds["orders"]._first
        missed = [one for one in self.topic if self.written[one.partition] <= one.offset < kept[one.partition]]
        assert [frame["op"] for frame in gaps] == (["gap"] if missed else [])
        self.seen += map(place, missed)

    def write(self, amount: int) -> None:
        """Write records."""
        for number in range(amount):
            partition = number % 2
            self.topic.append(line(partition, self.ends[partition]))
            self.ends[partition] += 1
            self.events.feeds["orders"].add(self.topic[-1:])

    def stand(self, lag: int) -> None:
        """Let the sink write all but some records."""
        self.written = {of: max(self.written[of], end - lag) for of, end in self.ends.items()}

    def read(self, most: int) -> None:
        """Let the client take frames; it begins anew if it fell behind."""
        try:
            self.seen += [
                json.loads(frame)["data"] for _, frame in zip(range(most), self.delivery.frames(), strict=False)
            ]
        except FellBehind:
            self.subscribe()

    def drop(self, other: int) -> None:
        """Cut the connection; the client resumes, on another process for odd numbers."""
        token = self.delivery.at
        if other % 2:
            self.events = self._process()
        offsets = self.events.offsets("orders", Filter(None), token)
        if offsets is None:
            self.subscribe()
        else:
            self.delivery = self.events.delivery("orders", Filter(None))
            self.delivery.place(offsets)


def place(of: Line) -> list[int]:
    """Return where a record lies."""
    return [of.partition, of.offset]


@given(st.lists(st.tuples(st.sampled_from(["write", "read", "drop", "stand"]), st.integers(0, 7))))
def test_snapshot_updates_drops_and_resumes_are_the_topic_each_record_once(steps: list[tuple[str, int]]) -> None:
    """On any process. A gap begins with a snapshot."""
    followed = Followed()
    for action, amount in steps:
        getattr(followed, action)(amount)
    followed.read(0)
    while followed.delivery.more:
        followed.read(100)
    assert sorted(followed.seen) == sorted(map(place, followed.topic))
    for partition in (0, 1):
        own = [offset for of, offset in followed.seen if of == partition]
        assert own == sorted(own)
