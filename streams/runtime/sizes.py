"""How much a worker reads, releases and writes at once: one frozen value, which `run_agents` takes and passes on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of one worker. Raises `ValueError` for a negative size."""

    chunk_records: int = CHUNK_RECORDS
    """Larger fetches are delivered in parts."""
    row_records: int = 32
    """Up to here, records of columnar topics are read one by one too: a frame takes 1 ms, whatever is in it. Both ways
    of reading accept and refuse the same records, and processors give the same for both."""
    released_pieces: int = 4_000
    """Of a hold, in one transaction. Each is a range of its journal entry, 80 bytes: so an entry stays below 512 KiB,
    whatever was held."""
    snapshot_entries: int = 1_000
    """Journal entries between two snapshots: half a minute of replay at full load, some minutes at a live feed's."""
    snapshot_bytes_per_entry: int = 4 * 1024
    """Larger states wait longer, so that snapshots add no more than this to an entry."""
    part_bytes: int = 508 * 1024
    """Of a snapshot. With its other fields, a part stays below 512 KiB; brokers accept 1 MB."""
    parts_at_once: int = 4
    """Parts in one transaction: 2 MiB, some 20 ms."""
    parts_per_input: int = 4
    """Bytes of parts for each byte of a batch, so that a snapshot is whole before its inputs are gone."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"sizes: {field.name} is at least 0, not {getattr(self, field.name)!r}")


AS_USUAL = Sizes()
"""What workers have in service."""
