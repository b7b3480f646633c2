"""How long a worker takes to restore a large state from its changelog, and what a key costs in memory.

The changelog is filled as agents fill it, by transactions, and compacted by nothing: each key was written once. What is
restored is kept as it was written until a processor asks for it.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from dataclasses import replace

import psutil
from confluent_kafka import Producer

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import services
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Tick
from tradewind.streams.market import market
from tradewind.streams.runtime import Agent, agent_topics, group_of
from tradewind.streams.runtime.commit.changelog import Changelog
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.work.state import TaskState

TRANSACTION_KEYS = 20_000
TIMEOUT_S = 60.0


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench restore", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000, help="over all partitions")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    with services() as settings:
        agent = replace(market(settings), name="bench-restore")
        codec = open_codec(settings)
        ensure(settings, agent_topics(agent))
        progress = Progress(["filling the changelog", *(["restoring"] * given.runs)])
        progress.begin("filling the changelog")
        _fill(settings, codec, agent, given.keys)
        runs = []
        for _ in range(given.runs):
            progress.begin("restoring")
            runs.append(_restore(settings, codec, agent, given.keys))
    results = [
        Result.of("restore_s", "s", [seconds for seconds, _ in runs]),
        Result.of("restored_keys_per_s", "keys/s", [given.keys / seconds for seconds, _ in runs]),
        Result.of("bytes_per_key", "bytes", [held / given.keys for _, held in runs]),
    ]
    note = f"{given.keys:,} keys of 14 bytes, values of some 45 bytes, {agent.partitions} partitions"
    report(results, [note], as_json=given.json)
    return 0


def _fill(settings: Settings, codec: Codec, agent: Agent, keys: int) -> None:
    producer = Producer(
        {**settings.librdkafka(), "transactional.id": "bench-restore", "compression.type": "lz4", "linger.ms": 20}
    )
    producer.init_transactions(TIMEOUT_S)
    topic = Changelog(agent, settings, codec).topic
    for first in range(0, keys, TRANSACTION_KEYS):
        producer.begin_transaction()
        for number in range(first, min(first + TRANSACTION_KEYS, keys)):
            value = Tick(symbol=f"S{number % 1000}", venue="T", seq=number, ts_event=number, bid=1.0, ask=1.0)
            producer.produce(topic, codec.encode(value), f"key/{number:010}".encode(), number % agent.partitions)
            producer.poll(0)
        producer.commit_transaction(TIMEOUT_S)


def _restore(settings: Settings, codec: Codec, agent: Agent, keys: int) -> tuple[float, float]:
    """Return the seconds that restoring took, and the bytes of memory that the state then holds."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    positions = GroupPositions(settings, group_of(agent, settings))
    try:
        begun = time.monotonic()
        restored = Changelog(agent, settings, codec).restore(range(agent.partitions), positions, lambda: False)
        states = [TaskState(task.raw, codec.decode) for task in restored.values()]
        seconds = time.monotonic() - begun
    finally:
        positions.close()
    held = process.memory_info().rss - before
    if sum(map(len, states)) != keys:
        raise RuntimeError(f"{sum(map(len, states)):,} of {keys:,} keys were restored")
    return seconds, held
