"""Read the records of a partition from an archive, file after file, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from tradewind.connectors.archive.files import read
from tradewind.connectors.archive.names import ArchiveFile, Listing, listed

TRIES = 3
"""Of a file that a compaction replaces while it is read."""


def frames(folder: Path, topic: str, partition: int, first: int = 0) -> Iterator[pl.DataFrame]:
    """Yield the records of a partition from offset `first` on, some of one file at a time, none empty.

    A file that is compacted away meanwhile is read from the one that replaces it. Raises `DamagedFile` and
    `OverlappingFiles`, before the first record of a file that is damaged.
    """
    reached, tries = first, 0
    while True:
        file = _with(listed(folder, topic).get(partition), reached)
        if file is None:
            return
        try:
            frame = read(file)
        except FileNotFoundError:
            tries += 1
            if tries == TRIES:
                raise
            continue
        tries = 0
        rows = frame.slice(int(frame["offset"].search_sorted(reached)))
        reached = file.last + 1
        if rows.height:
            yield rows


def _with(listing: Listing | None, reached: int) -> ArchiveFile | None:
    """Return the first file with an offset from `reached` on."""
    return next((file for file in listing.files if file.last >= reached), None) if listing is not None else None
