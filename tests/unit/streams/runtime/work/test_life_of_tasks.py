"""Whatever becomes of workers, leases and transactions, what is committed is what the inputs give, each record once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from runtime.in_memory import Entry, Fate, GroupBroker, halves
from runtime.records import CODEC, beat, by_rows, tick

from tradewind.processors.batch import PoisonRecord, Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter, JournalEntry, TaskPosition
from tradewind.streams.runtime.agent import Agent, Hold
from tradewind.streams.runtime.commit.outbox import Patience
from tradewind.streams.runtime.errors import StartsUncommitted
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS, Topic

LOOKAHEAD_US = 2
POISON_US = 13
PARTITIONS = (0, 1)
WORKERS = ("one", "two")
SYMBOLS = {0: ("EURUSD", "XAUUSD"), 1: ("BTCUSD", "ETHUSD")}
"""By partition: outputs are keyed by instrument, so that they lie elsewhere."""
FATES: st.SearchStrategy[Fate] = st.sampled_from(
    ["committed", "committed", "committed", "aborted", "in doubt, and committed", "in doubt, and aborted"]
)
Given = tuple[int, int] | bytes | None
"""Which symbol of a partition, and when; or garbage, or a marker."""
TIMES = st.tuples(st.integers(0, 1), st.integers(0, 20))
TICKS_OR_NOT = st.lists(TIMES | TIMES | st.sampled_from([b"garbage", None]), min_size=1, max_size=8)
BEATS_OR_NOT = st.lists(st.tuples(st.integers(0, 1), st.integers(5, 25)) | st.none(), max_size=4)
TAKES = st.sampled_from([1, 3, 100])
"""How many records of each input a batch takes at most."""
OUTPUT, LETTERS, CHANGELOG, JOURNAL = "t.market.ticks.late", "t.a.dlq", "t.a.changelog", "t.a.journal"
REDRIVE = "a.redrive"
INPUTS = (DECISIONS.name, TICKS.name, REDRIVE)


def rising(state: State, rows: Rows) -> list[Event]:
    """Pass on the ticks that are later than all of their symbol before; a second 13 is poison."""
    news: list[Event] = []
    for at, event in enumerate(rows.events):
        if isinstance(event, Tick):
            if event.ts_event == POISON_US:
                raise PoisonRecord(at, "13")
            known = state.get(event.symbol, Tick)
            if known is None or event.ts_event > known.ts_event:
                state.put(event.symbol, event)
                news.append(event)
    return news


def at(topic: str, partition: int) -> tuple[str, int]:
    """Return a partition by its topic's name on the cluster."""
    return f"t.{topic}", partition


class Life(RuleBasedStateMachine):
    """Two workers share two tasks. The model is a loop over what lies before the committed offsets, from the start."""

    @initialize(limit=st.sampled_from([2, 20_000]), ticks=TICKS_OR_NOT, beats=BEATS_OR_NOT)
    def begin(self, limit: int, ticks: Sequence[Given], beats: Sequence[Given]) -> None:
        hold = Hold(topic=TICKS, until=DECISIONS, lookahead_us=LOOKAHEAD_US)
        inputs: tuple[Topic, ...] = (DECISIONS, TICKS)
        self.agent = Agent("a", inputs, (LATE_TICKS,), by_rows(rising), hold, batch_limit=limit)
        self.broker = GroupBroker()
        self.workers: dict[str, AssignedTasks] = {name: self.broker.tasks(self.agent) for name in WORKERS}
        self.read: dict[str, dict[tuple[str, int], int]] = {}
        """Where each worker with a restored lease reads on."""
        self.using: dict[str, Lease] = {}
        """The lease that each worker believes in."""
        self.generation = 0
        self.the_group_rebalances(WORKERS, "")
        for partition in PARTITIONS:
            self._records_come(partition, ticks, beats)

    def _records_come(self, partition: int, ticks: Sequence[Given], beats: Sequence[Given]) -> None:
        first, second = SYMBOLS[partition]
        for topic, make, values in ((TICKS, tick, ticks), (DECISIONS, beat, beats)):
            events = [make(of[1], symbol=(first, second)[of[0]]) if isinstance(of, tuple) else of for of in values]
            self.broker.append(at(topic.name, partition), events)

    @rule(which=st.integers(0, 5))
    def a_letter_is_sent_back(self, which: int) -> None:
        letters = self._letters()[which : which + 1]
        for letter in letters:
            self.broker.append(at(REDRIVE, letter.partition), [letter])

    @rule(owners=st.tuples(*[st.sampled_from(WORKERS)] * len(PARTITIONS)), late=st.sampled_from(["", *WORKERS]))
    def the_group_rebalances(self, owners: tuple[str, ...], late: str) -> None:
        """All get new leases; one may not have heard of it yet, and goes on under its old one."""
        self.generation += 1
        for name in WORKERS:
            owned = [partition for partition, owner in zip(PARTITIONS, owners, strict=True) if owner == name]
            tops = frozenset(at(topic, partition) for topic in INPUTS for partition in owned)
            self.broker.leases[name] = Lease("g", self.generation, name, tops)
            if name != late:
                self.read.pop(name, None)

    @rule(name=st.sampled_from(WORKERS), fate=FATES)
    def a_worker_establishes_its_lease(self, name: str, fate: Fate) -> None:
        """At an assignment, or after a transaction that failed; its first transaction may fail too."""
        self.broker.fate, lease = fate, self.broker.leases[name]
        self.read.pop(name, None)
        try:
            read = self.workers[name].establish(lease, lambda: False, Patience(60))
        except StartsUncommitted:
            assert fate != "committed"
            return
        assert read.keys() == lease.partitions
        self.read[name], self.using[name] = read, lease

    @rule(
        name=st.sampled_from(WORKERS),
        takes=TAKES,
        partition=st.sampled_from(PARTITIONS),
        ticks=TICKS_OR_NOT,
        beats=BEATS_OR_NOT,
    )
    def records_come_and_are_processed(
        self, name: str, takes: int, partition: int, ticks: Sequence[Given], beats: Sequence[Given]
    ) -> None:
        """Have garbage and markers come among them."""
        self._records_come(partition, ticks, beats)
        self._run(name, "committed", takes, Patience(60))

    @rule(name=st.sampled_from(WORKERS), fate=FATES, takes=TAKES, patience=st.sampled_from([60, 60, 0]))
    def a_batch_may_fail(self, name: str, fate: Fate, takes: int, patience: int) -> None:
        """Then nothing of it is kept, unless its commit was asked for."""
        self._run(name, fate, takes, Patience(patience))

    def _run(self, name: str, fate: Fate, takes: int, patience: Patience) -> None:
        if name not in self.read:
            self.a_worker_establishes_its_lease(name, "committed")
        tasks, read, lease = self.workers[name], self.read[name], self.using[name]
        batch, after = Batch(), dict(read)
        for of, first in read.items():
            last = min(len(self.broker.log(of)), first + takes)
            for start, stop in halves(first, last):
                batch.add(of[1], of[0].removeprefix("t."), self.broker.chunk(of, lease, start, stop))
            after[of] = max(first, last)
        for partition in tasks.with_more:
            batch.touch(partition)
        self.broker.fate, before = fate, dict(self.broker.offsets)
        outcome = tasks.run(lease, batch, patience)
        if outcome.kind == "committed":
            assert fate == "committed" or self.broker.offsets == before, "only what moves nothing needs no transaction"
            self.read[name] = after
            self._nothing_waits_that_could_go(tasks, after)
        else:
            del self.read[name]

    def _nothing_waits_that_could_go(self, tasks: AssignedTasks, read: dict[tuple[str, int], int]) -> None:
        for partition in {number for _, number in read} - set(tasks.with_more):
            ticks = at(TICKS.name, partition)
            seen = self.broker.log(ticks)[: read[ticks]]
            gone = self._committed(TICKS.name, partition)
            assert not any(seen[len(gone) : self._may_go(seen, partition)]), "markers alone may wait"

    @rule(name=st.sampled_from(WORKERS), expired=st.booleans())
    def a_worker_is_replaced(self, name: str, expired: bool) -> None:
        """Its successor has nothing in memory; brokers forget the offsets of a group that nobody was in for long."""
        self.workers[name] = self.broker.tasks(self.agent)
        self.read.pop(name, None)
        if expired:
            self.read.clear()
            self.broker.offsets.clear()

    def _committed(self, topic: str, partition: int) -> list[Entry]:
        """Return what lies before the position that the changelog has."""
        position = self.broker.table(CHANGELOG, partition).get("@position")
        assert position is None or isinstance(position, TaskPosition)
        inputs = {} if position is None else {str(of["topic"]): int(of["next"]) for of in position.inputs}
        offset = self.broker.offsets.get(at(topic, partition))
        assert offset is None or offset == inputs[topic], "the group and the changelog agree"
        return self.broker.log(at(topic, partition))[: inputs.get(topic, 0)]

    def _reached(self, partition: int) -> dict[str, Heartbeat]:
        found: dict[str, Heartbeat] = {}
        for entry in self._committed(DECISIONS.name, partition):
            if entry is not None and entry.value is not None:
                one = CODEC.decode(entry.value)
                assert isinstance(one, Heartbeat)
                if one.symbol not in found or one.ts_event > found[one.symbol].ts_event:
                    found[one.symbol] = one
        return found

    def _may_go(self, entries: list[Entry], partition: int) -> int:
        """Return the place of the first tick whose instrument's decisions have not caught up."""
        reached = self._reached(partition)
        for place, entry in enumerate(entries):
            one = None if entry is None or entry.value in (None, b"garbage") else CODEC.decode(entry.value or b"")
            if isinstance(one, Tick) and not (
                one.symbol in reached and reached[one.symbol].ts_event >= one.ts_event - LOOKAHEAD_US
            ):
                return place
        return len(entries)

    @invariant()
    def what_is_committed_is_what_the_inputs_give(self) -> None:
        for partition in PARTITIONS:
            ticks = self._committed(TICKS.name, partition)
            assert self._may_go(ticks, partition) == len(ticks), "nothing goes before its time"
            last: dict[str, Tick] = {}
            passed, letters = list[Tick](), Counter[tuple[int, str, int]]()
            for entry in ticks:
                if entry is None:
                    continue
                one = None if entry.value == b"garbage" else CODEC.decode(entry.value or b"")
                if not isinstance(one, Tick) or one.ts_event == POISON_US:
                    letters[entry.offset, "UNDECODABLE" if one is None else "POISON", 1] += 1
                elif one.symbol not in last or one.ts_event > last[one.symbol].ts_event:
                    last[one.symbol] = one
                    passed.append(one)
            for entry in self._committed(REDRIVE, partition):
                letter = CODEC.decode(entry.value or b"") if entry is not None else None
                assert isinstance(letter, DeadLetter)
                letters[letter.offset, letter.error, letter.attempt + 1] += 1
            state = self.broker.table(CHANGELOG, partition)
            state.pop("@position", None)
            reached = {f"@reached/{symbol}.OANDA": one for symbol, one in self._reached(partition).items()}
            assert state == {**last, **reached}
            assert self._passed_on(partition) == passed
            found = [letter for letter in self._letters() if letter.partition == partition]
            assert Counter((of.offset, of.error, of.attempt) for of in found) == letters

    def _passed_on(self, partition: int) -> list[Event]:
        """Return what the task of a partition sent, in order."""
        sent = [event for event in self.broker.values(OUTPUT) if isinstance(event, Tick)]
        return [event for event in sent if event.symbol in SYMBOLS[partition]]

    def _letters(self) -> list[DeadLetter]:
        return [event for event in self.broker.values(LETTERS) if isinstance(event, DeadLetter)]

    @invariant()
    def the_journal_has_every_entry_once(self) -> None:
        """Numbered without a gap, and its ranges follow on each other."""
        for partition in PARTITIONS:
            entries = [of for of in self.broker.values(JOURNAL, partition) if isinstance(of, JournalEntry)]
            assert [entry.sequence for entry in entries] == list(range(len(entries)))
            for topic in INPUTS:
                ranges = [of for entry in entries for of in entry.ranges if of["topic"] == topic]
                nexts = [0, *(int(of["next"]) for of in ranges)]
                assert [int(of["first"]) for of in ranges] == nexts[:-1]
                assert nexts[-1] == len(self._committed(topic, partition))


STEPS = 30
TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=STEPS, deadline=None)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("of", range(1, 6))
def test_ten_thousand_lives(of: int, evidence: Callable[[int, Mapping[str, int]], None]) -> None:
    """In five parts of some five minutes; each has a seed of its own."""
    histories = 2_000
    part = type("Part", (Life,), {})
    run_state_machine_as_test(
        seed(of)(part), settings=settings(max_examples=histories, stateful_step_count=STEPS, deadline=None)
    )
    evidence(of, {"histories": histories})
