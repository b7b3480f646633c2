"""Topics of the market domain: quotes, trades, news, bars and how far the feeds have read."""

from __future__ import annotations

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, FeedPosition, Heartbeat, Mark, News, Tick, Trade
from tradewind.topics.keys import INSTRUMENT, instrument_key
from tradewind.topics.topic import MIB, Topic

TICKS = Topic(
    name="market.ticks",
    model=Tick,
    also=(Heartbeat,),
    time_carrier=Heartbeat,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    total="ticks",
    producers=("feed",),
    consumers=("market", "execution", "questdb", "influxdb"),
    retention_bytes=256 * MIB,
    segment_bytes=64 * MIB,
    columnar=True,
)
TRADES = Topic(
    name="market.trades",
    model=Trade,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    producers=("feed",),
    consumers=("questdb", "influxdb"),
    columnar=True,
)
LATE_TICKS = Topic(
    name="market.ticks.late",
    model=Tick,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    total="late",
    producers=("market",),
    consumers=(),
)
BARS = Topic(
    name="market.bars",
    model=Bar,
    also=(Heartbeat,),
    time_carrier=Heartbeat,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    total="bars",
    producers=("market",),
    consumers=("signals", "portfolio", "questdb", "influxdb"),
    traced=False,
)
"""Their records carry no header: it takes 1.5 µs each, and the trace of a bar is its own id (ADR 0011)."""

MARKS = Topic(
    name="market.marks",
    model=Mark,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    producers=("portfolio",),
    consumers=("risk",),
    broadcast=True,
)
"""A price of each instrument a minute goes to every partition: each task of risk values positions in all instruments.
The agent that values positions sends them, so that risk and positions go by the same prices (ADR 0048)."""

NEWS = Topic(
    name="market.news",
    model=News,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="market",
    producers=("feed",),
    consumers=("signals",),
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
