"""What a report draws, gathered while a backtest runs: prices, equity, and the fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tradewind.processors.identity import instrument
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Bar
from tradewind.streams.backtest.report.thinning import MOST_POINTS, Thinned

MOST_INSTRUMENTS: Final = 12  # whose prices are drawn: a report of more is too long to be read


@dataclass(slots=True)
class Marked:
    """An instrument's price, and the fills on it."""

    price: Thinned = field(default_factory=Thinned)
    fills: list[tuple[int, str, float, float]] = field(default_factory=list)
    """(time in µs, side, quantity, price): every `step`-th fill."""
    step: int = 1
    seen: int = 0

    def fill(self, fill: Fill) -> None:
        """Take a fill. If there are more than a curve's points, every second one is drawn, then every fourth."""
        if self.seen % self.step == 0:
            self.fills.append((fill.ts_event, fill.side, float(fill.quantity), float(fill.price)))
        self.seen += 1
        if len(self.fills) > MOST_POINTS:
            self.fills = self.fills[::2]
            self.step *= 2


@dataclass(slots=True)
class Curves:
    """The curves of a report. Memory is bounded, whatever the range."""

    equity: Thinned = field(default_factory=Thinned)
    instruments: dict[str, Marked] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    """Instruments beyond `MOST_INSTRUMENTS`."""

    def take(self, event: Event) -> None:
        """Take a bar that values positions, or a fill."""
        if isinstance(event, Bar):
            marked = self._marked(event)
            if marked is not None:
                marked.price.add(event.ts_event, event.mid_close)
        elif isinstance(event, Fill):
            marked = self._marked(event)
            if marked is not None:
                marked.fill(event)

    def _marked(self, of: Bar | Fill) -> Marked | None:
        name = instrument(of.symbol, of.venue)
        known = self.instruments.get(name)
        if known is not None:
            return known
        if len(self.instruments) == MOST_INSTRUMENTS:
            self.left_out.add(name)
            return None
        return self.instruments.setdefault(name, Marked())
