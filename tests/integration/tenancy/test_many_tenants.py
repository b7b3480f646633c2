"""Thousands of tenants of the largest size: agents restore them in seconds, and are verified from snapshots.

By default, a few tenants and early snapshots. With `-m long`, 5,000 tenants, and snapshots when they are due.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from processes.pipeline import Pipeline
from runtime.cluster import Cluster, delete_records, soon
from runtime.tenants import LARGE, command, named, order, seeded

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.processors.tenancy.processor import TENANT_BYTES
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.streams.portfolio import sizing
from tradewind.streams.risk import risk
from tradewind.streams.runtime import Agent, Sizes
from tradewind.streams.runtime.agent import dead_letter_topic, journal_topic
from tradewind.streams.tenancy import tenancy
from tradewind.topics import DECISIONS, ORDER_REQUESTS, TENANT_COMMANDS

READY_S = 10.0
LOADED_S = VERIFIED_S = 300.0
JOURNALED_BYTES = 512 * 1024
EARLY_ENTRIES = 2
FEW = (20, 2_000)
MANY = (5_000, 400_000)
"""Tenants, and orders of one instrument, over all partitions of the requests."""


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own, with the schemas of the registry."""
    own = Cluster(settings, tmp_path, open_codec(settings))
    yield own
    own.close()


@pytest.mark.parametrize("most", [FEW, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
async def test_tenants_of_the_largest_size_are_restored_and_verified_from_snapshots(
    cluster: Cluster,
    tmp_path: Path,
    most: tuple[int, int],
    evidence: Callable[[int, Mapping[str, int]], None],
) -> None:
    """And the first inputs may be gone by then."""
    tenants, orders = most
    often = Sizes(snapshot_entries=EARLY_ENTRIES, snapshot_bytes_per_entry=TENANT_BYTES * tenants)
    agents = tenancy(cluster.settings), sizing(cluster.settings), risk(cluster.settings)
    cluster.create(*agents)
    created = [command(named(number), "CREATE", 0, LARGE) for number in range(tenants)]
    cluster.publish(TENANT_COMMANDS, [*created, seeded(tenants)])
    async with cluster.running(*agents, sizes=often if most == FEW else Sizes()):
        begun = time.monotonic()
        await soon(lambda: all(map(cluster.caught_up, agents)), "all tenants are known", LOADED_S)
        known_s = time.monotonic() - begun
        for first in range(0, orders, orders // 10):
            part = [asked(number, tenants) for number in range(first, first + orders // 10)]
            await asyncio.to_thread(cluster.publish, ORDER_REQUESTS, part)
            await soon(lambda: cluster.caught_up(agents[-1]), "the orders are decided", LOADED_S)

    ready_s = {agent.name: await restored(cluster, agent) for agent in agents}
    assert max(ready_s.values()) < READY_S
    sizes = {agent.name: [task.encoded.size for task in cluster.state(agent).values()] for agent in agents}
    assert min(min(of) for of in sizes.values()) > tenants * 0.75 * TENANT_BYTES
    assert all(max(sizes[agent.name]) <= agent.state_bytes for agent in agents)
    largest = max(largest_record(cluster, agent) for agent in agents)
    assert largest <= JOURNALED_BYTES
    assert not [letter for agent in agents for letter in cluster.read(dead_letter_topic(agent))]
    decided = {event.order_id: event.codes for event in cluster.read(DECISIONS) if isinstance(event, Decision)}
    assert decided == {asked(number, tenants).order_id: codes_of(number) for number in range(orders)}

    ends = {at: end for (topic, at), end in cluster.ends(agents[-1]).items() if topic == ORDER_REQUESTS.name}
    place = max(ends, key=lambda at: ends[at])
    delete_records(cluster.settings, ORDER_REQUESTS, place, ends[place] // 10)
    pipeline = Pipeline(cluster.settings, tmp_path)
    for agent in agents:
        verify = "replay", "--verify", agent.name, "--json"
        said = json.loads(await asyncio.to_thread(pipeline.run, *verify, timeout_s=VERIFIED_S))
        assert said["equal"], said
        if agent == agents[-1]:
            assert said["tasks"][place]["first"], "it begins with a snapshot"
            assert any("were removed by retention" in note for note in said["tasks"][place]["notes"])
    states = {f"{name}_state_bytes": max(of) for name, of in sizes.items()}
    counts = {"tenants": tenants, "orders": orders, **states}
    times = {"known_ms": round(known_s * 1000), **{f"{name}_ready_ms": round(s * 1000) for name, s in ready_s.items()}}
    evidence(1, {**counts, "largest_journal_record": largest, **times})


def asked(number: int, tenants: int) -> OrderRequest:
    """Return an order; most are too large, so that few stay open."""
    return order(number, named(number % tenants), 9 if codes_of(number) else 1)


def codes_of(number: int) -> tuple[Any, ...]:
    """Return why an order is denied; every 50th is not."""
    return () if number % 50 == 0 else ("MAX_ORDER_SIZE",)


async def restored(cluster: Cluster, agent: Agent) -> float:
    """Return how long a new worker takes until it has restored all tasks of an agent, seconds."""
    begun = time.monotonic()
    async with cluster.running(agent):
        return time.monotonic() - begun


def largest_record(cluster: Cluster, agent: Agent) -> int:
    """Return the bytes of the largest record of an agent's journal, key included."""
    topic = journal_topic(agent)
    batches = raw_records(cluster.settings, cluster.settings.physical(topic), range(topic.partitions), "earliest")
    return max(len(of.key() or b"") + len(of.value() or b"") for batch in batches for of in batch)
