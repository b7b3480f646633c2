"""A task whose next records are gone is not begun, and nothing is committed for it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from runtime.in_memory import GroupBroker
from runtime.records import tick

from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Patience
from tradewind.streams.runtime.errors import RecordsGone
from tradewind.streams.runtime.lease import Lease, TopicPartition
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks, Batch
from tradewind.topics import LATE_TICKS, TICKS

AGENT = Agent("a", (TICKS,), (LATE_TICKS,), lambda state, segment: [])
AT, REDRIVE = ("t.market.ticks", 0), ("t.a.redrive", 0)
LEASE = Lease("g", 1, "m", frozenset({AT, REDRIVE}))
PROCESSED = 3


class Forgetful(GroupBroker):
    """A broker whose retention has removed what lies before an offset of each partition."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[TopicPartition, int] = {}
        self.asked: list[TopicPartition] = []

    def bounds(self, partitions: Iterable[TopicPartition], superseded: object) -> dict[TopicPartition, tuple[int, int]]:
        asked = tuple(partitions)
        self.asked += asked
        found = super().bounds(asked, superseded)
        return {at: (self.first.get(at, first), end) for at, (first, end) in found.items()}


def established(tasks: AssignedTasks, lease: Lease = LEASE) -> dict[TopicPartition, int]:
    """Establish a lease; return where it is read on."""
    return tasks.establish(lease, lambda: False, Patience(60))


@pytest.fixture
def broker() -> Forgetful:
    """Give a broker with five records."""
    found = Forgetful()
    found.leases["m"] = LEASE
    found.append(AT, [tick(at) for at in range(5)])
    return found


@pytest.fixture
def before(broker: Forgetful) -> AssignedTasks:
    """Give the tasks of a worker that has processed the first three of the records."""
    tasks, batch = broker.tasks(AGENT), Batch()
    established(tasks)
    batch.add(0, TICKS.name, broker.chunk(AT, LEASE, 0, PROCESSED))
    assert tasks.run(LEASE, batch, Patience(60)).kind == "committed"
    return tasks


@pytest.mark.usefixtures("before")
def test_a_task_goes_on_where_the_topic_begins_now(broker: Forgetful) -> None:
    """All that retention removed was processed."""
    broker.first[AT] = PROCESSED
    assert established(broker.tasks(AGENT)) == {AT: PROCESSED, REDRIVE: 0}


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("expired", [False, True])
def test_a_task_is_not_begun_without_what_comes_next(broker: Forgetful, *, expired: bool) -> None:
    """Expired offsets of the group are not committed anew either: the changelog keeps them."""
    broker.first[AT] = PROCESSED + 1
    if expired:
        broker.offsets.clear()
    offsets, sent = dict(broker.offsets), list(broker.sent)
    for _ in range(2):
        with pytest.raises(RecordsGone, match="partition 0, is needed from offset 3 on and begins at 4: 1 offsets"):
            established(broker.tasks(AGENT))
    assert (broker.offsets, broker.sent) == (offsets, sent)


@pytest.mark.usefixtures("before")
def test_an_input_that_the_lease_lacks_is_not_asked_for(broker: Forgetful) -> None:
    """Redrive may be with a worker of another version: it is not read here."""
    broker.leases["m"] = lease = Lease("g", 2, "m", frozenset({AT}))
    broker.first[REDRIVE] = 1
    assert established(broker.tasks(AGENT), lease) == {AT: PROCESSED}


def test_a_task_that_is_in_memory_costs_no_question(broker: Forgetful, before: AssignedTasks) -> None:
    """Its records were read until now; what a fetch is told of is asked by itself. Skips are asked for each time."""
    broker.asked.clear()
    assert established(before) == {AT: PROCESSED, REDRIVE: 0}
    assert broker.asked == [("t.a.skips", 0)]
    broker.first[AT] = 5
    with pytest.raises(RecordsGone, match=r"agent a, group t\.tradewind\.a: t\.market\.ticks, partition 0, is"):
        before.check_reachable({AT: 4}, lambda: False)
