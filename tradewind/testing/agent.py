"""One agent in memory: the runtime's own tasks, on the batches that a test gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from tradewind.connectors.dead_letters import plan, survey
from tradewind.connectors.dead_letters.redrive import sent_back
from tradewind.connectors.dead_letters.skips import digest_of_record
from tradewind.schemas.codec import UndecodableRecord
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.runtime import DeadLetter, Redriven, Skip
from tradewind.streams.runtime.agent import Agent, dead_letter_topic, group_of, redriven_topic, skips_topic
from tradewind.streams.runtime.commit.outbox import Patience
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS, Chunk
from tradewind.streams.runtime.read.records import Records
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.streams.runtime.work.dead_letters import owner_of
from tradewind.streams.runtime.work.state import TaskState
from tradewind.testing.broker import MemoryBroker, MemoryChangelog, MemoryPositions, MemorySkips, MemoryTransactions
from tradewind.testing.prepared import prepare
from tradewind.topics import DEPLOYMENT_CHANGES, TENANT_CHANGES, Topic

E = TypeVar("E", bound=Event)
FOREVER_S = 1e9  # nobody waits for a batch's end


class MemoryAgent:
    """An agent in memory, which runs when a test calls `process` or `run`.

    The code of the runtime does decoding, state, holds, dead letters, redrive, routing and the content of transactions.
    A test decides where batches are cut. Time is what the events say.
    """

    def __init__(self, agent: Agent, broker: MemoryBroker | None = None) -> None:
        """Start an agent on a broker, where it stopped there before.

        Without a broker, use a new one. If the agent reads tenants or deployments, the new one has those that
        `tradewind prepare` writes, because the agent would wait for them.
        """
        self.agent = agent
        self.broker = broker or MemoryBroker()
        if broker is None and not {TENANT_CHANGES, DEPLOYMENT_CHANGES}.isdisjoint(agent.inputs):
            prepare(self.broker)
        settings = self.broker.settings
        self._group = group_of(agent, settings)
        self._sent = MemoryTransactions(self.broker, self._group)
        self.paused: set[int] = set()
        """Tasks that do not run, as if their worker stood still. A test adds and removes them."""
        self._start()

    def _start(self) -> None:
        """Restore the tasks from what is committed."""
        broker, settings, codec = self.broker, self.broker.settings, self.broker.codec
        kept = MemoryChangelog(broker, self.agent, settings, codec), MemorySkips(broker, self.agent, settings, codec)
        self._work = AgentWork(self.agent, settings, codec, *kept)
        self._tasks = AssignedTasks(self._work, MemoryPositions(broker, self._group), self._sent)
        partitions = range(self.agent.partitions)
        sources = frozenset((name, number) for name in self._work.names.values() for number in partitions)
        self._lease = Lease(self._group, 1, "memory", sources)
        self._read: dict[TopicPartition, int] = self._tasks.establish(self._lease, lambda: False, Patience(FOREVER_S))
        self._stopped = False

    def restart(self) -> None:
        """Stop the agent and start it again. It restores its state from the changelog and reads held records again."""
        self._start()

    def process(self, batch: Mapping[Topic, Sequence[Event]]) -> list[Event]:
        """Publish events to the agent's inputs and run them as one batch; return what the agent sent, in order.

        Raises as `run` does.
        """
        for topic, events in batch.items():
            self.broker.publish(topic, *events)
        return self.run()

    def run(self, limit: int | None = None) -> list[Event]:
        """Process all waiting records as one transaction; return what the agent sent to its outputs, in order.

        With a `limit`, batches have at most that many records of each partition, and run until nothing waits. Raises
        `AgentCrashed` for a bug in the processor: nothing of its batch is kept, and the next run gets the same records.
        """
        if self._stopped:
            self._start()
        self._sent.latest.clear()
        while (batch := self._gather(limit)) is not None:
            try:
                self._tasks.run(self._lease, batch, Patience(FOREVER_S))
            except BaseException:
                self._stopped = True
                raise
        outputs = {self.broker.settings.physical(topic) for topic in self.agent.outputs}
        messages = [out for draft in self._sent.latest for out in draft.messages if out.topic in outputs]
        return [self.broker.codec.decode(out.value or b"") for out in messages]

    def _gather(self, limit: int | None) -> Batch | None:
        batch = Batch()
        broadcast = {self.broker.settings.physical(topic) for topic in self.agent.inputs if topic.broadcast}
        for source, start in self._read.items():
            if source[1] in self.paused or (source[0] not in broadcast and self._tasks.waits(source[1])):
                continue
            log = self.broker.log(source)
            stop = len(log) if limit is None else min(len(log), start + limit)
            for first in range(start, stop, CHUNK_RECORDS):
                after = min(first + CHUNK_RECORDS, stop)
                chunk = Chunk(source, self._lease, 0, first, Records.of(log[first:after]), after)
                batch.add(source[1], self._logical(source[0]), chunk)
            self._read[source] = stop
        for partition in self._tasks.with_more:
            if partition not in self.paused:
                batch.touch(partition)
        return batch if batch.chunks else None

    def _logical(self, name: str) -> str:
        return next(topic for topic, known in self._work.names.items() if known == name)

    def advance(self, ts_event: int) -> list[Event]:
        """Let time pass up to `ts_event`, µs; return what the agent sent.

        Publishes a heartbeat for each instrument on each input that carries heartbeats, and runs the agent. The
        instruments are those of all events that the inputs have had so far.
        """
        carrying = [topic for topic in self.agent.inputs if Heartbeat in topic.models]
        known = {of: None for topic in self.agent.inputs for of in self._instruments(topic)}
        beats = [Heartbeat(symbol=of[0], venue=of[1], ts_event=ts_event, ts_ingest=ts_event) for of in sorted(known)]
        hold = self.agent.hold
        told = dict.fromkeys(carrying, beats)
        if hold is not None and hold.through is not None:
            lanes = range(hold.through.partitions)
            told[hold.until] = [replace(beat, passed_by=lane) for beat in beats for lane in lanes]
        return self.process(told)

    def _instruments(self, topic: Topic) -> Iterable[tuple[str, str]]:
        for record in self.broker.records(topic):
            try:
                event = self.broker.codec.decode(record.value or b"")
            except UndecodableRecord:  # a dead letter has no time
                continue
            symbol, venue = getattr(event, "symbol", None), getattr(event, "venue", None)
            if symbol is not None and venue is not None:
                yield symbol, venue

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, sorted by origin and attempt."""
        found = cast("list[DeadLetter]", self.broker.events(dead_letter_topic(self.agent)))
        return sorted(found, key=lambda letter: (letter.topic, letter.partition, letter.offset, letter.attempt))

    def redrive(self) -> int:
        """Send back the letters that `tradewind dlq redrive` would send; return how many. `run` processes them."""
        owner, settings, codec = owner_of(self.agent), self.broker.settings, self.broker.codec
        assert owner.returns is not None  # an agent's
        letters = cast("list[DeadLetter]", self.broker.events(dead_letter_topic(self.agent)))
        marks = cast("list[Redriven]", self.broker.events(redriven_topic(self.agent)))
        chosen = plan(survey(letters, {mark.event_id: mark for mark in marks}), owner.returns)
        due = [letter for letter in self.dead_letters() if letter.event_id in chosen.send]
        for letter in due:
            times = chosen.times[letter.event_id]
            self.broker.write(sent_back(settings, owner, codec, letter, times, now_us=letter.ts_ingest))
        return len(due)

    def skip(self, topic: Topic, partition: int, offset: int, reason: str = "") -> None:
        """Do what `tradewind dlq skip` does: once the agent has restarted, it passes over the record.

        An agent that has stopped restarts with the next `run`. Restart any other agent with `restart`.
        """
        record = self.broker.log((self.broker.settings.physical(topic), partition))[offset]
        skip = Skip(
            agent=self.agent.name,
            topic=topic.name,
            partition=partition,
            offset=offset,
            reason=reason,
            said_by="a test",
            ts_skip=record.timestamp * US_PER_MS,
            digest=digest_of_record(record.timestamp, record.key, record.value),
        )
        told = skips_topic(self.agent)
        self.broker.append(told, self.broker.codec.encode(skip), key=told.key(skip).encode(), partition=0)

    def states(self) -> dict[int, dict[str, Event]]:
        """Return the committed state of each task, by partition, its keys sorted."""
        return {partition: _values(state) for partition, state in sorted(self._tasks.states().items())}

    def state(self) -> dict[str, Event]:
        """Return the state of all tasks by key. Raises `ValueError` if two tasks have the same key: use `states`."""
        found: dict[str, Event] = {}
        for partition, values in self.states().items():
            if both := {key for key in found.keys() & values.keys() if found[key] != values[key]}:
                raise ValueError(f"task {partition} and another one keep {sorted(both)}: use states()")
            found |= values
        return found

    def positions(self) -> dict[tuple[str, int], int]:
        """Return the committed offsets: (topic, partition) -> offset of the next record."""
        committed = self.broker.committed(self._group)
        return {(self._logical(name), partition): offset for (name, partition), offset in committed.items()}


def _values(state: TaskState) -> dict[str, Event]:
    found = {key: state.get(key, Event) for key in state.keys("")}
    return {key: value for key, value in found.items() if value is not None}
