"""Slices of topics: which records count, in which order blocks have them, and what two namespaces differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from sinks.influx_writing import CODEC
from sinks.running import fill, tick

from tradewind.connectors.archive.records import frame_of
from tradewind.connectors.copying.comparison import Compared, Comparing
from tradewind.connectors.copying.merging import LOWEST, Timed, blocks, rising
from tradewind.connectors.copying.slice import By, Slice, times_of
from tradewind.connectors.copying.source import Origin
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat
from tradewind.topics import DECISIONS, FILLS, TICKS, Topic

INGESTED_MS = 1_700_000_000_000
ODD = (None, b"no event")


def records(topic: Topic, events: Sequence[Event | bytes | None]) -> pl.DataFrame:
    """Return records of a partition."""
    return frame_of(
        [
            Message(
                topic=topic.name,
                partition=0,
                offset=at,
                key=b"k",
                value=CODEC.encode(event) if isinstance(event, Event) else event,
                timestamp=(1, INGESTED_MS + at),
                headers=None,
            )
            for at, event in enumerate(events)
        ]
    )


class Kept:
    """A source in memory, of one partition."""

    name = "kept"

    def __init__(self, topic: Topic, events: Sequence[Event | bytes | None]) -> None:
        self.topic, self.rows = topic, records(topic, events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def partitions(self) -> Mapping[Origin, int]:
        """Return partition 0."""
        return {(self.topic.name, 0): 0}

    def pieces(self, _origin: Origin, first: int) -> Iterator[pl.DataFrame]:
        """Yield pieces of three records."""
        yield from self.rows.filter(pl.col("offset") >= first).iter_slices(3)


def compared(topic: Topic, one: Sequence[Event | bytes | None], other: Sequence[Event | bytes | None]) -> Compared:
    """Compare two lists of events."""
    (found,) = Comparing(Kept(topic, one), Kept(topic, other), Slice((topic,)), CODEC).topics()
    return found


@pytest.mark.parametrize("by", ["event", "ingest"])
def test_a_record_counts_by_its_own_time_or_by_when_it_came_in(by: By) -> None:
    """What has no time of its own has the latter only."""
    events = [tick(1), Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=77, ts_ingest=1), *ODD, tick(5)]
    came_in = [1000 * (INGESTED_MS + at) for at in range(5)]
    own = [tick(1).ts_event, 77, *came_in[2:4], tick(5).ts_event]
    assert times_of(records(TICKS, events), TICKS, by, CODEC).tolist() == (own if by == "event" else came_in)
    assert times_of(records(FILLS, [fill(3)]), FILLS, "event", CODEC).tolist() == [fill(3).ts_event]


def test_a_range_has_its_beginning_and_not_its_end() -> None:
    """As everywhere."""
    times = np.array([9, 10, 19, 20])
    assert Slice((TICKS,), 10, 20).holds(times).tolist() == [False, True, True, False]
    assert Slice((TICKS,)).holds(times).all()


def test_two_slices_or_sources_have_identities_of_their_own() -> None:
    """The topics are no part of it: a copy may get more of them."""
    one = Slice((TICKS,), 1, 2)
    others = [replace(one, start=0), replace(one, stop=None), replace(one, by="ingest")]
    assert len({one.identity("a"), one.identity("b"), *(other.identity("a") for other in others)}) == 5
    assert one.identity("a") == replace(one, topics=(FILLS,)).identity("a")


STREAMS = st.lists(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), max_size=4), max_size=4)


@given(STREAMS, st.sampled_from([1, 7, 2**62]))
def test_blocks_keep_each_order_and_go_on_in_time(streams: list[list[list[int]]], span_us: int) -> None:
    """Whatever times records have; a block covers no more time than it may, and what follows it is not earlier."""

    def stream(pieces: list[list[int]]) -> Iterator[Timed]:
        reached, offset = LOWEST, 0
        for times in pieces:
            own = rising(np.array(times), reached)
            reached = int(own[-1])
            rows = pl.DataFrame({"offset": range(offset, offset + len(times)), "reached": own})
            offset += len(times)
            yield Timed(rows, own)

    found: dict[Origin, list[int]] = {}
    last = LOWEST
    for block in blocks({("t", at): stream(pieces) for at, pieces in enumerate(streams)}, span_us):
        times = [ts for rows in block.parts.values() for ts in rows["reached"]]
        assert block.count == len(times) > 0
        assert last <= min(times)
        assert max(times) - min(times) <= span_us
        last = block.reached
        assert last >= max(times)
        for origin, rows in block.parts.items():
            found.setdefault(origin, []).extend(rows["offset"])
    assert found == {("t", at): list(range(sum(map(len, pieces)))) for at, pieces in enumerate(streams) if pieces}


def test_equal_topics_are_equal_whenever_they_were_processed() -> None:
    """What differs in `ts_ingest` alone is no difference."""
    one = [fill(number) for number in range(7)]
    assert compared(FILLS, one, [replace(event, ts_ingest=5) for event in one]).equal == 7
    assert compared(FILLS, one, one).same


def test_heartbeats_that_depend_on_transactions_are_no_difference() -> None:
    """A transaction sends only the newest, so another run has others; on a topic with all of them they count."""
    beats = [Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=at, ts_ingest=1) for at in (1, 2)]
    assert compared(DECISIONS, beats, beats[1:]).same
    assert compared(TICKS, beats, beats[1:]).missing == 1


def test_a_changed_event_is_found_by_its_id_with_the_fields_that_differ() -> None:
    """The first one, with the offsets of both."""
    one = [fill(number) for number in range(7)]
    other = [one[0], *one[3:], replace(one[1], price=one[1].price + 1), fill(99)]
    found = compared(FILLS, one, other)
    assert (found.equal, found.missing, found.extra, found.different) == (5, 1, 1, 1)
    assert str(found.first).startswith("execution.fills/0@1,5: different: price: Decimal('1.08")


def test_a_changed_tick_is_found_by_its_sequence() -> None:
    """And a record that is no event by its bytes."""
    one = [tick(1), tick(2), *ODD]
    found = compared(TICKS, one, [tick(1), tick(2, bid=2.5), *ODD])
    assert (found.equal, found.different) == (3, 1)
    assert str(found.first) == "market.ticks/0@1,1: different: bid: 3.0, 2.5"
    lost = compared(TICKS, one, [tick(1), *ODD])
    assert (lost.missing, str(lost.first)) == (1, "market.ticks/0@1,-: missing")
    more = compared(TICKS, [tick(1)], [tick(1), tick(1)])
    assert (more.extra, str(more.first)) == (1, "market.ticks/0@-,1: extra")
