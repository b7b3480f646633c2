"""What a file will hold: records of a partition that are read and in no file yet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.connectors.archive.records import digest_of

DAY_MS = 86_400_000


@dataclass(slots=True)
class Gathered:
    """Records of one partition, of one day or earlier."""

    last: int
    """Last offset of the newest file; -1 if there is none. A file must not appear where another has been since."""
    begin: int
    """Position from which on every record is here."""
    next: int
    """Position after what is here."""
    frames: list[pl.DataFrame] = field(default_factory=list)
    size: int = 0
    """Bytes of keys and values."""
    day: int = 0
    """Days since 1970 of the first record."""
    since_s: float = 0.0
    """When the first record came, on the monotonic clock."""

    def __bool__(self) -> bool:
        return bool(self.frames)

    def add(self, frame: pl.DataFrame, now_s: float) -> pl.DataFrame:
        """Take rows from the front; return those from the first of a later day on, which need another file.

        Rows from before `next` are here or in a file already, and are left out.
        """
        rows = frame.slice(int(frame["offset"].search_sorted(self.next)))
        if rows.is_empty():
            return rows
        days = rows["time"].to_physical().to_numpy() // DAY_MS
        if not self.frames:
            self.day, self.since_s = int(days[0]), now_s
        count = _until_later(days, self.day)
        if count:
            taken = rows[:count]
            self.frames.append(taken)
            self.size += size_of(taken)
            self.next = int(taken["offset"][-1]) + 1
        return rows[count:]

    def whole(self) -> pl.DataFrame:
        """Return all rows."""
        return pl.concat(self.frames, rechunk=True)

    def after(self) -> Gathered:
        """Return what follows once these are in a file."""
        last = int(self.frames[-1]["offset"][-1])
        return Gathered(last, self.next, self.next)


def size_of(frame: pl.DataFrame) -> int:
    """Return the bytes of keys and values."""
    return int(sum(frame[name].bin.size().sum() for name in ("key", "value")))


def digest(frame: pl.DataFrame) -> tuple[int, str]:
    """Return the count and the digest of rows."""
    found = digest_of([frame])
    return found.count, found.hex()


def _until_later(days: npt.NDArray[np.int64], day: int) -> int:
    later = np.flatnonzero(days > day)
    return int(later[0]) if len(later) else len(days)
