"""Records of many partitions in blocks by time: each partition keeps its order, and the first time comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.connectors.copying.slice import Times
from tradewind.connectors.copying.source import Origin

LOWEST = int(np.iinfo(np.int64).min)
FOREVER_US = 2**62
BLOCK_ROWS = 20_000
"""About as many records as a block has at full speed: a transaction of a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Records of a partition that count, in order, with the time that the partition has reached at each."""

    rows: pl.DataFrame
    reached: Times

    def cut(self, at: int) -> tuple[Timed, Timed]:
        """Return the first `at` records, and the others."""
        return Timed(self.rows[:at], self.reached[:at]), Timed(self.rows[at:], self.reached[at:])


@dataclass(frozen=True, slots=True)
class Block:
    """What one transaction copies."""

    parts: Mapping[Origin, pl.DataFrame]
    reached: int
    """Time, µs."""

    @property
    def count(self) -> int:
        """How many records it has."""
        return sum(rows.height for rows in self.parts.values())


def rising(times: Times, before: int) -> Times:
    """Return the largest time so far, at each record."""
    return np.maximum.accumulate(np.maximum(times, before))


def blocks(streams: Mapping[Origin, Iterator[Timed]], span_us: int = FOREVER_US) -> Iterator[Block]:
    """Yield the records of streams in blocks that cover at most `span_us` of time. Holds one piece of each stream."""
    waiting = {origin: timed for origin, stream in streams.items() if (timed := next(stream, None)) is not None}
    while waiting:
        most = max(1, BLOCK_ROWS // len(waiting)) - 1
        bound = min(int(timed.reached[min(most, len(timed.reached) - 1)]) for timed in waiting.values())
        bound = min(bound, min(int(timed.reached[0]) for timed in waiting.values()) + span_us)
        parts: dict[Origin, pl.DataFrame] = {}
        for origin, timed in tuple(waiting.items()):
            count = int(np.searchsorted(timed.reached, bound, side="right"))
            if not count:
                continue
            taken, rest = timed.cut(count)
            parts[origin] = taken.rows
            following = rest if rest.rows.height else next(streams[origin], None)
            if following is None:
                del waiting[origin]
            else:
                waiting[origin] = following
        yield Block(parts, bound)
