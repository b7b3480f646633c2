"""A record that stops an agent on a real broker is passed over by hand, and what was done is done again equal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from runtime.agents import AGENTS
from runtime.cluster import Cluster, soon, ticks
from runtime.records import CODEC
from runtime.replay import verified

from tradewind.connectors.dead_letters.skips import open_skips, write_skip
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.dead_letters.skip import check_ahead, record_at, skip_of
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime import AgentCrashed
from tradewind.streams.runtime.agent import dead_letter_topic, redrive_topic, skips_topic
from tradewind.topics import LATE_TICKS, TICKS

BROKEN = AGENTS["broken"]


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path)
    try:
        yield own
    finally:
        own.close()


async def test_a_worker_that_a_record_stops_goes_on_after_a_skip(cluster: Cluster) -> None:
    """It knows of it before its first batch; the record is one dead letter, and `replay` is equal over it."""
    cluster.create(BROKEN)
    cluster.publish(TICKS, ticks(1000, symbols=("EURUSD",)))
    with pytest.raises(AgentCrashed) as crashed:
        async with cluster.running(BROKEN) as worker:
            await asyncio.wait({worker}, timeout=30)
    agent, topic, partition, offset = str(crashed.value).rpartition("tradewind dlq skip ")[2].split(" ")
    at = int(partition)
    assert (agent, topic, offset) == ("broken", "market.ticks", "500")

    settings, told = cluster.settings, skips_topic(BROKEN)
    for wrong, said in ((1_000_000, "the partition ends at"), (0, "broken has passed market.ticks")):
        with pytest.raises(click.ClickException, match=said):
            check_ahead(settings, BROKEN, topic, at, wrong)
    check_ahead(settings, BROKEN, topic, at, 500)
    made = skip_of("broken", (topic, at), record_at(settings, topic, at, 500), "a test")
    write_skip(settings, told, told.key(made), CODEC.encode(made))
    assert list(open_skips(settings, told, CODEC).values()) == [made]

    async with cluster.running(BROKEN):
        await soon(lambda: cluster.caught_up(BROKEN), "the rest")
    passed = [event.seq for event in cluster.read(LATE_TICKS) if isinstance(event, Tick)]
    assert passed == [seq for seq in range(1000) if seq != 500]
    (letter,) = (one for one in cluster.read(dead_letter_topic(BROKEN)) if isinstance(one, DeadLetter))
    assert (letter.topic, letter.partition, letter.offset, letter.error) == (topic, at, 500, "POISON")
    assert letter.reason.startswith("skipped by hand, by ")
    assert open_skips(settings, told, CODEC) == {}
    results = verified(settings, "broken")
    assert [result["difference"] for result in results] == [None] * len(results)
    assert sum(result["records"] for result in results) == 1000

    marker = record_marker(cluster, at)
    with pytest.raises(click.ClickException, match="it is the marker of a transaction"):
        record_at(settings, redrive_topic(BROKEN).name, at, marker)


def record_marker(cluster: Cluster, partition: int) -> int:
    """Write a letter to the redrive topic in a transaction; return the offset of its marker."""
    name = cluster.settings.physical(redrive_topic(BROKEN))
    with Transactions(cluster.settings, cluster.settings.physical("a test")) as transactions:
        transactions.write([Run(name, partition, b"k", [b"garbage"], 1)])
    return 1
