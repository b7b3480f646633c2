"""The count of what has flowed since the last reset, kept with the offsets that it stands for.

A SQLite file of the data folder. One transaction holds the positions that were read up to, the records and events
counted on the way, and the ids of the events: a process that is killed in between leaves the count of the last whole
pass, and the next one goes on from there. `up` and `status` may both count: a pass counts only if it starts where the
ledger stands.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = "status.sqlite3"
BUSY_S = 10.0
"""How long to wait for another process's pass to be written; writing one takes milliseconds."""
SAMPLES_KEPT_S = 30.0
RATE_WINDOW_S = 5.0
"""Rates are means over this time: long enough to be steady, short enough to follow a change."""
TABLES = """
CREATE TABLE IF NOT EXISTS position (
    topic TEXT, partition INTEGER, next INTEGER NOT NULL, last INTEGER NOT NULL, records INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (name TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (name TEXT, id BLOB, PRIMARY KEY (name, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writer (id INTEGER PRIMARY KEY, schema TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sample (
    at_s REAL, name TEXT, value INTEGER NOT NULL, PRIMARY KEY (at_s, name)
) WITHOUT ROWID;
"""
Partition = tuple[str, int]
"""Topic and number."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How far a partition has been counted."""

    next: int
    """The offset to read next, past markers of transactions."""
    last: int
    """The offset of the last record; -1 where there was none. A reader that is past it has nothing to read."""
    records: int
    """Records counted before it: markers and what was rolled back are not among them."""


NOWHERE = Counted(next=0, last=-1, records=0)
"""Where a partition stands that was never read."""


@dataclass(slots=True)
class Pass:
    """What was read in one pass, from the positions where it started."""

    started: Mapping[Partition, Counted]
    next: dict[Partition, int] = field(default_factory=dict)
    last: dict[Partition, int] = field(default_factory=dict)
    records: dict[Partition, int] = field(default_factory=lambda: defaultdict(int))
    counted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Name of a total -> events without ids of their own, each of which is written once."""
    ids: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """Name of a total -> ids of its events."""

    @property
    def empty(self) -> bool:
        """Whether nothing moved."""
        return not self.next


class Ledger:
    """The ledger of a data folder; safe to open in several processes at once."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(data / FILE, timeout=BUSY_S, isolation_level=None)
        # A killed process loses nothing; a power failure loses whole passes at most, which are then counted again.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def positions(self) -> dict[Partition, Counted]:
        """Return how far each partition has been counted."""
        rows = self._database.execute("SELECT topic, partition, next, last, records FROM position")
        return {(topic, number): Counted(*counted) for topic, number, *counted in rows}

    def totals(self) -> dict[str, int]:
        """Return the number of distinct events of each name since the last reset."""
        return dict(self._database.execute("SELECT name, events FROM total"))

    def add(self, done: Pass) -> bool:
        """Add a pass; False, with nothing added, where another process has counted from its start meanwhile."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            now = self.positions()
            if any(now.get(of) != done.started.get(of) for of in done.next):
                return False
            for of, next_ in done.next.items():
                before = now.get(of, NOWHERE)
                counted = (next_, done.last.get(of, before.last), before.records + done.records.get(of, 0))
                database.execute("REPLACE INTO position VALUES (?, ?, ?, ?, ?)", (*of, *counted))
            for name, events in done.counted.items():
                self._increase(name, events)
            for name, ids in done.ids.items():
                changes = database.total_changes
                database.executemany("INSERT OR IGNORE INTO event VALUES (?, ?)", ((name, id_) for id_ in sorted(ids)))
                self._increase(name, database.total_changes - changes)
            database.execute("COMMIT")
            return True
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")

    def _increase(self, name: str, by: int) -> None:
        self._database.execute(
            "INSERT INTO total VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET events = events + excluded.events",
            (name, by),
        )

    def writers(self) -> dict[int, str]:
        """Return the schemas that were met: id in the registry -> Avro schema as JSON."""
        return dict(self._database.execute("SELECT id, schema FROM writer"))

    def keep_writer(self, schema_id: int, schema: str) -> None:
        """Keep a schema, which never changes, so that the next process need not ask the registry."""
        self._database.execute("INSERT OR IGNORE INTO writer VALUES (?, ?)", (schema_id, schema))

    def sample(self, at_s: float, values: Mapping[str, int]) -> None:
        """Keep counts with their time (seconds since 1970), for rates; older ones are let go."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "REPLACE INTO sample VALUES (?, ?, ?)", ((at_s, name, value) for name, value in values.items())
        )
        database.execute("DELETE FROM sample WHERE at_s < ? OR at_s > ?", (at_s - SAMPLES_KEPT_S, at_s))
        database.execute("COMMIT")

    def newest_sample_s(self) -> float | None:
        """Return when the last sample was taken, s since 1970; None where there is none."""
        newest: float | None = self._database.execute("SELECT max(at_s) FROM sample").fetchone()[0]
        return newest

    def rates(self, now_s: float) -> dict[str, float]:
        """Return the rise per second of each sampled count over the last seconds; {} where nobody has been sampling."""
        rows = self._database.execute(
            "SELECT name, min(at_s), max(at_s), min(value), max(value) FROM sample WHERE at_s >= ? GROUP BY name",
            (now_s - RATE_WINDOW_S,),
        )
        return {name: (last - first) / (end - start) for name, start, end, first, last in rows if end > start}
