"""A chunk is cut into runs of one model, decoded, and nothing of it is lost or misread."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.records import CODEC, INGEST_MS, LEASE, Raw, beat, chunk, raws, tick

from tradewind.processors.batch import Columns, Rows, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.runtime.errors import SchemaUnavailable
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.sizes import AS_USUAL
from tradewind.streams.runtime.work.dead_letters import letter_of
from tradewind.streams.runtime.work.pieces import Cutter, Piece
from tradewind.topics import DECISIONS, TICKS

GARBAGE = (b"", b"\x00", b"not avro at all", CODEC.encode(tick(1))[:-1], CODEC.encode(tick(1)) + b"\x00")
FLAWED = (
    *(tick(1, bid=bid) for bid in (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300)),
    *(replace(tick(1), ask=0.5), replace(tick(1), ask_size=math.nan), replace(tick(1), bid_size=-1.0)),
    *(tick(-1), tick(2**62), tick(1, symbol=""), tick(1, symbol="x" * 200_000), beat(-2), beat(2**63 - 1)),
)
EVENTS = st.one_of(st.builds(tick, st.integers(0, 2**40)), st.builds(beat, st.integers(0, 2**40)))
VALUES = st.lists(st.one_of(EVENTS, EVENTS, st.none(), st.sampled_from([*GARBAGE, *FLAWED])), max_size=40)
FEW = st.sampled_from((0, 3, AS_USUAL.row_records))
"""Up to how many records are read one by one."""


def cut(values: Sequence[Event | bytes | None], few: int = AS_USUAL.row_records) -> list[Piece]:
    """Return the pieces of a chunk of ticks."""
    return list(Cutter(CODEC, few).cut(TICKS, chunk(TICKS, values)))


def events_of(pieces: Sequence[Piece]) -> list[Event]:
    """Return the events of all segments."""
    return [event for piece in pieces if piece.segment is not None for event in rows_of(piece.segment).events]


@settings(deadline=None)
@given(VALUES, FEW)
def test_every_record_is_decoded_and_in_range_or_refused(values: list[Event | bytes | None], few: int) -> None:
    """Good ones come in order with their offsets and timestamps; the others are told one by one."""
    pieces = cut(values, few)
    assert events_of(pieces) == [value for value in values if isinstance(value, Event) and value not in FLAWED]
    bad = [(found.record.offset, found.error) for piece in pieces for found in piece.refused]
    assert bad == [
        (at, "POISON" if value in FLAWED else "UNDECODABLE")
        for at, value in enumerate(values)
        if value in FLAWED or not isinstance(value, Event)
    ]
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
        at += len(piece.records) + len(piece.refused)
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
        assert head.refused + tail.refused == piece.refused
        assert head.next == tail.records[0].offset
        assert all(bad.record.offset < head.next for bad in head.refused)
        assert tail.next == piece.next


def test_a_columnar_topic_comes_in_columns_and_another_in_rows() -> None:
    """Both carry the logical name of the topic, whatever it is called on the cluster."""
    many = AS_USUAL.row_records + 1
    (columns,) = cut([tick(at) for at in range(many)])
    assert isinstance(columns.segment, Columns)
    assert columns.segment.model is Tick
    assert columns.segment.topic == "market.ticks"
    (rows,) = Cutter(CODEC).cut(DECISIONS, chunk(DECISIONS, [beat(at) for at in range(many)]))
    assert isinstance(rows.segment, Rows)


def test_few_records_of_a_columnar_topic_come_in_rows() -> None:
    """A frame takes its time, whatever is in it; how many it takes is counted with the undecodable ones."""
    (rows,) = cut([tick(at) for at in range(AS_USUAL.row_records)])
    assert isinstance(rows.segment, Rows)
    assert rows.segment.model is Tick
    assert rows.segment.topic == "market.ticks"
    (mixed,) = cut([*(tick(at) for at in range(AS_USUAL.row_records)), GARBAGE[-1]])
    assert isinstance(mixed.segment, Columns)
    assert len(mixed.segment) == AS_USUAL.row_records


@pytest.mark.parametrize("few", [0, AS_USUAL.row_records])
@pytest.mark.parametrize("flawed", FLAWED, ids=lambda event: str(event)[:60])
def test_what_is_out_of_range_is_refused_and_named(flawed: Event, few: int) -> None:
    """Read by columns or one by one, the reason is the same: the field, its value and the range."""
    (piece,) = cut([*(beat(at) for at in (1, 2)), flawed, beat(3)] if isinstance(flawed, Heartbeat) else [flawed], few)
    (refused,) = piece.refused
    assert (refused.error, refused.reason) == ("POISON", flaw_of(flawed))
    assert "its range is" in refused.reason or "the rule is" in refused.reason


@pytest.mark.parametrize("timestamp", [-1, -(2**62), 2**62])
def test_a_record_whose_own_timestamp_is_impossible_is_refused(timestamp: int) -> None:
    """What comes of it would carry that time."""
    records = Records.of([Raw(0, CODEC.encode(tick(1)), timestamp=timestamp), *raws([tick(2)], 1)])
    (piece,) = Cutter(CODEC).cut(TICKS, Chunk(("t.market.ticks", 0), LEASE, 1, 0, records, 2))
    assert [(bad.record.offset, bad.error) for bad in piece.refused] == [(0, "POISON")]
    assert piece.refused[0].reason.startswith(f"the record's timestamp is {timestamp} ms; its range is from 0 to")
    assert piece.segment is not None
    assert piece.segment.offsets.tolist() == [1]
    CODEC.encode(letter_of("market", ("market.ticks", 0), records[0], "POISON", "r"))  # and the letter holds it


def test_models_alternate_in_runs() -> None:
    """Heartbeats among ticks end a segment and begin another."""
    pieces = cut([tick(1), tick(2), beat(3), tick(4)])
    runs = [(piece.segment.model, len(piece.records)) for piece in pieces if piece.segment is not None]
    assert runs == [(Tick, 2), (Heartbeat, 1), (Tick, 1)]


def test_an_event_of_another_topic_is_undecodable() -> None:
    """A decision among ticks would reach a processor that cannot know it."""
    (piece,) = Cutter(CODEC).cut(DECISIONS, chunk(DECISIONS, [tick(1)]))
    assert piece.segment is None
    assert piece.refused[0].reason == "it is a Tick; risk.decisions carries Decision, Heartbeat, CancelOrder"


def test_a_chunk_without_records_only_moves_the_position() -> None:
    """Markers of transactions take offsets, and the position is committed past them."""
    (piece,) = Cutter(CODEC).cut(TICKS, Chunk(("t.market.ticks", 0), LEASE, 1, 5, Records.of(()), 9))
    assert (piece.segment, piece.refused, piece.next) == (None, (), 9)


def test_one_bad_record_among_thousands_costs_no_other() -> None:
    """Decoding falls back to rows for the chunk, and the good records are columns again."""
    values: list[Event | bytes | None] = [tick(at) for at in range(5000)]
    values[1234] = CODEC.encode(tick(1))[:-3]
    (piece,) = cut(values)
    assert [bad.record.offset for bad in piece.refused] == [1234]
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
