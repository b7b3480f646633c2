"""The tables of QuestDB: definitions, differences, and what is dropped."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.questdb.tables import TABLES, Partition, to_drop
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Tick

PARTITIONS = st.lists(
    st.builds(Partition, st.text(), st.integers(1, 100), st.integers(0, 50), st.just(value=False)), max_size=20
)


@pytest.mark.parametrize("model", TABLES)
def test_every_field_of_an_event_has_a_column(model: type[Event]) -> None:
    """Nothing of an event is left out, but the envelope that market data shares and a promise to readers of a topic."""
    table = TABLES[model]
    written = {*table.layout.tags, *(field.name for field in table.layout.fields), table.layout.time}
    names = {field.name for field in fields(model)}  # type: ignore[arg-type]
    assert names - written <= {"tenant_id", "correlation_id", "causation_id", "reached_ts"}


def test_a_table_takes_the_namespace_without_its_dot() -> None:
    """Dots are no part of table names."""
    assert TABLES[Tick].named(Settings(namespace="mine.", _env_file=None)) == "mine_ticks"
    assert TABLES[Tick].named(Settings(namespace="", _env_file=None)) == "ticks"


def test_the_sequence_is_part_of_the_key() -> None:
    """Quotes of one instrument at one time are different events."""
    assert "DEDUP UPSERT KEYS(timestamp, symbol, venue, seq)" in TABLES[Tick].definition("ticks")


def test_a_table_of_another_shape_is_told_apart() -> None:
    """A missing column, another type and other keys are each named."""
    table = TABLES[Tick]
    good = [
        {"column": name, "type": kind, "upsertKey": name in ("timestamp", *table.keys)}
        for name, kind in table.columns().items()
    ]
    assert table.differences(good) == []
    assert table.differences(good[:-1]) == ["column ts_ingest is missing"]
    assert table.differences([{**row, "upsertKey": False} for row in good])
    other = [{**row, "type": "FLOAT"} if row["column"] == "bid" else row for row in good]
    assert table.differences(other) == ["column bid is FLOAT, expected DOUBLE"]


@given(PARTITIONS, st.integers(0, 500))
def test_only_as_much_is_dropped_as_must_be(partitions: list[Partition], limit: int) -> None:
    """What is left fits, and would not with the last one that was dropped."""
    dropped = to_drop(partitions, limit)
    left = sum(one.size for one in partitions) - sum(one.size for one in dropped)
    assert left <= limit
    if dropped:
        assert left + dropped[-1].size > limit


@given(PARTITIONS, st.integers(0, 500))
def test_what_was_written_last_is_kept_longest(partitions: list[Partition], limit: int) -> None:
    """No partition is dropped while one stays that was written before it."""
    dropped = to_drop(partitions, limit)
    kept = list(partitions)
    for one in dropped:
        kept.remove(one)
    assert all(gone.written_us <= stays.written_us for gone in dropped for stays in kept)


def test_a_replay_of_old_events_keeps_its_rows_before_older_writes() -> None:
    """A file of 2014 that was replayed today outlives live data of last month."""
    replayed = Partition("2014-05-01T00", 60, written_us=2_000, active=False)
    live = Partition("2026-10-01T00", 60, written_us=1_000, active=False)
    newest = Partition("2026-11-01T00", 1, written_us=500, active=True)
    assert to_drop([replayed, live, newest], 130) == []
    assert to_drop([replayed, live, newest], 100) == [live]
    assert to_drop([replayed, live, newest], 0) == [live, replayed]


def test_the_parts_of_a_split_partition_are_one() -> None:
    """QuestDB lists each, under a name of its own, and drops all of them with any."""
    table = TABLES[Tick]
    rows = [
        {
            "name": name,
            "numRows": 2,
            "diskSize": size,
            "active": active,
            "minTimestamp": name,
            "maxTimestamp": name + "!",
        }
        for name, size, active in (
            ("2025-12-31T23", 9, False),
            ("2026-01-01T00", 10, False),
            ("2026-01-01T001549-990001", 11, False),
            ("2026-01-01T001614-990001", 10**9, True),
        )
    ]
    assert [(row["name"], row["size"], row["active"], row["minTimestamp"]) for row in table.whole(rows)] == [
        ("2025-12-31T23", 9, False, "2025-12-31T23"),
        ("2026-01-01T00", 21 + 2 * table.row_bytes, True, "2026-01-01T00"),
    ]
    assert [row["maxTimestamp"] for row in table.whole(rows)] == ["2025-12-31T23!", "2026-01-01T001614-990001!"]
    assert [row["name"] for row in TABLES[Bar].whole(rows)] == ["2025-12-31", "2026-01-01"]
