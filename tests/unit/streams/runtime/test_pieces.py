"""A chunk is cut into runs of one model, decoded, and nothing of it is lost or misread."""

from collections.abc import Sequence
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_records import CODEC, INGEST_MS, LEASE, beat, chunk, raws, tick

from tradewind.processors.batch import Columns, Rows, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.runtime import pieces as cutting
from tradewind.streams.runtime.chunk import Chunk
from tradewind.streams.runtime.errors import SchemaUnavailable
from tradewind.streams.runtime.pieces import FEW_RECORDS, Cutter, Piece
from tradewind.streams.runtime.records import Records
from tradewind.topics import DECISIONS, TICKS

GARBAGE = (b"", b"\x00", b"not avro at all", CODEC.encode(tick(1))[:-1], CODEC.encode(tick(1)) + b"\x00")
EVENTS = st.one_of(st.builds(tick, st.integers(0, 2**40)), st.builds(beat, st.integers(0, 2**40)))
VALUES = st.lists(st.one_of(EVENTS, EVENTS, st.none(), st.sampled_from(GARBAGE)), max_size=40)
FEW = st.sampled_from((0, 3, FEW_RECORDS))
"""Up to how many records are read one by one."""


def cut(values: Sequence[Event | bytes | None], few: int = FEW_RECORDS) -> list[Piece]:
    """Return the pieces of a chunk of ticks."""
    with mock.patch.object(cutting, "FEW_RECORDS", few):
        return list(Cutter(CODEC).cut(TICKS, chunk(TICKS, values)))


def events_of(pieces: Sequence[Piece]) -> list[Event]:
    """Return the events of all segments."""
    return [event for piece in pieces if piece.segment is not None for event in rows_of(piece.segment).events]


@settings(deadline=None)
@given(VALUES, FEW)
def test_every_record_is_decoded_or_undecodable(values: list[Event | bytes | None], few: int) -> None:
    """Good ones come in order with their offsets and timestamps; the others are told one by one."""
    pieces = cut(values, few)
    assert events_of(pieces) == [value for value in values if isinstance(value, Event)]
    bad = [found.record.offset for piece in pieces for found in piece.undecodable]
    assert bad == [at for at, value in enumerate(values) if not isinstance(value, Event)]
    for piece in pieces:
        if piece.segment is not None:
            assert [record.offset for record in piece.records] == piece.segment.offsets.tolist()
            stamps = [(INGEST_MS + offset) * 1000 for offset in piece.segment.offsets.tolist()]
            assert piece.segment.ts_ingest.tolist() == stamps


@settings(deadline=None)
@given(VALUES, FEW)
def test_positions_lead_from_piece_to_piece_to_the_end_of_the_chunk(
    values: list[Event | bytes | None], few: int
) -> None:
    """Each piece says where the partition goes on after it: at the next record, or past the chunk."""
    at = 0
    for piece in cut(values, few):
        at += len(piece.records) + len(piece.undecodable)
        assert piece.next == at
    assert at == len(values)


@settings(deadline=None)
@given(VALUES, FEW, st.data())
def test_a_piece_split_in_two_is_the_same_piece(
    values: list[Event | bytes | None], few: int, data: st.DataObject
) -> None:
    """Rows and undecodable records go to the side of the border that their offsets are on."""
    for piece in cut(values, few):
        if len(piece.records) < 2:
            continue
        row = data.draw(st.integers(1, len(piece.records) - 1))
        head, tail = piece.split(row)
        assert events_of([head, tail]) == events_of([piece])
        assert head.undecodable + tail.undecodable == piece.undecodable
        assert head.next == tail.records[0].offset
        assert all(bad.record.offset < head.next for bad in head.undecodable)
        assert tail.next == piece.next


def test_a_columnar_topic_comes_in_columns_and_another_in_rows() -> None:
    """Both carry the logical name of the topic, whatever it is called on the cluster."""
    many = FEW_RECORDS + 1
    (columns,) = cut([tick(at) for at in range(many)])
    assert isinstance(columns.segment, Columns)
    assert columns.segment.model is Tick
    assert columns.segment.topic == "market.ticks"
    (rows,) = Cutter(CODEC).cut(DECISIONS, chunk(DECISIONS, [beat(at) for at in range(many)]))
    assert isinstance(rows.segment, Rows)


def test_few_records_of_a_columnar_topic_come_in_rows() -> None:
    """A frame takes its time, whatever is in it; how many it takes is counted with the undecodable ones."""
    (rows,) = cut([tick(at) for at in range(FEW_RECORDS)])
    assert isinstance(rows.segment, Rows)
    assert rows.segment.model is Tick
    assert rows.segment.topic == "market.ticks"
    (mixed,) = cut([*(tick(at) for at in range(FEW_RECORDS)), GARBAGE[-1]])
    assert isinstance(mixed.segment, Columns)
    assert len(mixed.segment) == FEW_RECORDS


def test_models_alternate_in_runs() -> None:
    """Heartbeats among ticks end a segment and begin another."""
    pieces = cut([tick(1), tick(2), beat(3), tick(4)])
    runs = [(piece.segment.model, len(piece.records)) for piece in pieces if piece.segment is not None]
    assert runs == [(Tick, 2), (Heartbeat, 1), (Tick, 1)]


def test_an_event_of_another_topic_is_undecodable() -> None:
    """A decision among ticks would reach a processor that cannot know it."""
    (piece,) = Cutter(CODEC).cut(DECISIONS, chunk(DECISIONS, [tick(1)]))
    assert piece.segment is None
    assert piece.undecodable[0].reason == "it is a Tick; risk.decisions carries Decision, Heartbeat"


def test_a_chunk_without_records_only_moves_the_position() -> None:
    """Markers of transactions take offsets, and the position is committed past them."""
    (piece,) = Cutter(CODEC).cut(TICKS, Chunk(("t.market.ticks", 0), LEASE, 1, 5, Records.of(()), 9))
    assert (piece.segment, piece.undecodable, piece.next) == (None, (), 9)


def test_one_bad_record_among_thousands_costs_no_other() -> None:
    """Decoding falls back to rows for the chunk, and the good records are columns again."""
    values: list[Event | bytes | None] = [tick(at) for at in range(5000)]
    values[1234] = CODEC.encode(tick(1))[:-3]
    (piece,) = cut(values)
    assert [bad.record.offset for bad in piece.undecodable] == [1234]
    assert isinstance(piece.segment, Columns)
    assert piece.segment.offsets.tolist() == [at for at in range(5000) if at != 1234]


def test_a_registry_that_is_away_is_no_reason_for_a_dead_letter() -> None:
    """Records of a schema that cannot be asked for are tried again, not buried."""

    class Away:
        def schema_id(self, value: bytes) -> int:
            return 7

        def model_of(self, schema_id: int) -> type[Event]:
            raise ConnectionError("no route to the registry")

    with pytest.raises(SchemaUnavailable, match="no route to the registry"):
        list(Cutter(Away()).cut(TICKS, chunk(TICKS, [tick(1)])))  # type: ignore[arg-type]


def test_a_chunk_is_not_copied_where_it_is_one_run() -> None:
    """A piece quotes what lies in the chunk's own bytes."""
    fetched = Chunk(("t.market.ticks", 0), LEASE, 1, 0, Records.of(raws([tick(1), tick(2)])), 2)
    (piece,) = Cutter(CODEC).cut(TICKS, fetched)
    assert piece.records.values.data is fetched.records.values.data
