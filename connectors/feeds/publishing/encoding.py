"""Turn a block into the records that carry it; their time is that of their sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.feeds.feed import Block
from tradewind.connectors.kafka.producer import Run
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import instrument
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick, Trade
from tradewind.topics import NEWS, TICKS, TRADES, Topic
from tradewind.topics.partitioner import partition_of

OPTIONAL_COLUMNS = ("bid_size", "ask_size")  # a source that states no sizes leaves them out


def block_runs(codec: Codec, settings: Settings, block: Block) -> list[Run]:
    """Return the ticks and trades of a block, a run for each instrument; each instrument's in order."""
    return [
        *_runs(codec, settings, TICKS, Tick, block.ticks),
        *_runs(codec, settings, TRADES, Trade, block.trades),
    ]


def news_runs(codec: Codec, settings: Settings, block: Block) -> list[Run]:
    """Return the news of a block, which enter now; those of an instrument in order."""
    now_us = clock_us()
    return [event_run(codec, settings, NEWS, replace(item, ts_ingest=now_us)) for item in block.news]


def event_run(codec: Codec, settings: Settings, topic: Topic, event: Event) -> Run:
    """Return one event as a run."""
    key = topic.key(event).encode()
    return Run(settings.physical(topic), partition_of(key, topic.partitions), key, (codec.encode(event),))


def heartbeat(symbol: str, venue: str, ts_event: int, *, closing: bool = False) -> Heartbeat:
    """Return a heartbeat that enters now."""
    return Heartbeat(symbol=symbol, venue=venue, ts_event=ts_event, ts_ingest=clock_us(), closing=closing)


def last_times(ticks: pl.DataFrame) -> Mapping[tuple[str, str], int]:
    """Return the latest event time of each instrument of a frame of ticks: (symbol, venue) -> µs."""
    return _times(ticks, pl.col("ts_event").max())


def first_times(ticks: pl.DataFrame) -> Mapping[tuple[str, str], int]:
    """Return the earliest event time of each instrument of a frame of ticks: (symbol, venue) -> µs."""
    return _times(ticks, pl.col("ts_event").min())


def _times(ticks: pl.DataFrame, which: pl.Expr) -> Mapping[tuple[str, str], int]:
    if ticks.is_empty():
        return {}
    found = ticks.group_by("symbol", "venue").agg(which)
    return {(symbol, venue): ts for symbol, venue, ts in found.iter_rows()}


def _runs(codec: Codec, settings: Settings, topic: Topic, model: type[Event], frame: pl.DataFrame) -> list[Run]:
    if frame.is_empty():
        return []
    unstated = [column for column in OPTIONAL_COLUMNS if model is Tick and column not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias(column) for column in unstated)
    name = settings.physical(topic)
    runs = []
    for (symbol, venue), part in frame.partition_by("symbol", "venue", maintain_order=True, as_dict=True).items():
        key = instrument(symbol, venue).encode()
        runs.append(Run(name, partition_of(key, topic.partitions), key, codec.encode_columns(model, part)))
    return runs
