"""The quotes of a source on disk in the order of arrival, read once, to be read in parts of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS


@dataclass(slots=True)
class Spooled:
    """Blocks of quotes with the event times that each reaches."""

    folder: Path
    first: int = 0
    """Event time of the earliest quote, µs."""
    last: int = 0
    ticks: int = 0
    symbols: set[str] = field(default_factory=set)
    _parts: list[tuple[Path, int, int]] = field(default_factory=list)

    def add(self, blocks: Iterable[pl.DataFrame]) -> None:
        """Write blocks."""
        for block in blocks:
            path = self.folder / f"{len(self._parts):06}.arrow"
            block.select(*TICK_COLUMNS).write_ipc(path)
            low, high = _time(block["ts_event"].min()), _time(block["ts_event"].max())
            self.first = low if not self._parts else min(self.first, low)
            self.last = high if not self._parts else max(self.last, high)
            self._parts.append((path, low, high))
            self.symbols.update(block["symbol"].unique())
            self.ticks += block.height

    def between(self, start: int, stop: int) -> Iterator[pl.DataFrame]:
        """Yield the quotes from `start` up to and without `stop`, µs."""
        for path, low, high in self._parts:
            if high < start or low >= stop:
                continue
            block = pl.read_ipc(path)
            kept = block.filter(pl.col("ts_event").is_between(start, stop, closed="left"))
            if kept.height:
                yield kept


def _time(value: Any) -> int:
    assert isinstance(value, int)
    return value
