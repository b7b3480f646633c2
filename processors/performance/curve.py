"""An account's equity over time, taken value by value: what of it is kept is a number for each day."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from tradewind.processors.money import ZERO
from tradewind.processors.performance.days import Days

NEVER = 0


@dataclass(slots=True)
class Curve:
    """Equity and exposure as steps: each value holds until the next one."""

    capital: Decimal
    days: Days
    first: int | None = None
    """Where time begins, µs: the first quote."""
    last: int = NEVER
    """The time that is reached, µs."""
    equity: Decimal = ZERO
    exposure: Decimal = ZERO
    """What is held now, at its price."""
    ends: dict[int, Decimal] = field(default_factory=dict)
    """Session day -> equity at its end; days on which nothing changed are missing."""
    invested_us: int = 0
    """Time with an open position, µs."""
    exposure_us: float = 0.0
    """Sum of exposure / equity * time, µs."""
    peak: Decimal = ZERO
    depth: float = 0.0
    """Largest drawdown at any value, 0 or below."""
    _day: int = NEVER
    """The session day of the newest value."""
    _begins: int = NEVER
    """A time of this day, µs."""
    _ends: int = NEVER
    """Its end, µs."""

    def __post_init__(self) -> None:
        self.equity = self.peak = self.capital

    def begin(self, ts: int) -> None:
        """Let time begin, where it has not."""
        if self.first is None:
            self.first = self.last = ts

    def take(self, ts: int, equity: Decimal, exposure: Decimal) -> None:
        """Take a value at a time, µs."""
        self.begin(ts)
        self.reach(ts)
        self.equity, self.exposure = equity, exposure
        if not self._begins <= self.last < self._ends:
            self._day = self.days.of(self.last)
            self._begins, self._ends = self.last, self.days.end(self._day)
        self.ends[self._day] = equity
        if equity > self.peak:
            self.peak = equity
        else:
            self.depth = min(self.depth, float(equity / self.peak - 1))

    def reach(self, ts: int) -> None:
        """Let time pass up to `ts`, µs. Time that has passed already changes nothing."""
        passed = ts - self.last
        if passed <= 0:
            return
        if self.exposure:
            self.invested_us += passed
            if self.equity > 0:
                self.exposure_us += float(self.exposure / self.equity) * passed
        self.last = ts

    def daily(self) -> list[tuple[int, float]]:
        """Return (end of the session day in µs, equity) of every session day, quiet ones included."""
        if self.first is None:
            return []
        found: list[tuple[int, float]] = []
        equity = self.capital
        for day in self.days.between(self.days.of(self.first), self.days.of(self.last)):
            equity = self.ends.get(day, equity)
            found.append((self.days.end(day), float(equity)))
        return found
