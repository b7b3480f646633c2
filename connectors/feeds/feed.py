"""What a feed is: a named source of quotes, trades or news that is read in blocks, from a position on.

`connectors/feeds/publishing/run.py` publishes each block and the position after it in one transaction. So a feed must
return the same records for the same position. A feed of your own is any object with the members of `Feed`. Register it
as an entry point of the group `tradewind.feeds`.

    FeedError
    ├── UnknownFormat      no feed reads this source
    ├── UnknownSymbol      the source has an instrument that Tradewind does not know
    ├── DamagedSource      the archive cannot be read to its end: nothing of it is published
    └── SourceChanged      the stored position belongs to another source of the same name
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import polars as pl

from tradewind.schemas.market import News, Tick, Trade

REPORTED_KINDS = 20  # kinds of records that a report names; the others are one, `OTHER_KINDS`
OTHER_KINDS = "other kinds"
REPORTED_LINES = 20  # rejected lines that a block quotes: enough to see what is wrong; all are counted
EXCERPT_CHARACTERS = 120  # of a rejected line in a report

TICK_COLUMNS: Mapping[str, type[pl.DataType]] = {
    "symbol": pl.String,
    "venue": pl.String,
    "seq": pl.Int64,
    "ts_event": pl.Int64,
    "bid": pl.Float64,
    "ask": pl.Float64,
    "bid_size": pl.Float64,
    "ask_size": pl.Float64,
}
"""Columns of a frame of ticks: the fields of `Tick`, times in µs, sizes nullable."""
TRADE_COLUMNS: Mapping[str, type[pl.DataType]] = {
    "symbol": pl.String,
    "venue": pl.String,
    "seq": pl.Int64,
    "ts_event": pl.Int64,
    "trade_id": pl.String,
    "price": pl.Float64,
    "size": pl.Float64,
    "aggressor": pl.String,
}
"""Columns of a frame of trades: the fields of `Trade`."""
NO_TICKS = pl.DataFrame(schema=TICK_COLUMNS)
NO_TRADES = pl.DataFrame(schema=TRADE_COLUMNS)


class FeedError(ValueError):
    """A source that cannot be published; the message says what, where and what to do."""


class UnknownFormat(FeedError):
    """No feed reads this source."""


class UnknownSymbol(FeedError):
    """The source has an instrument that Tradewind does not know; nothing of it was published."""


class DamagedSource(FeedError):
    """The source cannot be read to its end; nothing of it was published."""


class SourceChanged(FeedError):
    """The stored position belongs to another source of the same name."""


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """How far a source has been read."""

    record: int = 0
    """How many records of the source were read, good and bad. The next record has number `record + 1`."""
    state: str = ""
    """What a generator needs to resume. Files need nothing."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a block may be. A block may be smaller."""

    records: int
    """Records of the source."""
    span_us: int
    """The longest event time that a block may cover, µs, so that a paced feed is published on time."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record of the source that is not published."""

    line: int
    """Its number, from 1."""
    reason: str
    text: str
    """Its beginning, at most `EXCERPT_CHARACTERS`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Sound records of one kind that are not published."""

    count: int
    line: int
    """Number of the first one, from 1."""
    text: str
    """The beginning of the first one, at most `EXCERPT_CHARACTERS`."""
    known: bool
    """Whether the feed knows the kind, and knows that it is neither a quote nor a trade that it publishes."""


def with_kinds(kinds: Mapping[str, Kind], more: Mapping[str, Kind]) -> Mapping[str, Kind]:
    """Return kinds with those that came later; at most `REPORTED_KINDS` and, for the others, `OTHER_KINDS`."""
    if not more:
        return kinds
    found = dict(kinds)
    for own, kind in more.items():
        name = own if own in found or len(found) < REPORTED_KINDS else OTHER_KINDS
        before = found.get(name)
        merged = kind if before is None else replace(before, count=before.count + kind.count)
        found[name] = replace(merged, known=merged.known and kind.known)
    return found


@dataclass(frozen=True, slots=True)
class Block:
    """A run of records of a source: what they say, and the position after them.

    records read = ticks + trades + rejected_count + skipped, and a record of news for its one or more events.
    """

    next: SourcePosition
    ticks: pl.DataFrame = field(default_factory=lambda: NO_TICKS)
    """In the order of the source; columns as in `TICK_COLUMNS`."""
    trades: pl.DataFrame = field(default_factory=lambda: NO_TRADES)
    """In the order of the source; columns as in `TRADE_COLUMNS`."""
    news: tuple[News, ...] = ()
    """In the order of the source. Publishing sets their `ts_ingest`."""
    rejected: tuple[Rejection, ...] = ()
    """The first `REPORTED_LINES` of the rejected records."""
    rejected_count: int = 0
    skipped: int = 0
    """Sound records of a kind that is not published, such as order book updates."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The skipped records by kind, if the feed reports kinds."""
    ts_event: int | None = None
    """Event time reached, µs; None if no record has a time."""
    floor: int | None = None
    """Live feeds: every tick of a later block is later than this time, µs; None if the feed cannot say."""

    @property
    def published(self) -> int:
        """How many events it publishes."""
        return self.ticks.height + self.trades.height + len(self.news)


@runtime_checkable
class Feed(Protocol):
    """A source of quotes and trades."""

    @property
    def name(self) -> str:
        """The unique name of the feed, under which its position is stored."""
        ...

    @property
    def source(self) -> str:
        """Identifies the source, such as a file by name and digest. A position is valid for this source only."""
        ...

    @property
    def live(self) -> bool:
        """Whether the source reports events as they happen. A live source is not paced and never ends."""
        ...

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position, each within the bounds, up to the end of the source.

        Raises `FeedError` before the first block if the source cannot be read.
        """
        ...


@runtime_checkable
class Dated(Protocol):
    """A replay that tells what it is a part of, so that parts are read in order."""

    @property
    def series(self) -> str:
        """Names the instruments that it quotes; feeds of one series run one after the other, the oldest first."""
        ...

    @property
    def begins_us(self) -> int:
        """Event time from which on it quotes them, µs."""
        ...


def frame_columns(model: type[Tick | Trade]) -> Mapping[str, type[pl.DataType]]:
    """Return the columns that a frame of ticks or trades has."""
    return TICK_COLUMNS if model is Tick else TRADE_COLUMNS
