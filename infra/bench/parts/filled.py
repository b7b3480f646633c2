"""A topic filled with ticks before the measurement: files repeated day after day, or a simulated market."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from confluent_kafka import Producer

from tradewind.connectors.feeds.feed import Block, Bounds, SourcePosition
from tradewind.connectors.feeds.publishing.encoding import block_runs
from tradewind.connectors.feeds.simulator.simulator import Simulator
from tradewind.connectors.feeds.sources import open_feed
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.producer import Run
from tradewind.connectors.kafka.transaction import producer_options
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.topics import DOMAIN_TOPICS

DAY_US = 86_400_000_000
BOUNDS = Bounds(records=20_000, span_us=10 * DAY_US)
SEED = 1
RATE = 1000  # ticks a second of event time, as `up` makes them
START_US = 1_715_155_200_000_000  # Wednesday, 8 May 2024: all instruments trade
ROOM_S = 0.05


def blocks(files: Sequence[Path], ticks: int) -> Iterator[Block]:
    """Yield blocks of `ticks` ticks in all: the files side by side, again and again, each time a day later."""
    left, day = ticks, 0
    while left > 0:
        reads = [open_feed(str(path)).read(SourcePosition(), BOUNDS) for path in files]
        reads = reads or [Simulator(SEED, RATE, START_US, ticks, sessions=False).read(SourcePosition(), BOUNDS)]
        while reads and left > 0:
            for source in list(reads):
                block = next(source, None)
                if block is None:
                    reads.remove(source)
                elif left > 0:
                    taken = _later(block.ticks.head(left), day)
                    left -= taken.height
                    yield replace(block, ticks=taken)
        day += 1


def kinds(files: Sequence[Path]) -> dict[str, Sequence[Path]]:
    """Return the kinds of markets that `markets` fills: what it names them -> the files of each."""
    return {"": (), "quiet_": files} if files else {"": ()}


def titled(what: str, name: str) -> str:
    """Return what is done with one kind of market, as progress says it."""
    return f"{what}, {name.rstrip('_') or 'busy'} market"


def markets(
    settings: Settings, codec: Codec, files: Sequence[Path], ticks: int, begin: Callable[[str], None]
) -> dict[str, Settings]:
    """Fill a topic for each kind of market; return its settings by the name that figures have in their middle.

    `begin` is called before each, with its name in a plan of progress.

    A busy one (no name): three instruments at 1,000 ticks/s, some 300 ticks in a bar of a second, as `up` makes them.
    A quiet one: the files, whose every second tick ends a bar. The work of the one is for ticks, of the other for bars.
    """
    found = {}
    for name, sources in kinds(files).items():
        begin(titled("filling a topic", name))
        own = settings.model_copy(update={"namespace": name.replace("_", ".")})
        ensure(own, DOMAIN_TOPICS)
        fill(own, codec, sources, ticks)
        found[name] = own
    return found


def fill(settings: Settings, codec: Codec, files: Sequence[Path], ticks: int) -> int:
    """Publish the ticks outside of transactions, so that offsets count records; return how many there are."""
    producer = Producer(producer_options(settings))
    for block in blocks(files, ticks):
        for run in block_runs(codec, settings, replace(block, trades=block.trades.head(0))):
            _produce(producer, run)
    unsent = producer.flush(60)
    if unsent:
        raise RuntimeError(f"{unsent:,} ticks were not delivered within 60 s")
    return ticks


def _produce(producer: Producer, run: Run) -> None:
    for value in run.values:
        while True:
            try:
                producer.produce(run.topic, value, run.key, run.partition)
            except BufferError:
                producer.poll(ROOM_S)
            else:
                break


def _later(ticks: pl.DataFrame, days: int) -> pl.DataFrame:
    return ticks.with_columns(pl.col("ts_event") + days * DAY_US, pl.col("seq") + days * 10_000_000)
