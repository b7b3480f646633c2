"""Events as rows of PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.sinks.postgres.rows import EARLIEST_US, LATEST_US, rows
from tradewind.connectors.sinks.sink import PoisonBatch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = ("event_id", "ts_event", "quantity", "codes")


def frame(**columns: list[object]) -> pl.DataFrame:
    """Make rows with these columns."""
    count = len(next(iter(columns.values())))
    every = {"event_id": ["x"] * count, "ts_event": [0] * count, "quantity": [None] * count, "codes": [[]] * count}
    return pl.DataFrame(
        {**every, **columns},
        schema={"event_id": str, "ts_event": pl.Int64, "quantity": pl.Decimal(38, 10), "codes": pl.List(str)},
    )


@given(st.lists(st.integers(EARLIEST_US, LATEST_US), min_size=1))
def test_times_are_exact_to_the_microsecond(times: list[int]) -> None:
    """The text of a time reads back as the same µs."""
    text = rows(frame(ts_event=list(times)), COLUMNS).decode().splitlines()
    read = [datetime.fromisoformat(line.split(",")[1]) for line in text]
    assert [(time - EPOCH) // timedelta(microseconds=1) for time in read] == times


@given(st.lists(st.decimals(-(10**27), 10**27, places=10), min_size=1))
def test_decimals_are_exact(quantities: list[Decimal]) -> None:
    """No digit of an amount is lost."""
    text = rows(frame(quantity=list(quantities)), COLUMNS).decode().splitlines()
    assert [Decimal(line.split(",")[2]) for line in text] == quantities


def test_a_null_is_not_an_empty_text() -> None:
    """COPY reads an empty field as null and empty quotes as empty text."""
    assert rows(frame(event_id=[""], quantity=[None]), COLUMNS).startswith(b'"",1970-01-01 00:00:00.000000+00,,')


def test_codes_are_an_array() -> None:
    """A list is written as PostgreSQL writes arrays; an empty one is no null."""
    text = rows(frame(codes=[["A", "B"], []]), COLUMNS).decode().splitlines()
    assert [line.split(",", 3)[3] for line in text] == ['"{A,B}"', "{}"]


@pytest.mark.parametrize("time", [LATEST_US + 1, EARLIEST_US - 1, 2**63 - 1, -(2**63)])
def test_a_time_that_no_calendar_has_names_its_row(time: int) -> None:
    """Such a time would be no date that clients can read."""
    with pytest.raises(PoisonBatch) as refused:
        rows(frame(ts_event=[0, time, 0]), COLUMNS)
    assert refused.value.index == 1
