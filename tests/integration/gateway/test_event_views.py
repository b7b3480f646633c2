"""A view of account events on Kafka: where it begins, what it hands on, and a topic that is created anew."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from confluent_kafka.admin import AdminClient
from processing import decision, heartbeat
from runtime.cluster import soon

from tradewind.connectors.gateway.stream.feed import Line
from tradewind.connectors.gateway.views.events import EventsView
from tradewind.connectors.kafka import publish
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.risk import Decision
from tradewind.topics import DECISIONS


async def test_a_view_follows_a_topic_from_some_records_back(settings: Settings) -> None:
    """It passes heartbeats over. Created anew, the topic is read from its beginning, and told to be another."""
    begun: list[tuple[Mapping[int, int], str]] = []
    lines: list[Line] = []
    codec = await asyncio.to_thread(open_codec, settings)

    def began(offsets: Mapping[int, int], topic_id: str) -> None:
        begun.append((dict(offsets), topic_id))

    def add(more: Sequence[Line]) -> None:
        lines.extend(more)

    def write(first: int, end: int) -> None:
        ensure(settings, [DECISIONS])
        publish(DECISIONS, [heartbeat(1), *map(decision, range(first, end))], settings)

    def orders() -> list[str]:
        found = [codec.decode(line.value) for line in lines]
        assert all(isinstance(event, Decision) for event in found)
        return [event.order_id for event in found if isinstance(event, Decision)]

    def named(first: int, end: int) -> list[str]:
        return [f"order-{number}" for number in range(first, end)]

    await asyncio.to_thread(write, 0, 3)
    view = EventsView(settings, codec, DECISIONS, began, add)
    view.start()
    try:
        await soon(lambda: orders() == named(0, 3), "the records of before")
        assert {(line.tenant_id, line.account_id, line.symbol) for line in lines} == {("alpha", "main", "EURUSD.OANDA")}
        await asyncio.to_thread(write, 3, 5)
        await soon(lambda: orders() == named(0, 5), "the records of now")
        admin = AdminClient(settings.librdkafka())
        for future in admin.delete_topics([settings.physical(DECISIONS)]).values():
            await asyncio.to_thread(future.result)
        lines.clear()
        await asyncio.to_thread(write, 5, 6)
        await soon(lambda: orders() == named(5, 6), "the records of the topic that was created anew")
        assert len({topic_id for _, topic_id in begun}) == 2
        assert set(begun[-1][0]) == set(range(DECISIONS.partitions))
    finally:
        await asyncio.to_thread(view.close)
