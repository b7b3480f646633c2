"""A row of columns is the bar that the row's values make."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from processing import START, as_columns, ingested, quote_streams, tick

from tradewind.processors.batch import Columns, Rows, Segment, events_of, part, rows_of
from tradewind.processors.market.bar_rows import READ, BarColumns, BarSegment, read
from tradewind.processors.market.closed import ClosedBars
from tradewind.processors.market.processor import bars
from tradewind.schemas.market import Bar
from tradewind.testing import MemoryState


def closed(stream: list[Any]) -> list[ClosedBars]:
    """Return the tables of bars that a stream makes."""
    state, processor = MemoryState(), bars(beats=False)
    made = [one for segment in as_columns(ingested(stream)) for one in processor(state, segment)]
    return [one for one in made if isinstance(one, ClosedBars)]


@given(quote_streams())
def test_a_row_is_the_bar(stream: list[Any]) -> None:
    """From a table whose frame is not made, from a frame and from events: every value, and what is made of a bar."""
    for table in closed(stream):
        stamps = table.closed.ts_ingest
        segment = BarSegment("market.bars", table, stamps)
        bar_at, values = read(segment)
        rows = [bar_at(at) for at in range(len(segment))]
        found = list(values)
        wanted = events_of([table])
        assert rows == wanted
        assert [row.to_dict() for row in rows] == [bar.to_dict() for bar in wanted]
        assert {hash(row) for row in rows} == {hash(bar) for bar in wanted}
        assert found == [tuple(getattr(bar, name) for name in READ) for bar in wanted]
        of_frame = Columns("market.bars", 0, Bar, table.frame, segment.offsets, stamps)
        others: list[Segment] = [of_frame, rows_of(of_frame), Rows("market.bars", 0, rows, segment.offsets, stamps)]
        for other in others:
            assert other.model is Bar
            bar_of, values_of = read(other)
            assert list(values_of) == found
            assert [bar_of(at) for at in range(len(other))] == wanted
        assert rows_of(part(segment, 1, len(segment))).events == wanted[1:]


def test_a_row_is_as_good_as_a_bar() -> None:
    """It is an instance that cannot be changed, and copies and variants of it are bars."""
    values = {field.name: 1.0 if "float" in str(field.type) else 7 for field in fields(Bar)}

    class Source:
        """One bar."""

        def column(self, name: str) -> list[Any]:
            """Return the value of a field."""
            return [values[name]]

    row, bar = BarColumns(Source()).row(0), Bar(**values)  # type: ignore[arg-type]
    assert isinstance(row, Bar)
    assert bar == row
    assert row == bar
    assert repr(row) == repr(bar)
    assert (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))) == (bar, bar, bar)
    assert replace(row, mid_close=2.0) == replace(bar, mid_close=2.0)
    with pytest.raises(FrozenInstanceError):
        row.mid_close = 2.0  # type: ignore[misc]
    match row:
        case Bar(mid_close=close):
            assert close == bar.mid_close


def test_the_ids_of_a_table_are_those_of_its_rows() -> None:
    """They are computed when they are read, one or many."""
    (table,) = closed([tick(START + at * 400_000, 1.0 + at / 10, seq=at) for at in range(40)])
    ids = table.closed.column("event_id")
    assert ids[1:4] == [ids[1], ids[2], ids[3]]
    assert np.array_equal(table.frame["event_id"].to_list(), ids[:])
    assert len(set(ids)) == len(ids) == len(table)
