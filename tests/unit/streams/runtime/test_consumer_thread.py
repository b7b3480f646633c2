"""After a small take it is the next fetch that rests; after a large one it follows at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tradewind.streams.runtime.consumer_thread import MANY_RECORDS, PACE_S, ConsumerThread


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
    await asyncio.wait_for(fetcher._wait_consume_future, 10.0)
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
