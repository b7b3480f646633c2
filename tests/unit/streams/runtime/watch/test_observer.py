"""What a worker tells of itself is what it did: counts, lag in records and in time, and whether it is ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import pytest
from runtime.records import CODEC, INGEST_MS, NOWHERE, beat, chunk, tick

from tradewind.connectors.settings import WatchdogSettings
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.instruments import Source, check_declared
from tradewind.connectors.telemetry.metrics import KIND, METRICS, OUTCOME, PARTITION, TOPIC, Instrument, Metric
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.connectors.watchdogs.watchdog import Memory, Stuck, judge
from tradewind.processors.batch import Segment, State
from tradewind.schemas.event import Event
from tradewind.streams.runtime.agent import Agent, Hold
from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Patience
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.read.inbox import INBOX_RECORDS, Inbox
from tradewind.streams.runtime.watch.observer import UNASSIGNED, Observer
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import Batch
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.topics import DECISIONS, LATE_TICKS, ORDER_REQUESTS, TICKS

HERE: TopicPartition = ("t.market.ticks", 0)
THERE: TopicPartition = ("t.risk.decisions", 0)


@dataclass
class Recorded:
    """Instruments that keep what is recorded."""

    values: list[tuple[str, float, dict[str, str]]] = field(default_factory=list)
    points: Source = lambda _: ()

    def record(self, metric: Metric, value: float, attributes: dict[str, str]) -> None:
        check_declared(metric, attributes)
        assert metric.kind is Instrument.HISTOGRAM
        self.values.append((metric.name, value, attributes))

    def add_source(self, source: Source) -> None:
        """Ask it for points."""
        self.points = source

    def of(self, metric: Metric) -> list[float]:
        return [value for name, value, _ in self.values if name == metric.name]


def count(state: State, segment: Segment) -> list[Event]:
    """Keep the last tick of a batch under a key of its own."""
    state.put("last", tick(1))
    return []


class Bench:
    """One worker's observer, with the task that it observes."""

    def __init__(self, hold: Hold | None = None) -> None:
        inputs = (DECISIONS, TICKS) if hold else (TICKS,)
        agent = Agent(name="watched", inputs=inputs, outputs=(LATE_TICKS,), processor=count, hold=hold)
        self.recorded = Recorded()
        self.telemetry = Telemetry(instruments=self.recorded)  # type: ignore[arg-type]
        self.observer = Observer(agent, NOWHERE, self.telemetry)
        self.task = Task(AgentWork(agent, NOWHERE, CODEC), 0, TaskState(), {topic.name: 0 for topic in inputs})
        self.inboxes = {(NOWHERE.physical(topic), 0): Inbox(retains=False) for topic in inputs}
        self.observer.note_restoring(lambda: Progress("t.watched.changelog"))
        self.observer.note_restored(dict.fromkeys(self.inboxes, 0), {0: self.task.size()})

    def run(self, batch: Batch, kind: str = "committed") -> None:
        """Run a batch whose transaction ends in some way."""
        self.observer.note_begin(batch, self.inboxes)
        draft = Draft()
        self.task.run(batch.chunks[0], draft, Patience(60))
        batch.released[0] = self.task.released
        batch.statistics.note_processed()
        batch.statistics.note_end()
        if kind == "committed":
            self.task.keep()
            batch.statistics.note_commit([self.task], draft, traces=False)
        else:
            self.task.drop()
        self.observer.note_end(batch, Outcome(kind), self.inboxes)  # type: ignore[arg-type]

    def points(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """Return what a counter or gauge is, by the attributes that are not of the whole group."""
        found = {}
        for value, attributes in self.recorded.points(metric):
            check_declared(metric, attributes)
            own = [attributes[name] for name in (KIND, OUTCOME, TOPIC, PARTITION) if name in attributes]
            found[tuple(own)] = value
        return found


def batch_of(*values: Event | bytes, first: int = 0) -> Batch:
    """Return a batch of ticks."""
    batch = Batch()
    batch.add(0, "market.ticks", chunk(TICKS, values, first))
    return batch


def test_only_what_has_committed_is_counted() -> None:
    """An aborted transaction adds to the outcomes, and to nothing else."""
    bench = Bench()
    bench.run(batch_of(tick(1), b"garbage"), "aborted")
    assert bench.points(metrics.CONSUMED) == {}
    assert bench.recorded.of(metrics.BATCH_RECORDS) == []
    bench.run(batch_of(tick(1), b"garbage"))
    assert bench.points(metrics.TRANSACTIONS) == {("aborted",): 1, ("committed",): 1}
    assert bench.points(metrics.CONSUMED) == {(HERE[0], "0"): 2}
    assert bench.points(metrics.DEAD_LETTERS) == {("UNDECODABLE",): 1}
    assert bench.points(metrics.STATE_KEYS) == {("0",): 1}
    assert bench.recorded.of(metrics.BATCH_RECORDS) == [2]
    (latency,) = bench.recorded.of(metrics.LATENCY)
    assert latency == pytest.approx(time.time() - INGEST_MS / 1000, abs=5), "that of the oldest record"


def test_event_time_latency_is_told_of_live_events_alone() -> None:
    """A replay's events are years old when they come in."""
    bench = Bench()
    bench.run(batch_of(tick(1)))
    assert bench.recorded.of(metrics.EVENT_LATENCY) == []
    bench.run(batch_of(tick(INGEST_MS * 1000 - 1_000_000), first=1))
    (latency,) = bench.recorded.of(metrics.EVENT_LATENCY)
    assert latency == pytest.approx(time.time() - INGEST_MS / 1000 + 1, abs=5)


def test_held_records_are_counted_when_they_go() -> None:
    """Until then they are held, and lag behind by their own age."""
    bench = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    bench.run(batch_of(tick(100), tick(200)))
    assert bench.points(metrics.HELD) == {(HERE[0], "0"): 2}
    assert sum(bench.points(metrics.CONSUMED).values()) == 0
    bench.observer.seen(10.0, {HERE: 2, THERE: 0})
    assert bench.points(metrics.LAG) == {(HERE[0], "0"): 2, (THERE[0], "0"): 0}
    behind = bench.points(metrics.LAG_TIME)
    assert behind[HERE[0], "0"] == pytest.approx(time.time() - INGEST_MS / 1000, abs=5)
    release = Batch()
    release.add(0, "risk.decisions", chunk(DECISIONS, [beat(50)]))
    bench.run(release)
    assert bench.points(metrics.HELD) == {(HERE[0], "0"): 1}
    assert bench.points(metrics.CONSUMED) == {(HERE[0], "0"): 1, (THERE[0], "0"): 1}
    assert bench.points(metrics.LAG) == {(HERE[0], "0"): 1, (THERE[0], "0"): 0}


def test_what_waits_in_an_inbox_and_what_has_no_room_is_shown() -> None:
    """A partition that is not fetched for want of room is paused."""
    bench = Bench()
    bench.inboxes[HERE].put(chunk(TICKS, [CODEC.encode(tick(1))] * INBOX_RECORDS, 1))
    bench.run(batch_of(tick(1)))
    assert bench.points(metrics.WAITING) == {(HERE[0], "0"): INBOX_RECORDS}
    assert bench.points(metrics.PAUSED) == {(HERE[0], "0"): 1}


def test_lag_of_what_was_never_fetched_is_as_old_as_it_is_known() -> None:
    """Since no record of it has been seen."""
    bench = Bench()
    now_s = time.monotonic()
    bench.observer.seen(now_s - 7, {HERE: 5})
    bench.observer.seen(now_s - 2, {HERE: 9})
    assert bench.points(metrics.LAG) == {(HERE[0], "0"): 9}
    assert bench.points(metrics.LAG_TIME)[HERE[0], "0"] == pytest.approx(7, abs=2)
    bench.observer.seen(now_s, {HERE: 0})
    assert bench.points(metrics.LAG_TIME) == {(HERE[0], "0"): 0}


def test_a_worker_is_ready_once_restored_and_while_nothing_is_stuck() -> None:
    """And says in words why it is not."""
    bench = Bench()
    ready = bench.telemetry.health.not_ready
    assert ready() == {}
    bench.observer.complain((Stuck("position", time.monotonic() - 61, HERE, 7, 3),))
    reason = "t.tradewind.watched: t.market.ticks, partition 0, stands at 7 for 61 s with 3 to read"
    assert ready() == {"agent watched": [reason]}
    assert bench.points(metrics.STUCK) == {
        ("position", HERE[0], "0"): 1, ("assignment",): 0, ("transaction",): 0, ("restore",): 0, ("broker",): 0,
    }  # fmt: skip
    bench.observer.complain(())
    bench.observer.note_restoring(
        lambda: Progress("t.watched.changelog", 1003, 3, 9, (0, 2), "the changelog's records")
    )
    (reason,) = ready()["agent watched"]
    assert reason.startswith("t.tradewind.watched: its tasks are being restored, for 0 s by now; it waits for ")
    assert reason.endswith("records, 3 of at most 9 records read, to be read: t.watched.changelog, partitions 0, 2")
    assert bench.points(metrics.RESTORED) == {(): 1003}, "of all restores"
    bench.observer.note_lease_end()
    assert "it waits for an assignment" in ready()["agent watched"][0]
    bench.observer.note_restored({HERE: 0}, {})
    assert ready() == {}


def test_complaints_of_transactions_and_restores_name_their_partitions() -> None:
    """In words, and as metrics beside the one of the whole group, which is there at all times."""
    bench = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    batch = batch_of(tick(1))
    batch.touch(3)
    bench.observer.note_begin(batch, bench.inboxes)
    hangs = bench.observer.seen(0.0, None)
    assert hangs.uncommitted == (HERE, (HERE[0], 3)), "a task that only lets held records go is one of them"
    changelog = "t.watched.changelog"
    since_s = time.monotonic() - 31
    bench.observer.complain(
        (
            Stuck("transaction", since_s, among=hangs.uncommitted),
            Stuck("restore", since_s, at=5, among=((changelog, 1),), detail="waits for the test"),
        )
    )
    transaction, restore = bench.telemetry.health.not_ready()["agent watched"]
    assert transaction.endswith("committed for 31 s, the current batch is of t.market.ticks, partitions 0, 3")
    assert restore == "t.tradewind.watched: a restore has read nothing more for 31 s; it waits for the test"
    points = bench.points(metrics.STUCK)
    assert {of for of, value in points.items() if value} == {
        ("transaction",), ("transaction", HERE[0], "0"), ("transaction", HERE[0], "3"),
        ("restore",), ("restore", changelog, "1"),
    }  # fmt: skip
    bench.observer.complain(())
    assert not any(bench.points(metrics.STUCK).values())
    bench.observer.note_lease_end()
    assert bench.observer.seen(0.0, None).uncommitted == ()


def test_a_held_partition_that_stands_says_what_it_waits_for() -> None:
    """The instrument, the time of the record, and how far the heartbeats of that instrument have reached."""
    bench = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    release = Batch()
    release.add(0, "risk.decisions", chunk(DECISIONS, [beat(5, symbol="XAUUSD"), beat(50)]))
    release.add(0, "market.ticks", chunk(TICKS, [tick(100), tick(200), tick(7, symbol="XAUUSD")]))
    bench.run(release)
    memory, stuck = Memory(), ()
    for at_s in (10.0, 100.0):
        memory, stuck = judge(memory, bench.observer.seen(at_s, {HERE: 3, THERE: 2}), WatchdogSettings())
    bench.observer.complain(stuck)
    ((reason,),) = bench.telemetry.health.not_ready().values()
    assert "t.market.ticks, partition 0, stands at 1 " in reason
    assert reason.endswith(
        "with 2 to read; its first held record, of 1970-01-01T00:00:00.000200Z, waits for heartbeats of EURUSD.OANDA "
        "on t.risk.decisions: they have reached 1970-01-01T00:00:00.000050Z"
    )
    through = replace(ORDER_REQUESTS, partitions=3)
    apart = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50, through=through))
    some = Batch()
    beats = [replace(beat(at), passed_by=lane) for lane, at in ((0, 50), (2, 60))]
    some.add(0, "risk.decisions", chunk(DECISIONS, beats))
    some.add(0, "market.ticks", chunk(TICKS, [tick(110)]))
    apart.run(some)
    said = apart.observer.seen(0.0, None).waits[HERE]
    assert said.endswith("on t.risk.decisions: there was none; behind: t.execution.order_requests, partitions 0, 1")
    (held,) = apart.telemetry.health.details()["held"]
    assert (held["through"], held["behind"]) == ("t.execution.order_requests", [0, 1])
    silent = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    silent.run(batch_of(tick(100)))
    assert silent.observer.seen(0.0, None).waits[HERE].endswith("on t.risk.decisions: there was none")


def test_a_transaction_is_waited_for_from_the_first_batch_that_did_not_commit() -> None:
    """Failures in between do not begin anew; a lease that ends does."""
    bench = Bench()
    bench.run(batch_of(tick(1)), "aborted")
    first_s = bench.observer.seen(0.0, None).uncommitted_since_s
    assert first_s is not None
    bench.run(batch_of(tick(1)), "in doubt")
    assert bench.observer.seen(0.0, None).uncommitted_since_s == first_s
    bench.run(batch_of(tick(1)))
    assert bench.observer.seen(0.0, None).uncommitted_since_s is None
    assert bench.observer.seen(0.0, None).uncommitted == ()
    bench.run(batch_of(tick(1), first=1), "aborted")
    assert bench.observer.seen(0.0, None).uncommitted == (HERE,)
    bench.observer.note_lease_end()
    assert bench.observer.seen(0.0, None).uncommitted_since_s is None


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_that_was_in_doubt_and_done_is_not_waited_for(committed: bool) -> None:
    """The input may be idle for days after it, and no batch would say that all is well."""
    bench = Bench()
    bench.run(batch_of(tick(1)))
    bench.run(batch_of(tick(2), first=1), "in doubt")
    bench.observer.note_restoring(lambda: Progress(""))
    bench.observer.note_restored({HERE: 2 if committed else 1, THERE: 0}, {})
    seen = bench.observer.seen(0.0, None)
    assert (seen.uncommitted_since_s is None) == (seen.uncommitted == ()) == committed


def test_every_counter_and_gauge_of_workers_has_a_source() -> None:
    """Those of sinks, callers and feeds, and of the process, have others."""
    others = {
        metric
        for metric in METRICS
        if metric.name.startswith(("tradewind.sink", "tradewind.calls", "tradewind.feed", "tradewind.ai.cache"))
    }
    of_workers = {metric for metric in METRICS if metric.kind is not Instrument.HISTOGRAM} - others - {metrics.READY}
    bench = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    bench.run(batch_of(tick(1), b"garbage"))
    release = Batch()
    release.add(0, "risk.decisions", chunk(DECISIONS, [b"garbage"]))
    bench.run(release)
    bench.observer.seen(1.0, {HERE: 2})
    assert {metric.name for metric in of_workers if not bench.points(metric)} == set()


def test_a_held_partition_is_told_with_how_long_it_has_stood_and_how_many_wait() -> None:
    """From the watch's first look at that position on; the records behind the one that is held wait as well."""
    bench = Bench(Hold(topic=TICKS, until=DECISIONS, lookahead_us=50))
    assert bench.telemetry.health.details() == {}
    release = Batch()
    release.add(0, "risk.decisions", chunk(DECISIONS, [beat(50)]))
    release.add(0, "market.ticks", chunk(TICKS, [tick(100), tick(200), tick(7, symbol="XAUUSD")]))
    bench.run(release)
    now_s = time.monotonic()
    for ago_s in (30.0, 20.0):
        bench.observer.seen(now_s - ago_s, {HERE: 12_049})
    (held,) = bench.telemetry.health.details()["held"]
    assert held.pop("seconds") == pytest.approx(30, abs=5)
    assert held == {
        "group": "t.tradewind.watched",
        "topic": HERE[0],
        "partition": 0,
        "instrument": "EURUSD.OANDA",
        "ts_event": "1970-01-01T00:00:00.000200Z",
        "until": "t.risk.decisions",
        "reached": "1970-01-01T00:00:00.000050Z",
        "records": 12_048,
        "through": "",
        "behind": [],
    }
    more = Batch()
    more.add(0, "risk.decisions", chunk(DECISIONS, [beat(150), beat(7, symbol="XAUUSD")], 1))
    bench.run(more)
    assert bench.telemetry.health.details() == {}


def test_watchdogs_see_a_worker_without_an_assignment_and_how_often_it_had_one() -> None:
    """One that restores its tasks waits for something else, which another kind of complaint is of."""
    observer = Bench().observer
    observer.note_lease_end()
    assert (observer.seen(1.0, {}).waiting, observer.seen(1.0, {}).rebalances) == (UNASSIGNED, 0)
    observer.note_assignment()
    observer.note_restoring(lambda: Progress("t.watched.changelog"))
    assert (observer.seen(2.0, {}).waiting, observer.seen(2.0, {}).rebalances) == ("", 1)
    observer.note_restored({HERE: 5}, {})
    assert observer.seen(3.0, {}).waiting == ""
