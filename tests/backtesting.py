"""What the tests of backtests share: a feed of given quotes, a strategy that is always in the market, plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from tradewind import Bar, Settings, Strategy, Tick, View
from tradewind.connectors.feeds import Block, Bounds, SourcePosition
from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.streams.backtest.planning import planned
from tradewind.streams.backtest.run import Plan

SECOND = 1_000_000
LOOSE = Limits(Decimal(10) ** 12, Decimal(10) ** 12, 3_600 * SECOND)
MARKET = Tenant("m", ("main",), Sizing(Decimal(25_000), "MARKET"), LOOSE)
RESTING = Tenant("l", ("main",), Sizing(Decimal(25_000), "LIMIT", Decimal("0.0001"), 2 * SECOND), LOOSE)


def frame_of(ticks: Iterable[Tick]) -> pl.DataFrame:
    """Return quotes as feeds have them."""
    return pl.DataFrame([tick.to_dict() for tick in ticks], schema=TICK_COLUMNS)


@dataclass(frozen=True, slots=True)
class Quotes:
    """A feed of frames of quotes: each is a block."""

    frames: Sequence[pl.DataFrame]
    name: str = "quotes"
    source: str = "quotes of a test"
    live: bool = False

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the frames."""
        for frame in self.frames:
            yield Block(SourcePosition(1), frame)


@dataclass
class Zigzag(Strategy):
    """Turns around with each bar whose close is beyond the last one's."""

    name: ClassVar[str] = "zigzag"
    interval_s: ClassVar[int] = 1
    strength: float = 1.0

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return a view at each bar but the first two."""
        before, memory["close"] = memory.get("close"), bar.mid_close
        memory["bars"] = memory.get("bars", 0) + 1
        if before is None or memory["bars"] == 2:
            return None
        return View("LONG" if bar.mid_close > before else "SHORT", self.strength, "it moved")


@dataclass
class Planned:
    """Makes plans on given quotes."""

    tenant: Tenant = MARKET
    strategy: Strategy = field(default_factory=Zigzag)

    def on(self, *frames: pl.DataFrame, **changes: Any) -> Plan:
        """Return a plan whose one feed has these blocks."""
        settings = Settings(tenants=(self.tenant,), venue_latency_ms=50, bar_grace_ms=500, tick_leap_s=3600)
        plan = planned(self.strategy, [], settings=settings, **changes)
        return Plan(**{**{name: getattr(plan, name) for name in Plan.__slots__}, "feeds": [Quotes(frames)]})


def run_in(folder: Path, strategy: str, *sources: Path, **changes: Any) -> Any:
    """Run a backtest as `tradewind.backtest.run` does, with its result in a folder of the test."""
    from tradewind.backtest import run  # noqa: PLC0415 - so that only these tests import it

    return run(strategy, [str(source) for source in sources], data=folder, **changes)
