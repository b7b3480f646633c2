"""Columns with decimals say what the rows say, or refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import events, examples
from tradewind.connectors.sinks.loop.money_columns import frame_of_rows, money_reader
from tradewind.schemas.codec import MODELS, Codec, MisalignedRecords, UndecodableRecord
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision

CODEC = Codec({name: number for number, name in enumerate(MODELS, 1)}, lambda _: "")
MONEY = [model.SCHEMA for model in (Fill, OrderEvent, OrderRequest, Position)]


@pytest.mark.parametrize("name", MONEY)
@given(data=st.data())
@examples(25)
def test_columns_say_what_rows_say(name: str, data: st.DataObject) -> None:
    """Any batch reads by columns as it reads one by one: decimals of all lengths, nulls, enums and texts."""
    model = MODELS[name]
    batch = data.draw(st.lists(events(name), min_size=1, max_size=8))
    values = [CODEC.encode(event) for event in batch]
    reader = money_reader(model)
    assert reader is not None
    frame = reader.decode(values, CODEC.schema_id(values[0]))
    rows = [CODEC.decode(value).to_dict() for value in values]
    assert frame.to_dicts() == rows
    assert frame.equals(frame_of_rows(model, batch))


@pytest.mark.parametrize("name", MONEY)
@given(data=st.data())
@examples(50)
def test_a_corrupt_record_is_found_or_means_the_same(name: str, data: st.DataObject) -> None:
    """Where a record is damaged, columns refuse, or say what the rows say."""
    reader = money_reader(MODELS[name])
    assert reader is not None
    values = [CODEC.encode(event) for event in data.draw(st.lists(events(name), min_size=1, max_size=4))]
    row = data.draw(st.integers(0, len(values) - 1))
    place = data.draw(st.integers(5, len(values[row]) - 1))
    octets = data.draw(st.binary(max_size=2))
    values[row] = values[row][:place] + octets + values[row][place + 1 :]
    try:
        rows = [CODEC.decode(value).to_dict() for value in values]
    except UndecodableRecord:
        with pytest.raises(MisalignedRecords):
            reader.decode(values, CODEC.schema_id(values[0]))
        return
    try:
        frame = reader.decode(values, CODEC.schema_id(values[0]))
    except MisalignedRecords:
        return
    assert frame.to_dicts() == rows


@given(data=st.data())
@examples(30)
def test_what_has_arrays_is_framed_from_rows(data: st.DataObject) -> None:
    """Decisions have no columns of their own, and are a frame all the same."""
    assert money_reader(Decision) is None
    batch = data.draw(st.lists(events(Decision.SCHEMA), max_size=4))
    assert frame_of_rows(Decision, batch).to_dicts() == [event.to_dict() for event in batch]
