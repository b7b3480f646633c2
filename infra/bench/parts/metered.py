"""Usage for a bench, the totals that it must lead to, and a consumer that upserts each record in PostgreSQL.

    python -m tradewind.infra.bench.parts.metered GROUP

runs the consumer under a group, so that it begins from nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

from confluent_kafka import Consumer, Message

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.client import options
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import STOP_S, TIMEOUT_S
from tradewind.infra.bench.parts.measured import GroupProgress, pace
from tradewind.infra.bench.parts.services import start
from tradewind.infra.bench.parts.tenants import agent_of, create, named, running
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage, UsageTotal
from tradewind.schemas.codec import Codec
from tradewind.streams.runtime import group_of
from tradewind.topics import USAGE, USAGE_TOTALS

MODULE = "tradewind.infra.bench.parts.metered"
METERED = ("api.calls", "stream.ms", "market.ticks")
DIMENSIONS = 5
REPEATED = 100  # one record in so many comes again at once
BATCH = 500  # records of one transaction of PostgreSQL
Key = tuple[str, str, str]
"""Tenant, meter and dimension."""
TABLES = """
CREATE TABLE IF NOT EXISTS bench_usage (event_id text PRIMARY KEY, tenant_id text, meter text, dimension text,
    quantity bigint, ts_event bigint);
CREATE TABLE IF NOT EXISTS bench_totals (tenant_id text, meter text, dimension text, quantity bigint,
    PRIMARY KEY (tenant_id, meter, dimension));
TRUNCATE bench_usage, bench_totals
"""
UPSERT = """
WITH new AS (
    INSERT INTO bench_usage VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING
    RETURNING tenant_id, meter, dimension, quantity)
INSERT INTO bench_totals SELECT * FROM new
ON CONFLICT (tenant_id, meter, dimension) DO UPDATE SET quantity = bench_totals.quantity + excluded.quantity
"""


def usages(count: int, tenants: int) -> Iterator[Usage]:
    """Yield about so many records of a door, of all tenants in turn; some come again."""
    now = clock_us()
    for number in range(count * REPEATED // (REPEATED + 1)):
        tenant_id, sequence = named(number % tenants), number // tenants
        event_id = derive_id("bench-usage", number)
        usage = Usage(
            event_id=event_id,
            tenant_id=tenant_id,
            ts_event=now,
            ts_ingest=now,
            correlation_id=event_id,
            causation_id=event_id,
            meter=METERED[sequence % len(METERED)],
            dimension=f"d{sequence % DIMENSIONS}",
            quantity=1 + number % 7,
            source="bench/1",
            sequence=sequence,
            billable=True,
        )
        yield usage
        if number % REPEATED == 0:
            yield usage


def naive(settings: Settings, codec: Codec) -> tuple[Counter[Key], int]:
    """Return the sum of the distinct records on the topic, and how many records it has: the second program."""
    found: dict[str, Usage] = {}
    records = 0
    for record in consume(USAGE, settings=settings, codec=codec):
        assert isinstance(record.event, Usage)
        found[record.event.event_id] = record.event
        records += 1
    sums = Counter[Key]()
    for usage in found.values():
        sums[usage.tenant_id, usage.meter, usage.dimension] += usage.quantity
    return sums, records


def rated(settings: Settings, codec: Codec) -> Counter[Key]:
    """Return the largest of each total that rating has sent."""
    sums = Counter[Key]()
    for record in consume(USAGE_TOTALS, settings=settings, codec=codec):
        total = record.event
        assert isinstance(total, UsageTotal)
        key = (total.tenant_id, total.meter, total.dimension)
        sums[key] = max(sums[key], total.quantity)
    return sums


def rated_per_s(settings: Settings, name: str, count: int) -> float:
    """Return how many of `count` records that wait a rating agent counts each second, from the first tenth on."""
    agent = agent_of("rating", name, settings)
    create(settings, agent)
    with running(settings, {name: "rating"}) as alive, ExitStack() as stack:
        usage = settings.physical(USAGE)
        progress = stack.enter_context(GroupProgress(settings, group_of(agent, settings), usage, USAGE.partitions))
        return pace(progress.records, count // 10, count, alive, TIMEOUT_S).per_s


def upserted_per_s(settings: Settings, group: str, count: int) -> float:
    """Return how many of the first `count` records a consumer upserts each second, from the first tenth on."""
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data), "TRADEWIND_NAMESPACE": settings.namespace}
    process = start(settings, group, [sys.executable, "-P", "-m", MODULE, group], environment)
    try:
        with GroupProgress(settings, group, settings.physical(USAGE), USAGE.partitions) as progress:
            return pace(progress.records, count // 10, count, lambda: process.poll() is None, TIMEOUT_S).per_s
    finally:
        process.terminate()
        process.wait(STOP_S)


async def upsert(settings: Settings, codec: Codec, group: str) -> None:
    """Upsert each record by its id, and add the new ones to their total; commit offsets behind each transaction."""
    consumer = Consumer(
        {**options(settings), "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    connection = await connect(settings)
    await connection.execute(TABLES)
    statement = await connection.prepare(UPSERT)
    consumer.subscribe([settings.physical(USAGE)])
    while True:
        messages: list[Message] = consumer.consume(BATCH, 1.0)
        if not messages:
            continue
        async with connection.transaction():
            for message in messages:
                usage = codec.decode(message.value() or b"")
                assert isinstance(usage, Usage)
                await statement.fetch(
                    usage.event_id, usage.tenant_id, usage.meter, usage.dimension, usage.quantity, usage.ts_event
                )
        consumer.commit(asynchronous=False)


def main() -> None:
    """Run the consumer until told to stop."""
    logging.basicConfig(level=logging.INFO)
    settings = Settings()
    asyncio.run(upsert(settings, open_codec(settings, PATIENT_ATTEMPTS), sys.argv[1]))


if __name__ == "__main__":
    main()
