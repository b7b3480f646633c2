"""Gaps in the quotes: how long each instrument was silent. A reader of a result must know what the data lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any, Final

import numpy as np

from tradewind.processors.market.quotes import Quotes

GAP_US: Final = 300_000_000
"""Five minutes without a quote: no strategy on bars of a minute sees this market."""
NAMED: Final = 20
"""The longest gaps that a result names; all are counted."""
Name = tuple[str, str]


@dataclass(slots=True)
class Gaps:
    """Silences of more than `GAP_US` between two quotes of an instrument, in the order of arrival.

    If a range is given, the silence before the first quote and the one after the last quote count as well.
    """

    start: int | None = None
    """Where the range begins, µs."""
    stop: int | None = None
    count: int = 0
    _longest: list[tuple[int, int, Name]] = field(default_factory=list)
    _last: dict[Name, int] = field(default_factory=dict)

    def take(self, quotes: Quotes) -> None:
        """Take a block of quotes into account."""
        for symbol, venue, rows in quotes.each():
            own, times = (symbol, venue), quotes.ts_event[rows]
            before = self._last.get(own, times[0] if self.start is None else self.start)
            reached = np.maximum.accumulate(np.concatenate(([before], times)))
            self._last[own] = int(reached[-1])
            steps = np.diff(reached)
            for at in np.flatnonzero(steps > GAP_US).tolist():
                self._note((int(steps[at]), int(reached[at]), own))

    def close(self) -> None:
        """Take the ends of the instruments into account, after the last block."""
        if self.stop is None:
            return
        for name, last in sorted(self._last.items()):
            if self.stop - last > GAP_US:
                self._note((self.stop - last, last, name))

    @property
    def instruments(self) -> list[Name]:
        """The instruments that had quotes, sorted."""
        return sorted(self._last)

    def _note(self, gap: tuple[int, int, Name]) -> None:
        self.count += 1
        if len(self._longest) < NAMED:
            heappush(self._longest, gap)
        else:
            heappushpop(self._longest, gap)

    def to_json(self) -> Mapping[str, Any]:
        """Return how many gaps there are, and the longest ones in the order of time."""
        named = sorted(self._longest, key=lambda gap: (gap[1], gap[2]))
        longest = [{"instrument": ".".join(name), "from": start, "to": start + us} for us, start, name in named]
        return {"longer_than_s": GAP_US // 1_000_000, "count": self.count, "longest": longest}
