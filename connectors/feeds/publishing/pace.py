"""When a block is due: event time on the wall's clock, at N times its speed, at once, or as the source tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tradewind.connectors.feeds.feed import Bounds, FeedError

BLOCK_S = (
    0.05  # of wall time that a paced block covers: what publishing adds to latency, and twenty transactions a second
)
BLOCK_RECORDS = 20_000  # some 2 MB of ticks: a transaction of 40 ms, so that its cost does not count
HIGHEST_SPEED = 1_000_000.0  # an hour in 4 ms: beyond it, `max` says what is meant
FOREVER_US = 2**62


@dataclass(slots=True)
class Pace:
    """How event time passes. `speed` None publishes as fast as it goes."""

    speed: float | None
    live: bool
    block_records: int = BLOCK_RECORDS
    _event0: int | None = field(default=None, init=False)
    _wall0: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.live:
            self.speed = 1.0
        if self.speed is not None and not 0 < self.speed <= HIGHEST_SPEED:
            raise FeedError(f"a speed of {self.speed:g}: give one above 0, at most {HIGHEST_SPEED:,.0f}, or max")

    @property
    def bounds(self) -> Bounds:
        """How large blocks may be to be published on time."""
        span_us = FOREVER_US if self.speed is None else max(1, int(BLOCK_S * self.speed * 1e6))
        return Bounds(self.block_records, span_us)

    def wait_s(self, ts_event: int | None) -> float:
        """Return how long until a block that reaches an event time is due; at most 0 where it is."""
        if self.speed is None or self.live or ts_event is None:
            return 0.0
        if self._event0 is None:
            self._event0, self._wall0 = ts_event, time.monotonic()
        return self._wall0 + (ts_event - self._event0) / (self.speed * 1e6) - time.monotonic()
