"""All tasks of one agent in one worker: they are restored together, and a batch of them is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tradewind.streams.runtime.cluster import Positions, Transactions
from tradewind.streams.runtime.commit.changelog import Restored
from tradewind.streams.runtime.commit.journal import TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Impatient, Outcome, Patience
from tradewind.streams.runtime.errors import (
    PositionsDiffer,
    RecordsGone,
    SchemaUnavailable,
    StartsUncommitted,
    StateNewer,
    Superseded,
)
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.read.chunk import Chunk
from tradewind.streams.runtime.read.positions import Superseding, check_reachable, start_positions
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.watch.statistics import BatchStatistics, TaskSize
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task

ByTask = Mapping[int, Mapping[str, int | None]]
"""The group's stable offset of each input, by task; None where it has none."""


@dataclass(slots=True)
class Batch:
    """What one transaction processes: chunks by task and topic."""

    limit: int | None = None
    """How many held records each task releases; None: the agent's `batch_limit`."""
    chunks: dict[int, dict[str, list[Chunk]]] = field(default_factory=dict)
    released: dict[int, int] = field(default_factory=dict)
    """Records of the held input that went, by task; filled in when the batch is run."""
    statistics: BatchStatistics = field(default_factory=BatchStatistics)
    """Its outcome, set when the batch runs."""

    def add(self, partition: int, topic: str, chunk: Chunk) -> None:
        """Add a chunk behind the other chunks of its partition."""
        self.chunks.setdefault(partition, {}).setdefault(topic, []).append(chunk)

    def by_source(self) -> Iterator[tuple[TopicPartition, list[Chunk]]]:
        """Yield the chunks of each partition, by its name on the cluster."""
        for topics in self.chunks.values():
            for chunks in topics.values():
                yield chunks[0].source, chunks

    def sources(self, held: str | None) -> tuple[TopicPartition, ...]:
        """Return the partitions that it is of, ascending; `held` is the held input, by its name on the cluster.

        A task that is run though nothing new arrived for it lets held records go.
        """
        found = {source for source, _ in self.by_source()}
        if held is not None:
            found.update((held, partition) for partition, topics in self.chunks.items() if not topics)
        return tuple(sorted(found))

    def touch(self, partition: int) -> None:
        """Run a task although no new records have arrived."""
        self.chunks.setdefault(partition, {})


class AssignedTasks:
    """The tasks that a worker has a lease for. Used by the worker's thread only.

    `with_more` and `waits` are for other threads, too, between its calls.
    """

    def __init__(
        self, work: AgentWork, positions: Positions, transactions: Transactions, *, traces: bool = False
    ) -> None:
        """Use the positions of the agent's group; with `traces`, a batch's statistics name the events that it sent."""
        self._agent = work.agent
        self._codec = work.codec
        self._traces = traces
        self._work = work
        self._positions = positions
        self._outbox = transactions
        self._tasks: dict[int, Task] = {}
        self._lease: Lease | None = None
        """The one that they were placed for."""

    @property
    def with_more(self) -> list[int]:
        """The tasks that can continue without new records."""
        return [partition for partition, task in self._tasks.items() if task.more]

    def waits(self, partition: int) -> str:
        """Return why a task processes broadcast inputs only, in words; empty if it processes all inputs."""
        return self._tasks[partition].waits()

    @property
    def progress(self) -> Progress:
        """How far restores are. For any thread."""
        return self._work.changelog.progress

    def states(self) -> dict[int, TaskState]:
        """Return the state of each task."""
        return {partition: task.state for partition, task in self._tasks.items()}

    def sizes(self) -> dict[int, TaskSize]:
        """Return the sizes of each task."""
        return {partition: task.size() for partition, task in self._tasks.items()}

    def establish(self, lease: Lease, superseded: Superseding, patience: Patience) -> dict[TopicPartition, int]:
        """Restore the tasks of a lease to the committed state; return the positions to read from.

        `patience` is for the transaction of first offsets, not for restoring; it is shortened when that begins.

        State that is in memory is kept where nobody else can have had the task meanwhile, and where it was applied up
        to the group's stable offset: else the changelog has it.
        Raises `StartsUncommitted` where the first offsets could not be committed, or perhaps were: try it again; and
        `RecordsGone` where an input has no longer what comes next.
        """
        owned, changelog = self._own_tasks(lease), self._work.changelog
        changelog.progress = changelog.progress.begun(owned).waiting("a producer of transactions")
        self._outbox.ready(superseded)
        by_task = self._stable(owned, superseded)
        if self._lease is None or not lease.follows(self._lease):
            self._tasks = {}  # equal offsets do not tell: a newer version's migration, for one, moves none of ours
        while True:
            try:
                self._place(lease, by_task, superseded)
                break
            except (PositionsDiffer, RecordsGone, StateNewer):
                committed, by_task = by_task, self._stable(owned, superseded)
                if by_task == committed:
                    raise
                # Another worker has the tasks by now, and went on: this one was frozen, and will hear of it.
        self._make_explicit(lease, by_task, superseded, patience)
        return self._read_on(lease)

    def _stable(self, owned: Collection[int], superseded: Superseding) -> ByTask:
        """Return the group's stable offset of each input of tasks."""
        names, changelog = self._work.names, self._work.changelog
        changelog.progress = changelog.progress.begun(owned).waiting("stable offsets of the group")
        stable = self._positions.stable([(name, task) for task in owned for name in names.values()], superseded)
        return {task: {topic: stable[name, task] for topic, name in names.items()} for task in owned}

    def _place(self, lease: Lease, by_task: ByTask, superseded: Superseding) -> None:
        """Keep the tasks whose state was applied up to the group's offsets, and restore the others."""
        changelog = self._work.changelog
        kept = {partition: task for partition, task in self._tasks.items() if by_task.get(partition) == task.applied}
        restored = changelog.restore(by_task.keys() - kept.keys(), self._positions, superseded)
        changelog.progress = changelog.progress.waiting("where its inputs begin and end")
        self._tasks = {
            partition: self._begin_anew(kept[partition])
            if partition in kept
            else self._from_changelog(partition, group, restored[partition])
            for partition, group in by_task.items()
        }
        self._lease = lease
        changelog.progress = changelog.progress.waiting("what is to be skipped by hand")
        told = self._work.skips.read(self._positions, superseded)
        for partition, task in self._tasks.items():
            task.by_hand = told.get(partition, {})
        begun = {at: offset for at, offset in self._read_on(lease).items() if at[1] in restored}
        self.check_reachable(begun, superseded)  # the others were read until now: a fetch tells of them

    def _read_on(self, lease: Lease) -> dict[TopicPartition, int]:
        """Return the known positions of the inputs of a lease."""
        names = self._work.names
        return {
            (names[topic], partition): offset
            for partition, task in self._tasks.items()
            for topic, offset in task.applied.items()
            if (names[topic], partition) in lease.partitions
        }

    def unread_commands(self, lease: Lease, superseded: Superseding) -> dict[TopicPartition, int]:
        """Return where the partitions of broadcast inputs end that have something to read, of the lease's tasks.

        The end is the last stable offset: what lies before it can be read at once, so that a task may wait for it.
        Raises as `Positions.stable_ends` does.
        """
        names = {self._work.names[topic.name] for topic in self._agent.inputs if topic.broadcast}
        at = {source: offset for source, offset in self._read_on(lease).items() if source[0] in names}
        ends = self._positions.stable_ends(at, superseded) if at else {}
        return {source: end for source, end in ends.items() if end > at[source]}

    def check_reachable(self, wanted: Mapping[TopicPartition, int], superseded: Superseding) -> None:
        """Raise `RecordsGone` if the cluster no longer has the next records at these positions."""
        bounds = self._positions.bounds(wanted, superseded)
        check_reachable(self._agent.name, self._work.group, wanted, bounds)

    def _begin_anew(self, kept: Task) -> Task:
        """Return a task that continues from the committed state of a task in memory."""
        kept.drop()
        journal = TaskJournal(self._work.journal, kept.partition, kept.journal.encoded, kept.journal.position)
        journal.since = kept.journal.since
        task = Task(self._work, kept.partition, kept.state, kept.applied, journal)
        task.migrate(kept.migrations)
        return task

    def _from_changelog(self, partition: int, group: Mapping[str, int | None], restored: Restored) -> Task:
        """Return a task restored from the changelog; raises if the group's offsets contradict it."""
        starts = start_positions(self._agent.name, partition, group, restored.inputs, (self._work.redrive.name,))
        applied = {topic: offset for topic, offset in starts.items() if offset is not None}
        journal = TaskJournal(self._work.journal, partition, restored.encoded, restored.journal)
        task = Task(self._work, partition, TaskState(restored.raw, self._codec.decode), applied, journal)
        task.migrate(range(restored.migrations + 1, len(self._agent.migrations) + 1))
        return task

    def _own_tasks(self, lease: Lease) -> list[int]:
        """Return the tasks of a lease: the partitions of the declared inputs, which come together.

        Raises where a task got some of them only: the assignor is Range, so the topics differ in partitions. While
        workers of a version without redrive are in the group, those with it share the redrive topic among themselves,
        so that it may be apart from its task. It is not read then; its position is the task's all the same.
        """
        inputs = {topic.name: self._work.names[topic.name] for topic in self._agent.inputs}
        owned = sorted({partition for name, partition in lease.partitions if name in inputs.values()})
        for partition in owned:
            for topic, name in inputs.items():
                if (name, partition) not in lease.partitions:
                    raise PositionsDiffer(
                        f"agent {self._agent.name}: partition {partition} came without {topic}. Its inputs need equal "
                        "partition counts on the cluster: compare them with `tradewind topics list`."
                    )
        return owned

    def _make_explicit(
        self,
        lease: Lease,
        by_task: ByTask,
        superseded: Superseding,
        patience: Patience,
    ) -> None:
        """Commit where the group has no offset: inputs that begin, and those whose offset has expired.

        From then on a restart, and whoever asks for the lag, finds them.
        """
        missing = {
            partition: [topic for topic, offset in group.items() if offset is None]
            for partition, group in by_task.items()
        }
        at = {
            (self._work.names[topic], partition): topic == self._work.redrive.name
            for partition, topics in missing.items()
            for topic in topics
            if topic not in self._tasks[partition].applied
        }
        from_first = self._agent.first_start == "earliest"
        bounds = self._positions.bounds(at, superseded)
        # Letters may have been redriven before the agent was first here to read them: somebody waits for each.
        begins = {of: bounds[of][0 if from_first or redrive else 1] for of, redrive in at.items()}
        draft = Draft()
        for partition, topics in missing.items():
            known = self._tasks[partition].applied
            starts = {
                topic: known[topic] if topic in known else begins[self._work.names[topic], partition]
                for topic in topics
            }
            self._tasks[partition].start(starts, draft)
        if not draft.offsets:
            return
        patience.shorten(self._work.timings.patience_s)
        if superseded():  # after it: who hurries while the lease ends must not be overruled
            self._tasks = {}
            raise Superseded
        changelog = self._work.changelog
        changelog.progress = changelog.progress.waiting("the commit of its first offsets")
        outcome = self._outbox.send(draft, lease, patience)
        if outcome.kind != "committed":
            self._tasks = {}
            if superseded() or outcome.kind == "lease ended":
                raise Superseded
            raise StartsUncommitted(outcome.reason)
        for task in self._tasks.values():
            task.keep()

    def run(self, lease: Lease, batch: Batch, patience: Patience) -> Outcome:
        """Process a batch and commit it. If that fails, keep nothing of it; the caller calls `establish` next."""
        draft, statistics = Draft(origins={} if self._traces else None), batch.statistics
        tasks = [self._tasks[partition] for partition in sorted(batch.chunks)]
        try:
            for task in tasks:
                task.run(batch.chunks[task.partition], draft, patience, batch.limit)
                batch.released[task.partition] = task.released
            statistics.note_processed()
            outcome = (
                self._outbox.send(draft, lease, patience) if draft.offsets else Outcome("committed", "nothing moved")
            )
        except (SchemaUnavailable, Impatient) as reason:
            outcome = Outcome("aborted", str(reason))
        except BaseException:
            for task in tasks:
                task.drop()
            raise
        for task in tasks:
            if outcome.kind == "committed":
                task.keep()
            else:
                task.drop()
        statistics.note_end()
        if outcome.kind == "committed":
            statistics.note_commit(tasks, draft, traces=self._traces)
        return outcome

    def close(self) -> None:
        """Close the connections."""
        self._outbox.close()
        self._positions.close()
