"""One agent in memory: the runtime's own tasks, on the batches that a test gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, cast

from tradewind.connectors.dead_letters import plan, survey
from tradewind.connectors.dead_letters.redrive import sent_back
from tradewind.schemas.codec import UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.streams.runtime.agent import Agent, dead_letter_topic, group_of, redriven_topic
from tradewind.streams.runtime.chunk import CHUNK_RECORDS, Chunk
from tradewind.streams.runtime.dead_letters import owner_of
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.outbox import Patience
from tradewind.streams.runtime.records import Records
from tradewind.streams.runtime.state import TaskState
from tradewind.streams.runtime.task import AgentWork
from tradewind.streams.runtime.tasks import Batch, Tasks
from tradewind.testing.broker import MemoryBroker, MemoryChangelog, MemoryPositions, MemoryTransactions
from tradewind.topics import Topic

E = TypeVar("E", bound=Event)
FOREVER_S = 1e9  # nobody waits for a batch's end


class MemoryAgent:
    """An agent that runs when it is told to.

    Decoding, state, holding back, dead letters, redrive, routing and what a transaction holds are the runtime's own
    code. A test decides where batches are cut, and what time it is: the events say so.
    """

    def __init__(self, agent: Agent, broker: MemoryBroker | None = None) -> None:
        """Start an agent where it stopped on a broker, which is a new and empty one unless given."""
        self.agent = agent
        self.broker = broker or MemoryBroker()
        settings = self.broker.settings
        self._group = group_of(agent, settings)
        self._sent = MemoryTransactions(self.broker, self._group)
        self._start()

    def _start(self) -> None:
        """Restore the tasks from what is committed."""
        broker, settings, codec = self.broker, self.broker.settings, self.broker.codec
        self._work = AgentWork(self.agent, settings, codec, MemoryChangelog(broker, self.agent, settings, codec))
        self._tasks = Tasks(self._work, MemoryPositions(broker, self._group), self._sent)
        partitions = range(self.agent.partitions)
        sources = frozenset((name, number) for name in self._work.names.values() for number in partitions)
        self._lease = Lease(self._group, 1, "memory", sources)
        self._read: dict[TopicPartition, int] = self._tasks.establish(self._lease, lambda: False, Patience(FOREVER_S))
        self._stopped = False

    def restart(self) -> None:
        """Stop the agent and start it again: its state comes from the changelog, what it held is read again."""
        self._start()

    def process(self, batch: Mapping[Topic, Sequence[Event]]) -> list[Event]:
        """Publish events to the agent's inputs and run them as one batch; returns what the agent sent, in order."""
        for topic, events in batch.items():
            self.broker.publish(topic, *events)
        return self.run()

    def run(self, limit: int | None = None) -> list[Event]:
        """Process all that waits as one transaction; returns what the agent sent to its outputs, in order.

        With a `limit` a batch ends after so many records of each partition, and others follow until nothing waits.
        Raises `AgentCrashed` for a bug in the processor: nothing of its batch is kept, and the next run meets it again.
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
        for source, start in self._read.items():
            log = self.broker.log(source)
            stop = len(log) if limit is None else min(len(log), start + limit)
            for first in range(start, stop, CHUNK_RECORDS):
                after = min(first + CHUNK_RECORDS, stop)
                chunk = Chunk(source, self._lease, 0, first, Records.of(log[first:after]), after)
                batch.add(source[1], self._logical(source[0]), chunk)
            self._read[source] = stop
        for partition in self._tasks.with_more:
            batch.touch(partition)
        return batch if batch.chunks else None

    def _logical(self, name: str) -> str:
        return next(topic for topic, known in self._work.names.items() if known == name)

    def advance(self, ts_event: int) -> list[Event]:
        """Let time pass up to `ts_event`, µs: a heartbeat of each instrument on each input that carries them; run it.

        The instruments are those of all events that its inputs had so far.
        """
        carrying = [topic for topic in self.agent.inputs if Heartbeat in topic.models]
        known = {of: None for topic in self.agent.inputs for of in self._instruments(topic)}
        beats = [Heartbeat(symbol=of[0], venue=of[1], ts_event=ts_event, ts_ingest=ts_event) for of in sorted(known)]
        return self.process(dict.fromkeys(carrying, beats))

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
        """Return the dead letters by origin, and those of one origin by attempt."""
        found = cast("list[DeadLetter]", self.broker.events(dead_letter_topic(self.agent)))
        return sorted(found, key=lambda letter: (letter.topic, letter.partition, letter.offset, letter.attempt))

    def redrive(self) -> int:
        """Send the dead letters back that `tradewind dlq redrive` would, and return how many; `run` processes them."""
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

    def states(self) -> dict[int, dict[str, Event]]:
        """Return the committed state of each task, by partition, its keys sorted."""
        return {partition: _values(state) for partition, state in sorted(self._tasks.states().items())}

    def state(self) -> dict[str, Event]:
        """Return the state of all tasks by key; raises `ValueError` where two tasks keep the same key: see `states`."""
        found: dict[str, Event] = {}
        for partition, values in self.states().items():
            if both := found.keys() & values.keys():
                raise ValueError(f"task {partition} and another one keep {sorted(both)}: use states()")
            found |= values
        return found

    def positions(self) -> dict[tuple[str, int], int]:
        """Return where the group goes on: (topic, partition) -> offset of the next record."""
        committed = self.broker.committed(self._group)
        return {(self._logical(name), partition): offset for (name, partition), offset in committed.items()}


def _values(state: TaskState) -> dict[str, Event]:
    found = {key: state.get(key, Event) for key in state.keys("")}
    return {key: value for key, value in found.items() if value is not None}
