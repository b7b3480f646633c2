"""What Kafka's consumer is made with, where its chunks begin, and when it fetches again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from runtime.agents import AGENTS
from runtime.records import LEASE, NOWHERE, raws

from tradewind.streams.runtime.errors import RuntimeStopped
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.consumer_thread import MANY_RECORDS, PACE_S, ConsumerThread
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.read.transport import AgentApp
from tradewind.streams.runtime.timings import Timings

AT = ("t.market.ticks", 0)


class _Fetcher:
    """aiokafka's, which sends its next fetch when it is told that what it has fetched was taken."""

    def __init__(self) -> None:
        self._wait_consume_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _notify(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)


async def _rested_s(taken: int) -> float:
    loop, fetcher = asyncio.get_running_loop(), _Fetcher()
    begun = loop.time()
    ConsumerThread._fetch_on(SimpleNamespace(thread_loop=loop), fetcher, taken)  # type: ignore[arg-type]
    await asyncio.wait_for(fetcher._wait_consume_future, 30.0)
    return loop.time() - begun


@pytest.mark.parametrize("taken", [1, MANY_RECORDS - 1])
def test_the_fetch_after_a_small_take_rests(taken: int) -> None:
    """Each costs the broker the same, however little it brings."""
    clock_s = 0.001  # asyncio runs what is due within its clock's resolution
    assert asyncio.run(_rested_s(taken)) >= PACE_S - clock_s


def test_where_there_is_a_backlog_the_next_fetch_follows_at_once() -> None:
    """It comes before one that was asked for earlier, after a small take."""

    async def in_order() -> list[int]:
        loop, order = asyncio.get_running_loop(), list[int]()
        waits = []
        for taken in (1, MANY_RECORDS):
            fetcher = _Fetcher()
            fetcher._wait_consume_future.add_done_callback(lambda _, taken=taken: order.append(taken))
            ConsumerThread._fetch_on(SimpleNamespace(thread_loop=loop), fetcher, taken)  # type: ignore[arg-type]
            waits.append(fetcher._wait_consume_future)
        await asyncio.gather(*waits)
        await asyncio.sleep(0)
        return order

    assert asyncio.run(in_order()) == [MANY_RECORDS, 1]


def test_the_consumer_reads_what_is_committed_and_moves_nowhere_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any reset policy but none would pass over records that retention has removed, and say nothing."""
    made: list[dict[str, Any]] = []

    def consumer(**options: object) -> None:
        made.append(options)

    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", consumer)

    async def app() -> AgentApp:
        return AgentApp(AGENTS["relay"], NOWHERE, print, Timings(session_s=1.5, transaction_s=2.0))

    app_of_ours = asyncio.run(app())
    ConsumerThread._create_worker_consumer(SimpleNamespace(app=app_of_ours), None)  # type: ignore[arg-type]
    (options,) = made
    assert options["auto_offset_reset"] == app_of_ours.conf.consumer_auto_offset_reset == "none"
    assert options["enable_auto_commit"] is False
    assert options["isolation_level"] == "read_committed"
    assert options["group_id"] == "t.tradewind.relay"
    assert [assignor.name for assignor in options["partition_assignment_strategy"]] == ["range"]
    assert options["session_timeout_ms"] == 1500
    assert options["heartbeat_interval_ms"] * 3 <= 1500
    assert options["metadata_max_age_ms"] <= 5_000, "by default a group without partitions looks again after minutes"


def drained(start: int, *, stands_at: int, fetched: Records | None = None, then_at: int | None = None) -> list[Chunk]:
    """Return the chunks of a partition that was read up to `start`, where aiokafka's consumer stands elsewhere.

    What was fetched has it go on at `then_at`.
    """
    state = SimpleNamespace(position=stands_at)
    assignment = SimpleNamespace(state_value=lambda tp: state)
    subscriptions = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    fetcher = SimpleNamespace(_subscriptions=subscriptions, _records={} if fetched is None else {AT: fetched})

    def records(_fetcher: object, _tp: object, found: Records) -> Records:
        state.position = stands_at if then_at is None else then_at
        return found

    thread: Any = SimpleNamespace(lease=LEASE, _placed=LEASE, _reading=True, _positions={AT: start}, wanted={AT})
    thread._epoch, thread._records, thread._fetch_on = 1, records, lambda fetcher, taken: None
    return ConsumerThread._drain(thread, fetcher)


def test_a_chunk_goes_on_where_the_last_one_ended() -> None:
    """With records, past markers alone, or not at all."""
    (chunk,) = drained(5, stands_at=5, fetched=Records.of(raws([b"a", b"b"], first=6)), then_at=9)
    assert (chunk.start, chunk.records.offsets.tolist(), chunk.next) == (5, [6, 7], 9)
    (markers,) = drained(5, stands_at=5, fetched=Records.of(()), then_at=7)
    assert (markers.start, len(markers.records), markers.next) == (5, 0, 7)
    assert drained(5, stands_at=5) == []


@pytest.mark.parametrize(
    ("fetched", "stands_at", "then_at", "message"),
    [
        (None, 3, None, "was read up to offset 5 and goes on at 3: records would be processed again"),
        ([b"a"], 3, 4, "goes on at 3: records would be processed again"),
        ([b"a"], 5, 5, "goes on at 4: records would be processed again"),
        ([], 5, 3, "goes on at 3: records would be processed again"),
        (None, 9, None, "goes on at 9: 4 offsets would be passed over unseen"),
        ([], 9, 10, "goes on at 9: 4 offsets would be passed over unseen"),
    ],
)
def test_a_consumer_that_somebody_else_has_moved_stops_the_worker(
    fetched: list[bytes] | None, stands_at: int, then_at: int | None, message: str
) -> None:
    """Behind: a record would count twice. Ahead: what was passed over looks as markers of transactions do."""
    records = None if fetched is None else Records.of(raws(fetched, first=4))
    with pytest.raises(RuntimeStopped, match=f"group group: t.market.ticks, partition 0, .*{message}"):
        drained(5, stands_at=stands_at, fetched=records, then_at=then_at)
