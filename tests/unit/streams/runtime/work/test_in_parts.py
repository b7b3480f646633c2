"""A record that cannot be computed with, encoded or kept is poison; its neighbours do not notice. A bug stops all."""

import math
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.exceptions import PanicException
from runtime.records import CODEC, NOWHERE, beat, by_rows, chunk, tick

from tradewind.processors.batch import PoisonRecord, Processor, Rows, Segment, State, rows_of
from tradewind.processors.money import money_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.runtime.agent import Agent, Hold, redrive_topic
from tradewind.streams.runtime.commit.outbox import Draft, Impatient, Patience
from tradewind.streams.runtime.errors import AgentCrashed, StateUnreadable
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.dead_letters import letter_of
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS

HALF = "\ud800"
HUGE = "x" * 1_100_000
KINDS = ("good", "zero", "inf", "digits", "half", "large", "kept half", "kept large", "poison")


def of_kind(kind: str, at: int) -> Tick:
    """Return a tick whose volume says what happens to it."""
    return replace(tick(at, seq=at), bid_size=float(KINDS.index(kind)))


def weighed(state: State, rows: Rows) -> list[Event]:
    """Pass each tick on with the sum of what came before it; what a kind cannot is said by its name."""
    sent: list[Event] = []
    for at, event in enumerate(rows.events):
        assert isinstance(event, Tick)
        kind = KINDS[int(event.bid_size or 0)]
        known = state.get("sum", Tick) or tick(0)
        now = replace(known, seq=known.seq + event.seq)
        state.put("sum", now)
        sent += [event, replace(now, ts_event=event.ts_event)]
        match kind:
            case "zero":
                Decimal(1) / Decimal(0)
            case "inf":
                money_of(math.inf)
            case "digits":
                money_of(1e300)
            case "half":
                sent.append(replace(event, symbol=HALF))
            case "large":
                sent.append(replace(event, symbol=HUGE))
            case "kept half":
                state.put("half", replace(event, symbol=HALF))
            case "kept large":
                state.put("large", replace(event, symbol=HUGE))
            case "poison":
                raise PoisonRecord(at, "said so")
    return sent


def task_of(processor: Processor | None = None, state: TaskState | None = None, **declared: object) -> Task:
    """Return a task that starts at the first record of its inputs."""
    hold = Hold(topic=TICKS, until=DECISIONS, lookahead_us=0) if declared.pop("held", None) else None
    inputs = (DECISIONS, TICKS) if hold else (TICKS,)
    processor = processor or by_rows(weighed)
    agent = Agent("weighed", inputs, (LATE_TICKS,), processor, hold=hold, **declared)  # type: ignore[arg-type]
    positions = {topic.name: 0 for topic in (*inputs, redrive_topic(agent))}
    return Task(AgentWork(agent, NOWHERE, CODEC), 0, state or TaskState(), positions)


def run(task: Task, *values: Event, first: int = 0) -> Draft:
    """Return what a batch of one chunk of ticks would send."""
    draft = Draft()
    task.run({"market.ticks": [chunk(TICKS, values, first)]}, draft, Patience(60))
    return draft


def events(draft: Draft, topic: str) -> list[Event]:
    """Return the events that a draft would send to a topic."""
    return [CODEC.decode(out.value) for out in draft.messages if out.topic == topic and out.value is not None]


def letters(draft: Draft) -> list[DeadLetter]:
    """Return the dead letters of a draft."""
    return [event for event in events(draft, "t.weighed.dlq") if isinstance(event, DeadLetter)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*KINDS, *["good"] * 12]), max_size=90), st.lists(st.integers(0, 90), max_size=3))
def test_the_good_records_give_what_they_gave_without_the_bad(kinds: list[str], cuts: list[int]) -> None:
    """Whatever is bad about the others, as rows and as columns, and wherever chunks end."""
    given_ = [of_kind(kind, at) for at, kind in enumerate(kinds)]
    good = [one for one, kind in zip(given_, kinds, strict=True) if kind == "good"]
    task, clean = task_of(), task_of()
    borders = sorted({0, *(cut for cut in cuts if cut < len(kinds)), len(kinds)})
    chunks = [chunk(TICKS, given_[first:last], first) for first, last in pairwise(borders)]
    draft = Draft()
    task.run({"market.ticks": chunks}, draft, Patience(60))
    expected = run(clean, *good)
    assert events(draft, "t.market.ticks.late") == events(expected, "t.market.ticks.late")
    found = letters(draft)
    assert [letter.offset for letter in sorted(found, key=lambda one: one.offset)] == [
        at for at, kind in enumerate(kinds) if kind != "good"
    ]
    assert {letter.error for letter in found} <= {"POISON"}
    task.keep()
    clean.keep()
    assert list(task.state.keys("")) == list(clean.state.keys(""))
    assert task.state.get("sum", Tick) == clean.state.get("sum", Tick)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("zero", "DivisionByZero: [<class 'decimal.DivisionByZero'>]"),
        ("inf", "InvalidOperation: "),
        ("half", "EncodeError: tradewind.market.Tick.symbol: "),
        ("large", "TooLarge: a Tick for market.ticks.late takes 2,200,"),
        ("kept half", "EncodeError: tradewind.market.Tick.symbol: "),
        ("kept large", "TooLarge: state 'large' takes 1,100,"),
    ],
)
def test_the_letter_says_what_was_wrong(kind: str, reason: str) -> None:
    """The error's type, and what it is about where that is known."""
    (letter,) = letters(run(task_of(), *(of_kind("good" if at != 40 else kind, at) for at in range(50))))
    assert (letter.offset, letter.error) == (40, "POISON")
    assert letter.reason.startswith(reason)


@pytest.mark.parametrize(
    "error", [TypeError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError, PanicException, OSError]
)
@pytest.mark.parametrize("count", [1, 2, 20, 100])
def test_a_bug_names_the_one_record_that_it_is_at(error: type[BaseException], count: int) -> None:
    """Its batch is cut too, though nothing of it is kept; as rows and as columns."""

    def broken(state: State, segment: Segment) -> list[Event]:
        for event in rows_of(segment).events:
            assert isinstance(event, Tick)
            known = state.get("last", Tick)
            assert known is None or known.ts_event + 1 == event.ts_event, "it is run on another state than that before"
            state.put("last", event)
            if event.seq == count - 1:
                raise error("no reason")
        return []

    task = task_of(broken)
    with pytest.raises(AgentCrashed, match=rf"offset {count - 1};.*{error.__name__}: .?no reason") as crashed:
        run(task, *(tick(at, seq=at) for at in range(count + 7)))
    assert isinstance(crashed.value.__cause__, error)


def test_a_bug_of_the_whole_that_no_part_has_names_them_all() -> None:
    """Its processor breaks the law: it is not passed over because its parts seem well."""

    def broken(state: State, segment: Segment) -> list[Event]:
        assert len(segment) < 5, "five are too many"
        return []

    with pytest.raises(AgentCrashed, match=r"offsets 0 to 6; .* AssertionError: five are too many"):
        run(task_of(broken), *(tick(at) for at in range(7)))


def test_what_the_runtime_raises_is_no_bug_of_the_processor() -> None:
    """A state that cannot be read is told as that."""

    def reading(state: State, segment: Segment) -> list[Event]:
        state.get("damaged", Tick)
        return []

    task = task_of(reading, state=TaskState({"damaged": b"nothing"}, CODEC.decode))
    with pytest.raises(StateUnreadable, match="damaged"):
        run(task, tick(1), tick(2))


def test_whatever_an_exception_says_it_is_told() -> None:
    """One that fails at saying it, and one that says what no text can hold."""

    class Mute(ValueError):
        def __str__(self) -> str:
            raise KeyError

    def broken(state: State, rows: Rows) -> list[Event]:
        raise Mute if rows.events[0].seq else ValueError(HALF)  # type: ignore[attr-defined]

    one, other = letters(run(task_of(by_rows(broken)), tick(0, seq=0), tick(1, seq=1)))
    assert one.reason == "ValueError: \\ud800"
    assert other.reason == "Mute: (its text cannot be had: KeyError)"


def test_what_a_part_had_added_is_taken_back() -> None:
    """The first of two events was encoded when the second could not be: neither is sent."""

    def doubles(state: State, rows: Rows) -> list[Event]:
        return [out for event in rows.events for out in (event, replace(event, symbol=HALF if event.seq else "X"))]  # type: ignore[attr-defined,type-var]

    draft = run(task_of(by_rows(doubles)), tick(0, seq=0), tick(1, seq=1))
    assert events(draft, "t.market.ticks.late") == [tick(0, seq=0), replace(tick(0, seq=0), symbol="X")]


def test_held_records_and_what_holds_them_are_found_too() -> None:
    """A heartbeat that is poison does not release; what is released and unusable is a letter of its own."""

    def picky(state: State, rows: Rows) -> list[Event]:
        if any(isinstance(event, Heartbeat) and event.ts_event == 9 for event in rows.events):
            raise ZeroDivisionError
        return weighed(state, rows) if rows.model is Tick else []

    task, draft = task_of(by_rows(picky), held=True), Draft()
    kinds = ["good", "kept half", "zero", "good", "good"]
    ticks = chunk(TICKS, [of_kind(kind, at) for at, kind in enumerate(kinds)])
    task.run({"risk.decisions": [chunk(DECISIONS, [beat(3), beat(9)])], "market.ticks": [ticks]}, draft, Patience(60))
    assert sorted((letter.topic, letter.offset) for letter in letters(draft)) == [
        ("market.ticks", 1),
        ("market.ticks", 2),
        ("risk.decisions", 1),
    ]
    assert draft.offsets["t.market.ticks", 0] == 4, "the last tick waits: the heartbeat of 9 does not count"
    task.keep()
    after = Draft()
    task.run({"risk.decisions": [chunk(DECISIONS, [beat(10)], 2)]}, after, Patience(60))
    assert [one.seq for one in events(after, "t.market.ticks.late")] == [4, 7]  # type: ignore[attr-defined]
    assert after.offsets["t.market.ticks", 0] == 5


def test_redriven_records_are_found_too() -> None:
    """Each is a letter of its next attempt."""
    task, draft = task_of(), Draft()
    sent = [
        letter_of("weighed", ("market.ticks", 0), record, "POISON", "before")
        for record in chunk(
            TICKS, [of_kind("good", 1), of_kind("inf", 2), of_kind("kept half", 3), of_kind("good", 4)]
        ).records
    ]
    topic = redrive_topic(task._work.agent)
    task.run({topic.name: [chunk(topic, sent)]}, draft, Patience(60))
    assert sorted((letter.offset, letter.attempt) for letter in letters(draft)) == [(1, 2), (2, 2)]
    assert [one.seq for one in events(draft, "t.market.ticks.late")] == [1, 1, 4, 5]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["zero", "kept half", "kept large"])
def test_a_first_batch_with_migrations_keeps_what_they_did(kind: str) -> None:
    """They are of the batch, not of the record that is taken out of it."""

    def weigh(state: State) -> None:
        state.put("sum", tick(0, seq=1000))

    task = task_of(migrations=(weigh,))
    task.migrate([1])
    draft = run(task, of_kind("good", 1), of_kind(kind, 2))
    assert [letter.offset for letter in letters(draft)] == [1]
    assert [one.seq for one in events(draft, "t.market.ticks.late")] == [1, 1001]  # type: ignore[attr-defined]
    assert task.journal.entry is not None
    assert task.journal.entry.migrations == (1,)


def test_a_migration_that_writes_what_cannot_be_kept_stops_the_agent() -> None:
    """It is no record's fault."""
    task = task_of(migrations=(lambda state: state.put("half", tick(1, symbol=HALF)),))
    task.migrate([1])
    with pytest.raises(AgentCrashed, match=r"partition 0: its state cannot be written: EncodeError: .*Tick.symbol"):
        run(task, of_kind("good", 1))


def test_a_batch_that_failed_and_is_run_again_gives_the_same() -> None:
    """Also where what it wrote could not be kept."""
    task = task_of()
    values = [of_kind(kind, at) for at, kind in enumerate(["good", "kept half", "good"])]
    first = run(task, *values)
    task.drop()
    assert run(task, *values).messages == first.messages


def test_other_tasks_of_the_transaction_do_not_notice() -> None:
    """What one task takes back is its own."""
    draft, one, other = Draft(), task_of(), task_of()
    one.run({"market.ticks": [chunk(TICKS, [of_kind("zero", 1), of_kind("good", 2)])]}, draft, Patience(60))
    before = list(draft.messages)
    other.run({"market.ticks": [chunk(TICKS, [of_kind("kept half", 1)])]}, draft, Patience(60))
    assert draft.messages[: len(before)] == before
    assert draft.letters["POISON"] == len(letters(draft)) == 2


def test_the_cost_of_bad_records_is_bounded() -> None:
    """Some log2 n runs for one, 2 n for all; a column run is cut to rows before it is of single records."""
    runs: list[int] = []

    def counting(state: State, segment: Segment) -> list[Event]:
        runs.append(len(segment))
        if isinstance(segment, Rows):
            for event in segment.events:
                money_of(event.bid)  # type: ignore[attr-defined]
        elif not np.isfinite(segment.frame["bid"].to_numpy()).all():
            raise ValueError("bids")
        return []

    bad = replace(tick(1), bid=math.inf)
    draft = run(task_of(counting), *([tick(1)] * 700), bad, *([tick(1)] * 299))
    assert len(letters(draft)) == 1
    assert len(runs) <= 2 + 2 * math.ceil(math.log2(1000))
    assert sum(runs) < 3 * 1000
    runs.clear()
    draft = run(task_of(counting), *([bad] * 1000))
    assert len(letters(draft)) == 1000
    assert len(runs) < 2000


def test_patience_is_looked_at_between_parts() -> None:
    """A revocation need not wait for a batch of nothing but bad records."""
    patience = Patience(60)

    def slow(state: State, segment: Segment) -> list[Event]:
        patience.shorten(-1)
        raise ZeroDivisionError

    with pytest.raises(Impatient):
        task_of(slow).run({"market.ticks": [chunk(TICKS, [tick(1), tick(2)])]}, Draft(), patience)


def test_a_cast_of_columns_that_fails_is_an_error_of_values_too() -> None:
    """Polars has errors of its own; what cannot be cast in columns is found by rows."""

    def casting(state: State, segment: Segment) -> list[Event]:
        if isinstance(segment, Rows):
            return [replace(event, seq=int(event.bid)) for event in segment.events]  # type: ignore[attr-defined,type-var]
        return [
            Tick.from_dict(row)
            for row in segment.frame.with_columns(pl.col("bid").cast(pl.Int64).alias("seq")).iter_rows(named=True)
        ]

    draft = run(task_of(casting), *([tick(1)] * 40), replace(tick(1), bid=math.inf), *([tick(1)] * 40))
    assert [letter.offset for letter in letters(draft)] == [40]
    assert len(events(draft, "t.market.ticks.late")) == 80
