"""Which tasks a lease gives: those whose declared inputs came together; redrive may be apart while versions mix."""

import pytest
from runtime_records import CODEC, NOWHERE

from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.errors import PositionsDiffer
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.outbox import Outbox
from tradewind.streams.runtime.positions import GroupPositions
from tradewind.streams.runtime.task import AgentWork
from tradewind.streams.runtime.tasks import Tasks
from tradewind.topics import BARS, TICKS

AGENT = Agent(name="a", inputs=(TICKS, BARS), outputs=(), processor=lambda state, segment: [])


def lease(**partitions: set[int]) -> Lease:
    """Return a lease of partitions of `ticks`, `bars` and `redrive`."""
    names = {"ticks": "t.market.ticks", "bars": "t.market.bars", "redrive": "t.a.redrive"}
    return Lease(
        "g", 1, "m", frozenset((names[of], number) for of, numbers in partitions.items() for number in numbers)
    )


@pytest.fixture(scope="module")
def tasks() -> Tasks:
    """Give the tasks of an agent with two inputs."""
    positions, outbox = GroupPositions(NOWHERE, "g"), Outbox(NOWHERE, "unused")
    return Tasks(AgentWork(AGENT, NOWHERE, CODEC), positions, outbox)


@pytest.mark.parametrize("redrive", [set(), {0}, {0, 2}, {1, 3}, {0, 1, 2, 3}])
def test_a_task_is_where_its_declared_inputs_are_wherever_its_redrive_is(tasks: Tasks, redrive: set[int]) -> None:
    """A redrive partition alone is no task: another worker has the state."""
    assert tasks._owned(lease(ticks={0, 2}, bars={0, 2}, redrive=redrive)) == [0, 2]
    assert tasks._owned(lease(redrive=redrive)) == []


def test_declared_inputs_that_came_apart_stop_the_worker(tasks: Tasks) -> None:
    """Their topics differ in partitions."""
    with pytest.raises(PositionsDiffer, match=r"partition 2 came without market\.bars"):
        tasks._owned(lease(ticks={0, 2}, bars={0}, redrive={0, 2}))
