"""Topics of the market domain: quotes, trades, bars and how far the feeds have read."""

from __future__ import annotations

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, FeedPosition, Heartbeat, Tick, Trade
from tradewind.topics.keys import instrument_key
from tradewind.topics.topic import MIB, Topic

TICKS = Topic(
    name="market.ticks",
    model=Tick,
    also=(Heartbeat,),
    key=instrument_key,
    owner="market",
    producers=("feed",),
    consumers=("market", "execution", "questdb"),
    retention_bytes=256 * MIB,
    segment_bytes=64 * MIB,
    columnar=True,
)
TRADES = Topic(
    name="market.trades",
    model=Trade,
    key=instrument_key,
    owner="market",
    producers=("feed",),
    consumers=("questdb",),
    columnar=True,
)
LATE_TICKS = Topic(
    name="market.ticks.late",
    model=Tick,
    key=instrument_key,
    owner="market",
    producers=("market",),
    consumers=(),
)
BARS = Topic(
    name="market.bars",
    model=Bar,
    also=(Heartbeat,),
    key=instrument_key,
    owner="market",
    producers=("market",),
    consumers=("signals", "portfolio", "questdb"),
)


def _feed(event: Event) -> str:
    return cast("FeedPosition", event).feed


FEED_POSITIONS = Topic(
    name="market.feed.positions",
    model=FeedPosition,
    key=_feed,
    owner="market",
    producers=("feed",),
    consumers=("feed",),
    partitions=1,
    cleanup="compact",
)
