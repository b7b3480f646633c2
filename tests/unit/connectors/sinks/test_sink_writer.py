"""The writer: what is written, what is tried again, what becomes a dead letter."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, cast

import pytest
from confluent_kafka import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.connectors.sinks.loop.counters import Counters
from tradewind.connectors.sinks.loop.dead_letters import Rejected
from tradewind.connectors.sinks.loop.lease import Lease, Run
from tradewind.connectors.sinks.loop.limits import Limits
from tradewind.connectors.sinks.loop.writer import Writer, cut, cut_around
from tradewind.connectors.sinks.sink import Batch, OwnerFenced, PoisonBatch, Sink, StoreUnavailable
from tradewind.processors.batch import rows_of
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.topics import TICKS, Topic

FAST = Limits(retry_first_s=0.001, retry_most_s=0.002, stop_s=2.0)
SLACK_S = 15.0
"""Of a busy machine; what would hang takes longer."""


def _unknown(schema_id: int) -> str:
    raise LookupError(schema_id)


CODEC = Codec({name: number for number, name in enumerate(MODELS, 1)}, _unknown)


QUOTE = Tick(symbol="EURUSD", venue="OANDA", seq=0, ts_event=1, bid=1.0, ask=1.1)


def tick(seq: int) -> bytes:
    """Encode a quote."""
    return CODEC.encode(replace(QUOTE, seq=seq, ts_event=seq))


def message(offset: int, value: bytes | None) -> Message:
    """Make a record as the client gives it."""
    return Message(
        topic="market.ticks", partition=0, offset=offset, key=b"k", value=value, timestamp=(1, offset), headers=None
    )


class Letters:
    """Dead letters, in memory."""

    def __init__(self) -> None:
        self.got: list[Rejected] = []

    def send(self, topic: Topic, rejected: Sequence[Rejected]) -> None:
        self.got += rejected


class Store(Sink):
    """A store in memory that refuses some sequences, and fails as told."""

    name = "memory"
    topics: tuple[Topic, ...] = (TICKS,)
    form: ClassVar[Literal["rows", "columns"]] = "columns"

    def __init__(self, poison: frozenset[int] = frozenset(), *, named: bool | None = False) -> None:
        """Refuse some sequences: the first of them is named, each (`named` is None), or none."""
        self.poison = poison
        self.named = named
        self.written: list[int] = []
        self.failures: list[Exception] = []
        self.attempts = 0

    async def write(self, batch: Batch) -> None:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop()
        seqs = batch.frame["seq"].to_list()
        bad = [index for index, seq in enumerate(seqs) if seq in self.poison]
        if bad:
            raise PoisonBatch("refused", bad[0] if self.named else None, bad if self.named is None else ())
        self.written += seqs


class Keeper(Store):
    """A store that keeps positions."""

    def __init__(self, poison: frozenset[int] = frozenset(), *, named: bool | None = False) -> None:
        super().__init__(poison, named=named)
        self.positions: list[int] = []

    async def claim(self, origins: Sequence[tuple[str, int]]) -> dict[tuple[str, int], object]:
        raise AssertionError(origins)

    async def write(self, batch: Batch) -> None:
        if len(batch):
            await super().write(batch)
        self.positions.append(batch.next_offset)


def writing(
    sink: Sink, values: Sequence[bytes | None], then: Callable[[Writer, Lease], None] | None = None
) -> tuple[Lease, Letters, Counters]:
    """Write values at offsets 0, 2, 4 and so on, for markers stand between; return the lease, letters and counters."""
    letters, counters, lease = Letters(), Counters(), Lease(TICKS, 0)
    writer = Writer(sink, CODEC, letters, FAST, counters)
    messages = [message(2 * number, value) for number, value in enumerate(values)]
    writer.start()
    writer.submit(Run(lease, messages, 1, 2 * len(values) + 1))
    if then is not None:
        then(writer, lease)
    else:
        deadline = time.monotonic() + 5
        while writer.load and time.monotonic() < deadline:
            writer.wait(0.05)
            writer.check()
    writer.stop(2)
    return lease, letters, counters


@given(
    count=st.integers(1, 40),
    poison=st.frozensets(st.integers(0, 39)),
    named=st.none() | st.booleans(),
    keeps=st.booleans(),
    failures=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_all_but_poison_is_written_once_in_order(
    count: int, poison: frozenset[int], named: bool | None, keeps: bool, failures: int
) -> None:
    """However many are poison, named or not, with or without failures: the rest is written, and they are letters."""
    sink = (Keeper if keeps else Store)(poison, named=named)
    sink.failures = [StoreUnavailable("not now") for _ in range(failures)]
    lease, letters, counters = writing(sink, [tick(seq) for seq in range(count)])
    expected_bad = sorted(seq for seq in poison if seq < count)
    assert sink.written == [seq for seq in range(count) if seq not in poison]
    assert [one.message.offset() for one in letters.got] == [2 * seq for seq in expected_bad]
    assert {one.error for one in letters.got} <= {"POISON"}
    assert lease.written == 2 * count + 1
    assert (counters.written, counters.poison, counters.retries) == (len(sink.written), len(expected_bad), failures)
    if isinstance(sink, Keeper):
        assert sink.positions == sorted(sink.positions)
        assert sink.positions[-1] == 2 * count + 1


@given(count=st.integers(2, 40), poison=st.frozensets(st.integers(0, 39), min_size=1))
@settings(max_examples=60, deadline=None)
def test_poison_that_is_named_is_not_looked_for(count: int, poison: frozenset[int]) -> None:
    """A store that names every record is asked once for each, once for each run between them, and once in all."""
    sink = Store(poison, named=None)
    writing(sink, [tick(seq) for seq in range(count)])
    bad = sorted(seq for seq in poison if seq < count)
    runs = sum(seq not in poison and (seq == 0 or seq - 1 in poison) for seq in range(count))
    assert sink.attempts == (1 + len(bad) + runs if bad else 1)


@given(st.lists(st.sampled_from(["tick", "heartbeat", "tombstone", "garbage", "no frame", "cut short"]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_what_is_no_event_is_left_out_or_a_letter(kinds: list[str]) -> None:
    """Heartbeats and tombstones are skipped; what no schema fits is a letter; every tick is written."""
    beat = CODEC.encode(Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=1, ts_ingest=1))
    make: dict[str, Callable[[int], bytes | None]] = {
        "tick": tick,
        "heartbeat": lambda _: beat,
        "tombstone": lambda _: None,
        "garbage": lambda _: b"\x00\x00\x00\x27\x0fgarbage",
        "no frame": lambda _: b"x",
        "cut short": lambda seq: tick(seq)[:-3],
    }
    sink = Store()
    lease, letters, _ = writing(sink, [make[kind](seq) for seq, kind in enumerate(kinds)])
    bad = [2 * seq for seq, kind in enumerate(kinds) if kind in {"garbage", "no frame", "cut short"}]
    assert sink.written == [seq for seq, kind in enumerate(kinds) if kind == "tick"]
    assert sorted(one.message.offset() for one in letters.got) == bad
    assert {one.error for one in letters.got} <= {"UNDECODABLE"}
    assert lease.written == 2 * len(kinds) + 1


FLAWS: dict[str, dict[str, float]] = {
    "NaN": {"bid": math.nan},
    "infinite": {"ask": math.inf},
    "crossed": {"bid": 1.2},
    "negative": {"bid": -1.0},
    "size": {"ask_size": -1.0},
    "year": {"ts_event": 2**61},
}


@pytest.mark.parametrize("form", ["rows", "columns"])
def test_what_agents_refuse_is_not_written(form: Literal["rows", "columns"]) -> None:
    """A sink stores what the agents were given: the others are letters that name the field, in both forms."""

    class Formed(Store):
        async def write(self, batch: Batch) -> None:
            if batch.data is not None:
                self.written += [cast("Tick", event).seq for event in rows_of(batch.data).events]

    Formed.form = form
    sink, names = Formed(), [*FLAWS, "good", *FLAWS]
    quotes = [replace(QUOTE, seq=seq, **FLAWS.get(name, {})) for seq, name in enumerate(names)]  # type: ignore[arg-type]
    _, letters, counters = writing(sink, [CODEC.encode(quote) for quote in quotes])
    assert sink.written == [len(FLAWS)]
    assert {one.error for one in letters.got} == {"POISON"}
    assert {one.message.offset(): one.reason for one in letters.got} == {
        2 * seq: flaw_of(quote) for seq, quote in enumerate(quotes) if seq != len(FLAWS)
    }
    assert (counters.poison, counters.undecodable) == (2 * len(FLAWS), 0)


def test_a_bug_ends_the_writer_and_nothing_is_written_off() -> None:
    """An error that is neither transient nor poison is raised in the loop; the position stays."""
    sink = Store()
    sink.failures = [ZeroDivisionError("bug")]

    def wait(writer: Writer, lease: Lease) -> None:
        while writer.load:
            writer.wait(0.05)
        writer.stop(2)
        with pytest.raises(ZeroDivisionError):
            writer.check()
        assert lease.written == 0

    writing(sink, [tick(0)], wait)


def test_a_fenced_batch_is_dropped_and_told() -> None:
    """Where another process owns the partition, nothing counts as written."""
    sink = Store()
    sink.failures = [OwnerFenced("claimed since")]
    lease, _, counters = writing(sink, [tick(0)])
    assert lease.fenced
    assert lease.written == 0
    assert counters.fenced == 1


def test_a_revoked_lease_ends_the_tries() -> None:
    """A store that is down keeps nobody waiting once the partition is given back."""
    sink = Store()
    sink.failures = [StoreUnavailable("down")] * 100_000

    def revoke(writer: Writer, lease: Lease) -> None:
        while sink.attempts < 3:
            time.sleep(0.001)
        lease.live = False
        start = time.monotonic()
        writer.wait_for([lease], 4 * SLACK_S)
        assert time.monotonic() - start < SLACK_S

    lease, _, counters = writing(sink, [tick(0)], revoke)
    assert lease.written == 0
    assert counters.dropped == 1


def test_a_write_that_hangs_does_not_hold_up_the_stop() -> None:
    """The writer is left behind after its time, and what it does then is not committed."""
    hang = threading.Event()

    class Hanging(Store):
        async def write(self, batch: Batch) -> None:
            hang.wait(4 * SLACK_S)

    letters, counters, lease = Letters(), Counters(), Lease(TICKS, 0)
    writer = Writer(Hanging(), CODEC, letters, FAST, counters)
    writer.start()
    writer.submit(Run(lease, [message(0, tick(0))], 1, 1))
    time.sleep(0.1)
    start = time.monotonic()
    writer.stop(0.3)
    assert time.monotonic() - start < SLACK_S
    assert lease.written == 0
    hang.set()


@given(count=st.integers(2, 50), index=st.none() | st.integers(-1, 60))
def test_cutting_keeps_every_record_in_its_order(count: int, index: int | None) -> None:
    """The parts of a batch join up, and none is empty; a named record stands alone."""
    sink = Store()
    seen: list[Batch] = []

    async def keep(batch: Batch) -> None:
        seen.append(batch)

    sink.write = keep  # type: ignore[method-assign]
    writing(sink, [tick(seq) for seq in range(count)])
    parts = cut(seen[0], index)
    assert [seq for part in parts for seq in part.frame["seq"].to_list()] == list(range(count))
    assert all(len(part) for part in parts)
    assert [part.next_offset for part in parts] == sorted({part.next_offset for part in parts})
    assert parts[-1].next_offset == 2 * count + 1
    if index is not None and 0 <= index < count:
        assert [index] in [part.frame["seq"].to_list() for part in parts]
    around = cut_around(seen[0], () if index is None else (index, 0))
    assert [seq for part in around for seq in part.frame["seq"].to_list()] == list(range(count))
    assert all(len(part) for part in around)
    assert around[-1].next_offset == 2 * count + 1
