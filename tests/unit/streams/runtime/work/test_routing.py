"""An event goes to every output that carries it, to the partition where its readers look, at the time it came in."""

from dataclasses import replace

import polars as pl
import pytest
from processing import SECOND, START, bar, request
from runtime.records import CODEC, NOWHERE, beat, chunk, tick

from tradewind.connectors.telemetry.trace_context import as_traced
from tradewind.processors.batch import Merged, Table
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.work.pieces import Cutter
from tradewind.streams.runtime.work.routing import Router, stamps_of
from tradewind.topics import BARS, DECISIONS, LATE_TICKS, ORDER_REQUESTS, TICKS, Topic
from tradewind.topics.partitioner import partition_of


def bar_of(number: int, symbol: str) -> Bar:
    """Return a bar."""
    return bar(START + number * SECOND, symbol=symbol)


def router(*outputs: Topic) -> Router:
    """Return the router of an agent with some outputs."""
    return Router(
        Agent(name="a", inputs=(TICKS,), outputs=outputs, processor=lambda state, segment: []), NOWHERE, CODEC
    )


def test_an_event_goes_to_every_output_that_carries_its_type() -> None:
    """Heartbeats travel on several topics; each copy has the topic's key and partition."""
    outs = list(router(BARS, DECISIONS).route([beat(5)], None))
    assert [out.topic for out in outs] == ["t.market.bars", "t.risk.decisions"]
    for out in outs:
        assert out.key == b"EURUSD.OANDA"
        assert out.partition == partition_of(b"EURUSD.OANDA", 4)
        assert out.timestamp == beat(5).ts_ingest // 1000
        assert out.value is not None
        assert CODEC.decode(out.value) == beat(5)


def test_another_key_may_choose_the_partition() -> None:
    """Positions are keyed by account, and lie with their instrument."""
    topic = replace(BARS, partition_key=lambda event: "chosen")
    (out,) = router(topic).route([beat(5)], None)
    assert (out.key, out.partition) == (b"EURUSD.OANDA", partition_of(b"chosen", 4))


def test_a_broadcast_goes_to_every_partition() -> None:
    """Every task of the readers must see it."""
    outs = list(router(replace(BARS, broadcast=True)).route([beat(5)], None))
    assert [out.partition for out in outs] == [0, 1, 2, 3]


def test_a_tick_that_is_passed_on_keeps_the_timestamp_of_its_record() -> None:
    """However the segment was cut: in columns it is found by what identifies it, in rows by being the same."""
    ticks = [tick(10, seq=1), tick(10, seq=2), tick(11, seq=3)]
    (piece,) = Cutter(CODEC, row_records=0).cut(TICKS, chunk(TICKS, ticks))
    assert piece.segment is not None
    stamp = stamps_of(piece.segment)
    assert [stamp(one) for one in ticks] == piece.segment.ts_ingest.tolist()
    (row,) = Cutter(CODEC, row_records=0).cut(LATE_TICKS, chunk(LATE_TICKS, ticks))
    assert row.segment is not None
    assert [stamps_of(row.segment)(one) for one in row.segment.events] == row.segment.ts_ingest.tolist()  # type: ignore[union-attr]
    outs = list(router(LATE_TICKS).route([ticks[1]], piece.segment))
    assert outs[0].timestamp * 1000 == piece.segment.ts_ingest[1]


def test_an_event_that_came_in_by_no_record_gets_the_last_records_timestamp() -> None:
    """A processor may make a tick of its own."""
    (piece,) = Cutter(CODEC).cut(TICKS, chunk(TICKS, [tick(10), tick(20), tick(30)]))
    assert piece.segment is not None
    assert stamps_of(piece.segment)(tick(99, seq=5)) == piece.segment.ts_ingest[2]
    assert {Tick, Heartbeat} == set(TICKS.models)


def test_a_table_is_sent_as_its_events_are() -> None:
    """The same topics, partitions, keys, bytes and timestamps, in the same order; only faster."""
    bars = [bar_of(number, symbol) for number in range(40) for symbol in ("EURUSD", "XAUUSD", "BTCUSDT")]
    frame = pl.DataFrame([one.to_dict() for one in bars], schema=dict(CODEC.decode_columns(Bar, []).schema))
    assert list(router(BARS).route([Table(Bar, frame)], None)) == list(router(BARS).route(bars, None))


def test_events_may_follow_a_table() -> None:
    """In the order in which the processor gave them."""
    frame = pl.DataFrame([bar_of(1, "EURUSD").to_dict()], schema=dict(CODEC.decode_columns(Bar, []).schema))
    outs = list(router(BARS).route([Table(Bar, frame), beat(5), Table(Bar, frame)], None))
    assert [type(CODEC.decode(out.value)) for out in outs if out.value] == [Bar, Heartbeat, Bar]


def test_events_among_the_rows_of_a_table_are_sent_in_their_order() -> None:
    """As all of them are as events; a model that goes to two topics has no one order, and is a bug."""
    bars, beats = [bar_of(number, "EURUSD") for number in range(3)], [beat(5), beat(6)]
    frame = pl.DataFrame([one.to_dict() for one in bars], schema=dict(CODEC.decode_columns(Bar, []).schema))
    merged = Merged(Table(Bar, frame), beats, [False, True, False, False, True])
    events = [bars[0], beats[0], bars[1], bars[2], beats[1]]
    assert merged.events() == events
    assert list(router(BARS).route([merged], None)) == list(router(BARS).route(events, None))
    with pytest.raises(AgentCrashed, match="more than one of its outputs"):
        list(router(BARS, replace(BARS, name="other")).route([merged], None))


def test_records_of_events_in_a_chain_name_their_trace_and_bars_do_not() -> None:
    """A header takes longer than a bar."""
    asked, bar_ = request(1), bar_of(1, "EURUSD")
    (traced, *_) = router(ORDER_REQUESTS).route([asked], None)
    assert traced.traced == as_traced(asked) is not None
    assert [out.traced for out in router(BARS).route([bar_, beat(5)], None)] == [None, None]


def test_a_table_for_a_topic_of_other_keys_is_a_bug() -> None:
    """It would be keyed wrongly, and nobody would notice."""
    frame = pl.DataFrame([bar_of(1, "EURUSD").to_dict()], schema=dict(CODEC.decode_columns(Bar, []).schema))
    others = (
        replace(BARS, key=lambda event: "one", key_columns=()),
        replace(BARS, partition_key=lambda event: "one"),
        replace(BARS, broadcast=True),
    )
    for other in others:
        with pytest.raises(AgentCrashed, match="not keyed by columns"):
            list(router(other).route([Table(Bar, frame)], None))
    with pytest.raises(AgentCrashed, match="none of its outputs carries"):
        list(router(DECISIONS).route([Table(Bar, frame)], None))
