"""Which tasks a lease gives: those whose declared inputs came together; redrive may be apart while versions mix."""

import pytest
from runtime.records import CODEC, NOWHERE

from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit.outbox import Outbox
from tradewind.streams.runtime.errors import PositionsDiffer
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.assigned_tasks import AssignedTasks
from tradewind.topics import BARS, TICKS

AGENT = Agent(name="a", inputs=(TICKS, BARS), outputs=(), processor=lambda state, segment: [])


def lease(**partitions: set[int]) -> Lease:
    """Return a lease of partitions of `ticks`, `bars` and `redrive`."""
    names = {"ticks": "t.market.ticks", "bars": "t.market.bars", "redrive": "t.a.redrive"}
    return Lease(
        "g", 1, "m", frozenset((names[of], number) for of, numbers in partitions.items() for number in numbers)
    )


@pytest.fixture(scope="module")
def tasks() -> AssignedTasks:
    """Give the tasks of an agent with two inputs."""
    positions, outbox = GroupPositions(NOWHERE, "g"), Outbox(NOWHERE, "unused")
    return AssignedTasks(AgentWork(AGENT, NOWHERE, CODEC), positions, outbox)


@pytest.mark.parametrize("redrive", [set(), {0}, {0, 2}, {1, 3}, {0, 1, 2, 3}])
def test_a_task_is_where_its_declared_inputs_are_wherever_its_redrive_is(
    tasks: AssignedTasks, redrive: set[int]
) -> None:
    """A redrive partition alone is no task: another worker has the state."""
    assert tasks._own_tasks(lease(ticks={0, 2}, bars={0, 2}, redrive=redrive)) == [0, 2]
    assert tasks._own_tasks(lease(redrive=redrive)) == []


def test_declared_inputs_that_came_apart_stop_the_worker(tasks: AssignedTasks) -> None:
    """Their topics differ in partitions."""
    with pytest.raises(PositionsDiffer, match=r"partition 2 came without market\.bars"):
        tasks._own_tasks(lease(ticks={0, 2}, bars={0}, redrive={0, 2}))
