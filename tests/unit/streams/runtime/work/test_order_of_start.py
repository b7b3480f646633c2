"""A start asks in one order: else what a predecessor left pending would be missed, or read as if it had committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runtime.in_memory import GroupBroker
from runtime.records import by_rows, tick

from tradewind.processors.batch import Rows, State
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Patience
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.watch.progress import Progress
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.topics import TICKS

CHANGELOG, INPUT, REDRIVE = "t.ordered.changelog", "t.market.ticks", "t.ordered.redrive"


def keep(state: State, rows: Rows) -> list[Event]:
    """Keep the last tick of each symbol."""
    for event in rows.events:
        assert isinstance(event, Tick)
        state.put(event.symbol, event)
    return []


AGENT = Agent("ordered", (TICKS,), (), by_rows(keep))


class Noting(GroupBroker):
    """Notes what it is asked, in order, and how far the restore says it is then."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.told: list[Progress] = []
        self.now: AssignedTasks | None = None

    def tasks(self, agent: Agent) -> AssignedTasks:
        made = self.now = super().tasks(agent)
        changelog: Any = made._work.changelog
        read = changelog._read

        def noted(*of: Any) -> None:
            self._note("read")
            read(*of)

        changelog._read = noted
        return made

    def _note(self, what: str) -> None:
        assert self.now is not None
        self.asked.append(what)
        self.told.append(self.now.progress)

    def ready(self, superseded: object) -> None:
        self._note("ready")

    def stable(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, int | None]:
        self._note("stable")
        return super().stable(partitions, superseded)

    def bounds(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, tuple[int, int]]:
        asked = tuple(partitions)
        if any(topic == CHANGELOG for topic, _ in asked):
            self._note("changelog's bounds")
        return super().bounds(asked, superseded)


def started(broker: Noting) -> None:
    """Have a worker with nothing in memory take its task."""
    lease = broker.leases["m"] = Lease("g", 1, "m", frozenset({(INPUT, 0), (REDRIVE, 0)}))
    tasks = broker.tasks(AGENT)
    read = tasks.establish(lease, lambda: False, Patience(60))
    first = read[INPUT, 0]
    broker.append((INPUT, 0), [tick(first)])
    batch = Batch()
    batch.add(0, TICKS.name, broker.chunk((INPUT, 0), lease, first, first + 1))
    assert tasks.run(lease, batch, Patience(60)).kind == "committed"


def test_a_start_ends_what_is_pending_then_asks_for_offsets_then_for_the_changelogs_end_and_then_reads() -> None:
    """The producer first: it aborts what its predecessor left. Then stable offsets: no transaction is pending then.

    Only after that does the end of the changelog lie behind all that has committed.
    """
    broker = Noting()
    started(broker)
    broker.asked.clear()
    broker.told.clear()
    started(broker)
    assert broker.asked == ["ready", "stable", "changelog's bounds", "read"]


def test_each_step_of_a_start_says_what_it_waits_for() -> None:
    """Whoever is woken by a restore that hangs learns at what."""
    broker = Noting()
    started(broker)
    broker.told.clear()
    written = len(list(broker._sent_to(CHANGELOG, 0)))
    started(broker)
    assert [progress.awaits for progress in broker.told] == [
        "a producer of transactions",
        "stable offsets of the group",
        "the changelog's ends",
        "the changelog's records",
    ]
    assert {progress.sources for progress in broker.told} == {((CHANGELOG, 0),)}
    assert [progress.most for progress in broker.told[:3]] == [None] * 3
    assert broker.told[3].most == written


class Committing(GroupBroker):
    """Notes what is said to be waited for while a transaction is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Callable[[], str] = str

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        self.said = self.waits()
        return super().send(draft, lease, patience)


def test_first_offsets_that_do_not_commit_are_not_called_a_question_for_offsets() -> None:
    """It is the transaction's coordinator that does not answer then, not the leaders of the inputs."""
    broker = Committing()
    lease = broker.leases["m"] = Lease("g", 1, "m", frozenset({(INPUT, 0), (REDRIVE, 0)}))
    tasks = broker.tasks(AGENT)
    broker.waits = lambda: tasks.progress.awaits
    tasks.establish(lease, lambda: False, Patience(60))
    assert broker.said == "the commit of its first offsets"
