"""A redriven record is processed as at its origin; one that fails again is a letter of its next attempt."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import CODEC, INGEST_MS, LEASE, NO_PRICE, NOWHERE, Raw, beat, by_rows, chunk, tick

from tradewind.connectors.dead_letters.fit import LETTER_BYTES
from tradewind.processors.batch import Columns, PoisonRecord, Processor, Rows, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter, TaskPosition
from tradewind.streams.runtime.agent import Agent, Hold, redrive_topic
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.dead_letters import (
    Misdirected,
    OriginRun,
    RedrivenRecord,
    letter_of,
    origins,
    record_of,
)
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import BARS, DECISIONS, LATE_TICKS, TICKS

HOLD = Hold(topic=TICKS, until=DECISIONS, lookahead_us=50)
PARTITION = 2


def refuse_without_price(state: State, rows: Rows) -> list[Event]:
    """Pass ticks on; one without a price is poison."""
    for at, event in enumerate(rows.events):
        if isinstance(event, Tick) and event.bid == NO_PRICE:
            raise PoisonRecord(at, "no price")
    return [event for event in rows.events if isinstance(event, Tick)]


def agent_of(processor: Processor, hold: Hold | None = None) -> Agent:
    """Return an agent named `latest`."""
    inputs = (DECISIONS, TICKS) if hold else (TICKS, BARS)
    return Agent(name="latest", inputs=inputs, outputs=(LATE_TICKS,), processor=processor, hold=hold)


def task_of(agent: Agent, sizes: Sizes = AS_USUAL) -> Task:
    """Return a task that has read nothing."""
    inputs = (*agent.inputs, redrive_topic(agent))
    work = AgentWork(agent, NOWHERE, CODEC, sizes=sizes)
    return Task(work, PARTITION, TaskState(), {topic.name: 0 for topic in inputs})


def letter(offset: int, value: Event | bytes | None, *, topic: str = "market.ticks", attempt: int = 1) -> DeadLetter:
    """Return the letter of a record of the task's partition."""
    raw = Raw(
        offset,
        CODEC.encode(value) if isinstance(value, Event) else value,
        timestamp=INGEST_MS + offset,
        headers=(("trace", b"\x00\xff"), ("empty", None)),
    )
    return replace(letter_of("latest", (topic, PARTITION), raw, "POISON", "no price"), attempt=attempt)


def redriven(agent: Agent, values: Sequence[Event | bytes | None], first: int = 0) -> dict[str, list[Chunk]]:
    """Return a chunk of the redrive topic."""
    of = chunk(redrive_topic(agent), values, first, PARTITION)
    return {redrive_topic(agent).name: [of]}


def sent(draft: Draft, topic: str) -> list[Event]:
    """Return the events that a draft would send to a topic."""
    return [CODEC.decode(out.value) for out in draft.messages if out.topic == topic and out.value is not None]


def letters_in(draft: Draft) -> list[DeadLetter]:
    """Return the dead letters of a draft."""
    return [event for event in sent(draft, "t.latest.dlq") if isinstance(event, DeadLetter)]


@pytest.mark.parametrize("few", [0, AS_USUAL.row_records])
def test_the_processor_is_given_the_segment_that_the_origin_would_have_given(few: int) -> None:
    """Topic, partition, offsets, times, in columns or in rows: nothing tells that it was redriven."""
    seen: list[Segment] = []

    def note(state: State, segment: Segment) -> list[Event]:
        seen.append(segment)
        return []

    agent = agent_of(note)
    at_origin, again = (task_of(agent, Sizes(row_records=few)) for _ in range(2))
    records = [Raw(at, CODEC.encode(tick(at)), timestamp=INGEST_MS + at) for at in (4, 7)]
    origin = Chunk((NOWHERE.physical(TICKS), PARTITION), LEASE, 1, 0, Records.of(records), 8)
    at_origin.run({"market.ticks": [origin]}, Draft(), Patience(60))
    again.run(redriven(agent, [letter(4, tick(4)), letter(7, tick(7))]), Draft(), Patience(60))
    first, second = seen
    assert (second.topic, second.partition, second.model) == (first.topic, first.partition, first.model)
    assert np.array_equal(second.offsets, first.offsets)
    assert np.array_equal(second.ts_ingest, first.ts_ingest)
    assert isinstance(second, Rows if few else Columns)
    assert type(second) is type(first)
    assert rows_of(second).events == rows_of(first).events


def test_the_redrive_topics_own_position_moves_and_no_other() -> None:
    """Outputs, changelog and position are one transaction, as for every input."""
    agent = agent_of(by_rows(refuse_without_price))
    task, draft = task_of(agent), Draft()
    task.run(redriven(agent, [letter(4, tick(4))]), draft, Patience(60))
    assert sent(draft, "t.market.ticks.late") == [tick(4)]
    assert draft.offsets == {("t.latest.redrive", PARTITION): 1}
    (position,) = (event for event in sent(draft, "t.latest.changelog") if isinstance(event, TaskPosition))
    assert {"topic": "latest.redrive", "next": 1} in position.inputs
    assert {"topic": "market.ticks", "next": 0} in position.inputs


@pytest.mark.parametrize(("value", "error"), [(tick(4, bid=NO_PRICE), "POISON"), (b"garbage", "UNDECODABLE")])
def test_a_record_that_fails_again_is_a_letter_of_its_second_attempt(value: Event | bytes, error: str) -> None:
    """Its origin is the same, its id another, and so on with each attempt."""
    agent, first = agent_of(by_rows(refuse_without_price)), letter(4, value)
    ids = [derive_id("latest", "market.ticks", PARTITION, 4)]
    assert first.event_id == ids[0]
    for attempt in (2, 3):
        draft = Draft()
        task_of(agent).run(redriven(agent, [first]), draft, Patience(60))
        (again,) = letters_in(draft)
        assert again == replace(first, event_id=again.event_id, error=error, reason=again.reason, attempt=attempt)
        ids.append(again.event_id)
        first = again
    assert len(set(ids)) == 3


def test_a_redriven_record_of_a_held_input_is_processed_at_once_and_disturbs_none_that_waits() -> None:
    """A heartbeat that was redriven reaches as far as any; what is held goes by it, in its order."""
    seen: list[Event] = []

    def note(state: State, rows: Rows) -> list[Event]:
        seen.extend(rows.events)
        return []

    agent = agent_of(by_rows(note), HOLD)
    task, draft = task_of(agent), Draft()
    waiting = {"market.ticks": [chunk(TICKS, [tick(100), tick(200)], 0, PARTITION)]}
    task.run({**waiting, **redriven(agent, [letter(9, tick(900))])}, draft, Patience(60))
    assert (seen, task.released) == ([tick(900)], 0)
    task.run(redriven(agent, [letter(3, beat(60), topic="risk.decisions")], 1), draft, Patience(60))
    assert seen[1:] == [beat(60), tick(100)]
    assert task.released == 1
    assert task.state.get("@reached/EURUSD.OANDA", Heartbeat) == beat(60)
    assert draft.offsets == {("t.latest.redrive", PARTITION): 2, ("t.market.ticks", PARTITION): 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agent": "other"}, "it is a letter of other, and was sent to latest"),
        ({"topic": "market.trades"}, "latest does not read market.trades any more"),
        ({"partition": 3}, "it belongs to partition 3, and was sent to partition 2"),
    ],
)
def test_a_letter_that_this_task_must_not_process_is_buried_again_with_its_origin(
    change: dict[str, object], reason: str
) -> None:
    """Its state is another task's; and the letters around it are processed."""
    agent = agent_of(by_rows(refuse_without_price))
    wrong, draft = replace(letter(5, tick(5)), **change), Draft()  # type: ignore[arg-type]
    task_of(agent).run(redriven(agent, [letter(4, tick(4)), wrong, letter(6, tick(6))]), draft, Patience(60))
    assert sent(draft, "t.market.ticks.late") == [tick(4), tick(6)]
    (buried,) = letters_in(draft)
    assert (buried.reason, buried.attempt) == (reason, 2)
    assert (buried.topic, buried.partition, buried.offset) == (wrong.topic, wrong.partition, wrong.offset)


@pytest.mark.parametrize("value", [b"garbage", None, tick(1)])
def test_what_is_no_letter_is_a_dead_letter_of_the_redrive_topic(value: Event | bytes | None) -> None:
    """Whoever wrote it there: it stops nobody, and the next letter is processed."""
    agent = agent_of(by_rows(refuse_without_price))
    draft = Draft()
    task_of(agent).run(redriven(agent, [value, letter(4, tick(4))]), draft, Patience(60))
    (buried,) = letters_in(draft)
    assert (buried.topic, buried.partition, buried.offset) == ("latest.redrive", PARTITION, 0)
    assert (buried.error, buried.attempt) == ("UNDECODABLE", 1)
    assert sent(draft, "t.market.ticks.late") == [tick(4)]


def test_a_bug_that_a_redriven_record_meets_says_that_it_was_redriven() -> None:
    """Whoever is on call knows which topic to look at."""

    def broken(state: State, rows: Rows) -> list[Event]:
        raise KeyError

    agent = agent_of(by_rows(broken))
    with pytest.raises(AgentCrashed, match=r"latest on market.ticks, partition 2, offset 4 \(redriven\)"):
        task_of(agent).run(redriven(agent, [letter(4, tick(4))]), Draft(), Patience(60))


@given(st.lists(st.tuples(st.sampled_from(["market.ticks", "market.bars", "other"]), st.integers(0, 9)), max_size=30))
def test_letters_come_as_runs_that_the_origin_could_have_given(origin: list[tuple[str, int]]) -> None:
    """Each once and in order; a run is of one input, its offsets rise, and none could be longer."""
    agent = agent_of(by_rows(refuse_without_price))
    letters = [letter(offset, b"", topic=topic) for topic, offset in origin]
    found = list(origins(agent, PARTITION, letters))
    flat = [
        (run.topic.name, record.offset) if isinstance(run, OriginRun) else (run.letter.topic, run.letter.offset)
        for run in found
        for record in (run.records if isinstance(run, OriginRun) else (run.record,))
    ]
    assert flat == origin
    assert all(run.letter.topic == "other" for run in found if isinstance(run, Misdirected))
    runs = [run for run in found if isinstance(run, OriginRun)]
    for run in runs:
        offsets = [record.offset for record in run.records]
        assert offsets == sorted(set(offsets))
    for one, following in pairwise(found):
        if isinstance(one, OriginRun) and isinstance(following, OriginRun):
            assert one.topic != following.topic or one.records[-1].offset >= following.records[0].offset


@given(
    st.integers(0, 2**62),
    st.integers(0, 2**43),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=20),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3),
)
def test_a_letter_gives_back_the_record_that_it_was_made_of(
    offset: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Through its encoding: nothing of the record is lost on the way."""
    raw = Raw(offset, value, key, timestamp, tuple(headers))
    written = CODEC.encode(letter_of("latest", ("market.ticks", 0), raw, "POISON", "why"))
    read = CODEC.decode(written)
    assert isinstance(read, DeadLetter)
    assert record_of(read) == RedrivenRecord(offset, timestamp, key, value, tuple(headers), 2)


def test_a_huge_record_fits_a_letter_and_the_letter_fits_the_redrive_topic() -> None:
    """Brokers and clients take a megabyte; what was cut says so."""
    cut = letter_of("latest", ("market.ticks", 0), Raw(0, b"x" * 1_000_000), "UNDECODABLE", "y" * 5000)
    assert len(CODEC.encode(cut)) < LETTER_BYTES + 10_000
    assert cut.reason.startswith("(value cut from 1000000 bytes)")
