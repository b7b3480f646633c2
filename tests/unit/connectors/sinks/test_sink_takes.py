"""What a sink takes from one poll: records, and what the client says of their partitions beside them."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import CODEC, NOWHERE

from tradewind.connectors.sinks.loop.lease import Lease
from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
from tradewind.connectors.sinks.sink import Batch, Sink
from tradewind.topics import TICKS, Topic

AT = NOWHERE.physical(TICKS)


class Nowhere(Sink):
    """A sink that is never asked to write."""

    name = "nowhere"
    topics: tuple[Topic, ...] = (TICKS,)

    async def write(self, batch: Batch) -> None:
        raise NotImplementedError


def record(offset: int) -> Message:
    """Make a record of the partition."""
    return Message(topic=AT, partition=0, offset=offset, value=b"v")


def said(code: int, offset: int) -> Message:
    """Make what the client says of the partition."""
    return Message(topic=AT, partition=0, offset=offset, error=KafkaError(code))


def loop_of(lease: Lease) -> SinkLoop:
    """Return a loop that reads the lease's partition."""
    loop = SinkLoop(NOWHERE, Nowhere(), CODEC)
    loop._leases[AT, 0] = lease
    return loop


def opened() -> Lease:
    """Return a lease that is read from its beginning."""
    lease = Lease(TICKS, 0)
    lease.open_at(0, 0.0)
    return lease


@given(st.lists(st.integers(min_value=1, max_value=6), min_size=1, max_size=6), st.integers(min_value=0, max_value=3))
def test_an_end_that_comes_with_records_leaves_the_position_behind_the_markers(polls: list[int], markers: int) -> None:
    """Whether the end is told beside the records before it, those behind it, or alone."""
    lease, at = opened(), 0
    loop = loop_of(lease)
    for records in polls:
        end = at + records + markers
        loop._take([*map(record, range(at, at + records)), said(KafkaError._PARTITION_EOF, end)])
        assert lease.next_offset == end
        at = end
    loop._take([said(KafkaError._PARTITION_EOF, at), record(at), record(at + 1)])
    assert lease.next_offset == at + 2
    assert len(lease.messages) == loop.counters.taken == sum(polls) + 2


def test_records_that_came_before_their_partition_is_opened_again_are_kept() -> None:
    """The client may say that an offset is gone in the same poll that gives the last records before it."""
    lease = opened()
    loop = loop_of(lease)
    loop._take([record(0), record(1), said(KafkaError._AUTO_OFFSET_RESET, 2)])
    assert (len(lease.messages), lease.next_offset, lease.opened) == (2, 2, False)


@given(
    st.integers(min_value=0, max_value=30),
    st.lists(st.tuples(st.integers(min_value=0, max_value=40), st.integers(min_value=1, max_value=12)), max_size=6),
)
def test_memory_holds_no_record_from_before_the_position(start: int, fetches: list[tuple[int, int]]) -> None:
    """Wherever the client reads, what is taken can be handed over, in order and once; the rest is counted."""
    lease = Lease(TICKS, 0)
    lease.open_at(start, 0.0)
    loop = loop_of(lease)
    for first, count in fetches:
        loop._take([record(offset) for offset in range(first, first + count)])
        assert lease.pending == bool(lease.messages)
        assert lease.size == len(lease.messages) * len(b"v")
    held = [message.offset() for message in lease.messages]
    assert held == sorted(set(held))
    assert all(offset >= start for offset in held)
    assert lease.next_offset == (held[-1] + 1 if held else start)
    assert loop.counters.taken == len(held)
    assert loop.counters.repeated == sum(count for _, count in fetches) - len(held)
