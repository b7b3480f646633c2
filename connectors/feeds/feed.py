"""What a feed is: a named source of quotes and trades that is read in blocks, from a position on.

`connectors/feeds/run.py` publishes each block with the position after it in one transaction, so a feed has only to give
the same records for the same position. A feed of one's own is any object with these members, registered as an entry
point of the group `tradewind.feeds`.

    FeedError
    ├── UnknownFormat      no feed reads this source
    ├── UnknownSymbol      the source is of an instrument that is not known
    ├── DamagedSource      the archive cannot be read to its end: nothing of it is published
    └── SourceChanged      the position that is kept belongs to another source of the same name
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import polars as pl

from tradewind.schemas.market import Tick, Trade

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
    """The source is of an instrument that is not known; nothing of it was published."""


class DamagedSource(FeedError):
    """The source cannot be read to its end; nothing of it was published."""


class SourceChanged(FeedError):
    """The position that is kept belongs to another source of the same name."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a source has been read."""

    record: int = 0
    """Records of the source that were read, good and bad; the next is number `record + 1`."""
    state: str = ""
    """What a generator needs to go on; files need none."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a block may be. A feed need not fill it."""

    records: int
    """Records of the source."""
    span_us: int
    """Event time, µs: what a block covers at most, so that a paced feed is published on time."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record of the source that is not published."""

    line: int
    """Its number, from 1."""
    reason: str
    text: str
    """Its beginning, at most `EXCERPT_CHARACTERS`."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of records of a source: what they say, and the position after them.

    records read = ticks + trades + rejected_count + skipped.
    """

    next: Position
    ticks: pl.DataFrame = field(default_factory=lambda: NO_TICKS)
    """In the order of the source; columns as in `TICK_COLUMNS`."""
    trades: pl.DataFrame = field(default_factory=lambda: NO_TRADES)
    """In the order of the source; columns as in `TRADE_COLUMNS`."""
    rejected: tuple[Rejection, ...] = ()
    """The first `REPORTED_LINES` of the rejected records."""
    rejected_count: int = 0
    skipped: int = 0
    """Records that are sound and of a kind that is not published, such as order book updates."""
    ts_event: int | None = None
    """Event time reached, µs; None where no record told one."""
    floor: int | None = None
    """Live feeds: every tick of a later block is later than this, µs; None where nothing can be said."""


@runtime_checkable
class Feed(Protocol):
    """A source of quotes and trades."""

    @property
    def name(self) -> str:
        """Names the feed among all; its position is kept under this."""
        ...

    @property
    def source(self) -> str:
        """Identifies what is read, such as a file's name and digest: a position is used for this source only."""
        ...

    @property
    def live(self) -> bool:
        """Whether the source tells events as they happen, and so is neither paced nor ever finished."""
        ...

    def read(self, position: Position, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position, each within the bounds; ends where the source does.

        Raises `FeedError` where the source cannot be read, before the first block.
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
