"""A namespace on a broker, for tests of the runtime: publish, wait until an agent has caught up, read what it did."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer
from confluent_kafka import TopicPartition as Coordinates
from confluent_kafka.admin import AdminClient, OffsetSpec
from processes.forking import forked
from processes.pipeline import environment

from runtime.records import CODEC, INGEST_MS
from runtime.timings import variables
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.client import until_settled
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.process import Telemetry
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.schemas.notifications import Alert
from tradewind.streams.runtime import Agent, agent_topics, group_of, run_agents
from tradewind.streams.runtime.commit.changelog import Changelog, Restored
from tradewind.streams.runtime.commit.outbox import Outbox, Outcome, Patience
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.sizes import AS_USUAL, Sizes
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.topics import ALERTS, Topic
from tradewind.topics.partitioner import partition_of, partitions_for

SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSD", "ETHUSD", "GBPUSD", "USDJPY")
WAIT_S = 90.0  # a fraction of it on an idle machine
MARKERS_S = 5.0  # for the markers of a transaction that has ended
POLL_S = 0.1
HERE = Path(__file__).parent
Named = dict[tuple[str, int], tuple[str, int]]
"""Partition by its name on the cluster -> (logical topic, partition)."""


def ticks(count: int, first: int = 0, symbols: Sequence[str] = SYMBOLS) -> list[Tick]:
    """Return ticks with sequences from `first` on, symbol after symbol."""
    return [
        Tick(symbol=symbols[at % len(symbols)], venue="T", seq=at, ts_event=at, bid=1.0, ask=1.0)
        for at in range(first, first + count)
    ]


def failing_commits(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Have every third transaction aborted and every seventh commit unanswered; returns what counts the attempts."""
    attempts = 0
    commit = Outbox._commit

    def failing(self: Outbox, producer: Producer, patience: Patience) -> Outcome:
        nonlocal attempts
        attempts += 1
        if attempts % 3 == 2:
            return self._abort(producer, "the test says so", patience)
        outcome = commit(self, producer, patience)
        if attempts % 7 == 6:
            self._drop(producer)
            return Outcome("in doubt", "the test says so")
        return outcome

    monkeypatch.setattr(Outbox, "_commit", failing)
    return lambda: attempts


def delivered(error: KafkaError | None, _: Message) -> None:
    """Fail at a record that Kafka did not take: `flush` counts it as done."""
    assert error is None, error


class Cluster:
    """One namespace."""

    def __init__(self, settings: Settings, folder: Path, codec: Codec = CODEC, timings: Timings = USUAL) -> None:
        """Workers in it have these timings, unless a test gives others to one that it runs in this process."""
        self.settings = settings
        self.timings = timings
        self.folder = folder
        self.codec = codec
        self._workers: list[Worker] = []
        self._positions: dict[str, GroupPositions] = {}
        self._admin = AdminClient(settings.librdkafka())
        self._producer = Producer(
            {**settings.librdkafka(), "compression.type": "lz4", "linger.ms": 5, "enable.idempotence": True}
        )

    def create(self, *agents: Agent) -> None:
        """Create the topics of agents."""
        topics = {
            topic.name: topic for agent in agents for topic in (*agent.inputs, *agent.outputs, *agent_topics(agent))
        }
        ensure(self.settings, topics.values())

    def publish(
        self,
        topic: Topic,
        events: Iterable[Event | bytes | None],
        symbol: str = "EURUSD",
        to: Callable[[Event], int] | None = None,
    ) -> None:
        """Publish events where their key belongs, or where `to` says; bytes go where `symbol` lies."""
        name = self.settings.physical(topic)
        for event in events:
            value = self.codec.encode(event) if isinstance(event, Event) else event
            key = topic.key(event) if isinstance(event, Event) else f"{symbol}.T"
            if not isinstance(event, Event):
                partitions: Sequence[int] = (partition_of(key.encode(), topic.partitions),)
            else:
                partitions = (to(event),) if to else partitions_for(topic, event, key)
            for partition in partitions:
                self._produce(name, value, key.encode(), partition)
        assert self._producer.flush(30) == 0

    def _produce(self, name: str, value: bytes | None, key: bytes, partition: int) -> None:
        while True:
            try:
                self._producer.produce(name, value, key, partition, delivered, timestamp=INGEST_MS)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def read(self, topic: Topic) -> list[Event]:
        """Return the committed events of a topic, partition after partition.

        A transaction whose offsets are committed may be pending on its outputs for a moment: the marker of each
        partition is written by itself. So this waits for it, and not for ever: some tests leave one pending.
        """
        at = {(self.settings.physical(topic), p): (topic.name, p) for p in range(topic.partitions)}
        deadline = time.monotonic() + MARKERS_S
        while self._pending(at) and time.monotonic() < deadline:
            time.sleep(0.1)
        found: list[tuple[int, int, Event]] = []
        for batch in raw_records(self.settings, self.settings.physical(topic), range(topic.partitions), "earliest"):
            for record in batch:
                assert record.timestamp()[1] == INGEST_MS, "outputs carry the timestamp of their origin"
                value = record.value()
                assert value is not None
                found.append((record.partition() or 0, record.offset() or 0, self.codec.decode(value)))
        return [event for _, _, event in sorted(found, key=lambda at: at[:2])]

    def alerts(self) -> list[Alert]:
        """Return the alerts, those of a source in order."""
        name = self.settings.physical(ALERTS)
        batches = raw_records(self.settings, name, range(ALERTS.partitions), "earliest")
        found = [self.codec.decode(record.value() or b"") for batch in batches for record in batch]
        return sorted((event for event in found if isinstance(event, Alert)), key=lambda alert: alert.ts_ingest)

    def offsets(self, agent: Agent, *also: Topic) -> dict[tuple[str, int], int | None]:
        """Return the group's stable offsets by logical topic and partition: of the inputs, and of others."""
        at = self._inputs(agent, also)
        stable = self._positions_of(agent).stable(at, lambda: False)
        return {at[name]: offset for name, offset in stable.items()}

    def _positions_of(self, agent: Agent) -> GroupPositions:
        """Return clients that ask for an agent's offsets: tests ask many times, and clients take time to connect."""
        group = group_of(agent, self.settings)
        if group not in self._positions:
            self._positions[group] = GroupPositions(self.settings, group)
        return self._positions[group]

    def forget_offsets(self, agent: Agent) -> None:
        """Delete the group of an agent that does not run, as a broker does after a week."""
        for deleted in self._admin.delete_consumer_groups([group_of(agent, self.settings)]).values():
            deleted.result(WAIT_S)

    def move_offsets(self, agent: Agent, to: int) -> None:
        """Set the group of an agent that does not run to an offset, in a partition where it has one."""
        (name, partition) = next(at for at, offset in self.offsets(agent).items() if offset)
        consumer = Consumer({**self.settings.librdkafka(), "group.id": group_of(agent, self.settings)})
        consumer.commit(offsets=[Coordinates(self.settings.physical(name), partition, to)], asynchronous=False)
        consumer.close()

    def ends(self, agent: Agent, *also: Topic) -> dict[tuple[str, int], int]:
        """Return the last stable offset of every input, and of other topics."""
        return self._ends(self._inputs(agent, also), IsolationLevel.READ_COMMITTED)

    def _inputs(self, agent: Agent, also: Iterable[Topic]) -> Named:
        return {
            (self.settings.physical(topic), p): (topic.name, p)
            for topic in (*agent.inputs, *also)
            for p in range(agent.partitions if topic.broadcast else topic.partitions)
        }

    def _ends(self, at: Named, isolation: IsolationLevel) -> dict[tuple[str, int], int]:
        """Return the ends of partitions: the last stable offset, or the one after the last record."""
        asked = {Coordinates(*name): OffsetSpec.latest() for name in at}

        def told() -> dict[tuple[str, int], int]:
            answers = self._admin.list_offsets(asked, isolation_level=isolation)
            return {at[of.topic, of.partition]: answer.result(WAIT_S).offset for of, answer in answers.items()}

        return until_settled(told, WAIT_S)  # a topic that was just made may have no leader yet

    def _pending(self, at: Named) -> bool:
        """Tell whether records of a transaction that has not ended are in one of the partitions."""
        stable = self._ends(at, IsolationLevel.READ_COMMITTED)
        return stable != self._ends(at, IsolationLevel.READ_UNCOMMITTED)

    def caught_up(self, agent: Agent, *also: Topic) -> bool:
        """Tell whether the agent has committed all there is, markers included, and no transaction is pending on it."""
        ends = self._ends(self._inputs(agent, also), IsolationLevel.READ_UNCOMMITTED)
        return self.offsets(agent, *also) == ends

    def state(self, agent: Agent) -> dict[int, Restored]:
        """Return what the changelog says of each task."""
        changelog = Changelog(agent, self.settings, self.codec)
        return changelog.restore(range(agent.partitions), self._positions_of(agent), lambda: False)

    def totals(self, agent: Agent) -> tuple[int, int]:
        """Return the number of ticks, and the sum of their sequences, that an adding agent's state holds."""
        values = [
            value
            for task in self.state(agent).values()
            for encoded in task.raw.values()
            if isinstance(value := self.codec.decode(encoded), Tick)
        ]
        return sum(value.ts_event for value in values), sum(value.seq for value in values)

    def assert_exactly_once(self, count: int, relayed: Topic | None, *adding: Agent) -> None:
        """Fail unless each of `count` ticks is in the outputs once, in order, and in every state once."""
        if relayed is not None:
            by_symbol: dict[str, list[int]] = {}
            for event in self.read(relayed):
                assert isinstance(event, Tick)
                by_symbol.setdefault(event.symbol, []).append(event.seq)
            for symbol, seen in by_symbol.items():
                expected = [tick.seq for tick in ticks(count) if tick.symbol == symbol]
                missing = sorted(set(expected).difference(seen))[:20]
                assert seen == expected, f"{symbol}: {len(seen)} ticks of {len(expected)}, missing are {missing}"
            assert sum(map(len, by_symbol.values())) == count
        for agent in adding:
            assert self.totals(agent) == (count, sum(range(count))), agent.name

    @contextlib.asynccontextmanager
    async def running(
        self,
        *agents: Agent,
        telemetry: Telemetry | None = None,
        timings: Timings | None = None,
        sizes: Sizes = AS_USUAL,
    ) -> AsyncIterator[asyncio.Task[None]]:
        """Run agents in this process, ready when the body begins and stopped after it; an error of theirs is raised."""
        stop, ready = asyncio.Event(), asyncio.Event()
        how: dict[str, Any] = {"telemetry": telemetry, "timings": timings or self.timings, "sizes": sizes}
        task = asyncio.ensure_future(
            run_agents(agents, self.settings, self.codec, on_ready=ready.set, stop=stop, **how)
        )
        waiting = asyncio.ensure_future(ready.wait())
        try:
            await asyncio.wait({task, waiting}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                assert ready.is_set(), f"not ready within {WAIT_S} s"
                yield task
        finally:
            waiting.cancel()
            stop.set()
            await task

    def start(self, *names: str, program: str = "agents.py") -> Worker:
        """Start a worker of its own process for agents of `agents.py`, or of another program of this folder."""
        worker = Worker(self, names, program)
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """Kill what a failed test left running, and let the connections go."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()
        for positions in self._positions.values():
            positions.close()
        self._positions.clear()


class Worker:
    """A process that runs agents."""

    def __init__(self, cluster: Cluster, names: Sequence[str], program: str) -> None:
        self.log = cluster.folder / f"{'-'.join(names)}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            given = {**environment(cluster.settings), **variables(cluster.timings)}
            self.process = forked(str(HERE / program), *names, environment=given, out=out)

    def wait_ready(self) -> None:
        """Wait until its agents have been given partitions and restored them."""
        until(lambda: self._alive() and b"\nready\n" in b"\n" + self.log.read_bytes(), f"ready: {self.log}")

    def _alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text("utf-8", "replace")[-6000:]
        return True

    def kill(self) -> None:
        """End it with SIGKILL: it can finish nothing."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def peak_memory_mb(self) -> float:
        """Return the most memory that it had resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def until(true: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> float:
    """Wait until something holds; return the seconds it took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < timeout_s, f"{what}: not within {timeout_s} s"
        time.sleep(POLL_S)
    return time.monotonic() - begun


async def soon(true: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait until something holds, asking from a thread so that agents of this process go on."""
    await asyncio.to_thread(until, true, what, timeout_s)


def delete_records(settings: Settings, topic: Topic, partition: int, before: int) -> None:
    """Remove what lies before an offset, as retention does; -1 removes all."""
    admin = AdminClient(settings.librdkafka())
    for deleted in admin.delete_records([Coordinates(settings.physical(topic), partition, before)]).values():
        deleted.result(WAIT_S)


def group_metadata(settings: Settings, group: str, topic: str) -> tuple[bytes, Consumer]:
    """Return the metadata of a real consumer that has joined a group, and the consumer, to be closed."""
    consumer = Consumer({**settings.librdkafka(), "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    begun = time.monotonic()
    while not consumer.assignment():
        assert time.monotonic() - begun < WAIT_S
        consumer.poll(0.1)
    return consumer.consumer_group_metadata(), consumer
