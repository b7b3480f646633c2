"""Quotes on disk, one folder for each instrument, in the order in which they were added; then feeds of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS, Block, Bounds, SourcePosition

PART_ROWS: Final = 65_536
"""Of a file, some 600 kB; also the most that a reader holds."""
MOST_WAITING: Final = 2_000_000
"""Rows that wait in memory, over all instruments: some 130 MB."""
DIGEST_BYTES: Final = 8
NUMBERS: Final = tuple(name for name, kind in TICK_COLUMNS.items() if kind is not pl.String)
Name = tuple[str, str]
"""Symbol and venue."""


@dataclass(slots=True)
class _Instrument:
    folder: Path
    part_rows: int
    waiting: list[pl.DataFrame] = field(default_factory=list)
    waiting_rows: int = 0
    rows: int = 0
    parts: list[Path] = field(default_factory=list)
    digests: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.digests = {name: blake2b(digest_size=DIGEST_BYTES) for name in NUMBERS}

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        for name, digest in self.digests.items():
            column = frame[name]
            digest.update(column.fill_null(float("nan")).to_numpy().tobytes())
        self.waiting.append(frame)
        self.waiting_rows += frame.height
        self.rows += frame.height

    def spill(self) -> None:
        """Write what waits."""
        if not self.waiting_rows:
            return
        whole = pl.concat(self.waiting)
        for start in range(0, whole.height, self.part_rows):
            path = self.folder / f"{len(self.parts):06}.parquet"
            whole.slice(start, self.part_rows).write_parquet(path, compression="zstd", compression_level=1)
            self.parts.append(path)
        self.waiting, self.waiting_rows = [], 0

    @property
    def digest(self) -> str:
        """A digest of all rows, wherever they were cut."""
        whole = blake2b(digest_size=DIGEST_BYTES)
        for name in NUMBERS:
            whole.update(self.digests[name].digest())
        return whole.hexdigest()


@dataclass(slots=True)
class Spool:
    """Takes quotes of any instruments. Memory is bounded, the disk is not."""

    folder: Path
    part_rows: int = PART_ROWS
    most_waiting: int = MOST_WAITING
    rows: int = 0
    _instruments: dict[Name, _Instrument] = field(default_factory=dict)

    def add(self, ticks: pl.DataFrame) -> None:
        """Append quotes, columns as in `TICK_COLUMNS`. Each instrument's stay in this order."""
        self.rows += ticks.height
        for (symbol, venue), own in ticks.group_by("symbol", "venue", maintain_order=True):
            of = self._of((str(symbol), str(venue)))
            of.add(own)
            if of.waiting_rows >= self.part_rows:
                of.spill()
        if sum(one.waiting_rows for one in self._instruments.values()) >= self.most_waiting:
            self._spill()

    def feeds(self, kind: str) -> list[SpoolFeed]:
        """Return a feed for each instrument; call it when all quotes are there. `kind` says where they came from."""
        self._spill()
        return [
            SpoolFeed(
                name=f"{kind} {'.'.join(name)}",
                source=f"{kind} {'.'.join(name)}, {one.rows} quotes {one.digest}",
                parts=tuple(one.parts),
                most_records=max(self.part_rows // len(self._instruments), 1_024),
            )
            for name, one in sorted(self._instruments.items())
        ]

    def _of(self, name: Name) -> _Instrument:
        known = self._instruments.get(name)
        if known is None:
            folder = self.folder / f"{len(self._instruments):06}"
            folder.mkdir(parents=True)
            known = self._instruments[name] = _Instrument(folder, self.part_rows)
        return known

    def _spill(self) -> None:
        for one in self._instruments.values():
            one.spill()


@dataclass(frozen=True, slots=True)
class SpoolFeed:
    """The quotes of one instrument from a spool."""

    name: str
    source: str
    parts: Sequence[Path]
    most_records: int
    """Of a block: readers of many instruments hold a block of each."""
    live: bool = False

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position. A block is not longer than the bounds' records, whatever its span."""
        done, most = position.record, min(bounds.records, self.most_records)
        at = 0
        for path in self.parts:
            frame = pl.read_parquet(path)
            for start in range(0, frame.height, most):
                ticks = frame.slice(start, most).slice(max(done - at, 0))
                at += min(most, frame.height - start)
                if ticks.height:
                    yield Block(SourcePosition(at), ticks)
