"""An open transaction is seen on both sides, and ended by the command that its row names. On a real Kafka."""

from __future__ import annotations

import asyncio
import time

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from tradewind.connectors.health.brokers import Brokers
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.events import transactions as command
from tradewind.processors.health.transactions import OpenTransaction
from tradewind.topics import TICKS

PATIENCE_S = 30.0


@pytest.fixture
def open_ones(settings: Settings) -> tuple[Producer, Producer]:
    """Give two producers that have each written a record to a partition of ticks and not committed it."""
    ensure(settings, (TICKS,))
    made = []
    for number in range(2):
        producer = Producer({**settings.librdkafka(), "transactional.id": settings.physical(f"writer-{number}")})
        producer.init_transactions(PATIENCE_S)
        producer.begin_transaction()
        producer.produce(settings.physical(TICKS), b"x", partition=number)
        producer.flush(PATIENCE_S)
        made.append(producer)
    return made[0], made[1]


async def seen(settings: Settings, brokers: Brokers) -> dict[str | None, OpenTransaction]:
    """Return the open transactions by their ids."""
    return {one.transactional_id: one for one in await command._seen(settings, brokers, await brokers.leaders())}


async def test_open_transactions_are_seen_and_ended(
    settings: Settings, open_ones: tuple[Producer, Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their id, which fences the producer, or on a partition, as for one that no coordinator knows."""
    monkeypatch.setattr("tradewind.connectors.settings.Settings", lambda: settings)
    topic = settings.physical(TICKS)
    ids = [settings.physical(f"writer-{number}") for number in range(2)]
    async with Brokers(settings) as brokers:
        leaders = await brokers.leaders()
        found = await seen(settings, brokers)
        assert found.keys() == set(ids)
        for number, name in enumerate(ids):
            one = found[name]
            assert (one.verdict, one.state, one.places) == ("OPEN", "Ongoing", ((topic, number),))
            assert [at.first_offset for at in one.writing] == [0]
            assert abs(one.since_s - time.time()) < PATIENCE_S
        writes = await brokers.last_writes(leaders, [(topic, number) for number in range(4)])
        assert writes.keys() == {(topic, 0), (topic, 1)}
        assert (await brokers.sizes(leaders))[topic, 0] > 0
        await brokers.abort(leaders, found[ids[1]].writing[0])
    offsets = Offsets(settings)
    try:
        assert offsets.listed([(topic, 0), (topic, 1)], "latest") == {(topic, 0): 0, (topic, 1): 2}
        told = await _run("end", "writer-7")
        assert "writer-7 has no open transaction; writer-0, writer-1 has" in told
        told = await _run("abort", "market.ticks", "0", "--producer", str(found[ids[0]].producer_id))
        assert "./dev transactions end writer-0 ends it everywhere" in told
        assert "is fenced" in await _run("end", "writer-0")
        assert offsets.listed([(topic, 0)], "latest") == {(topic, 0): 2}
    finally:
        offsets.close()


async def _run(*arguments: str) -> str:
    """Run the command in a thread, which has no event loop, and return what it says."""
    return (await asyncio.to_thread(CliRunner().invoke, command.transactions, list(arguments))).output
