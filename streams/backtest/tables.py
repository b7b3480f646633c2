"""Parquet files that grow: rows wait in memory, at most `PART_ROWS`, and go to parts, which become one file.

polars writes them: it is a dependency already, and the same rows give the same bytes. pyarrow could append to one file,
but would be over 100 MB more to install.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

PART_ROWS: Final = 50_000  # some 10 MB of rows as objects


@dataclass(slots=True)
class Table:
    """One file of a result."""

    path: Path
    schema: Mapping[str, Any]
    part_rows: int = PART_ROWS
    rows: int = 0
    _waiting: list[Sequence[Any]] = field(default_factory=list)
    _parts: list[Path] = field(default_factory=list)

    def add(self, row: Sequence[Any]) -> None:
        """Append a row: its values, in the order of the schema."""
        self._waiting.append(row)
        self.rows += 1
        if len(self._waiting) >= self.part_rows:
            self._spill()

    def close(self) -> None:
        """Write the file."""
        if not self._parts:
            self._frame().write_parquet(self.path, compression="zstd")
            return
        self._spill()
        pl.scan_parquet(self._parts).sink_parquet(
            self.path, compression="zstd", maintain_order=True, row_group_size=self.part_rows
        )
        for part in self._parts:
            part.unlink()

    def _spill(self) -> None:
        part = self.path.with_suffix(f".{len(self._parts):06}.part")
        self._frame().write_parquet(part, compression="zstd")
        self._parts.append(part)
        self._waiting = []

    def _frame(self) -> pl.DataFrame:
        return pl.DataFrame(self._waiting, schema=self.schema, orient="row")


@dataclass(frozen=True, slots=True)
class Tables:
    """The files of a result."""

    orders: Table
    trades: Table
    equity: Table
    daily: Table

    def close(self) -> None:
        """Write all files."""
        for table in (self.orders, self.trades, self.equity, self.daily):
            table.close()
