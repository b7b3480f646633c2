"""A task's partitions come to one worker, also where a broadcast topic has more of them than there are tasks."""

from __future__ import annotations

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from hypothesis import given
from hypothesis import strategies as st

from tradewind.streams.runtime.read.assignor import assignor_of


class Known(ClusterMetadata):  # type: ignore[misc]
    """Topics with their numbers of partitions."""

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__()
        self._counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return the partitions of a topic."""
        return set(range(self._counts[topic])) if topic in self._counts else None


@given(st.integers(1, 8), st.integers(0, 8), st.integers(1, 9))
def test_each_task_is_one_workers(tasks: int, more: int, workers: int) -> None:
    """As the range assignor gives them where all topics have the same count; a topic that is not there gives none."""
    members = {
        f"member-{at}": RangePartitionAssignor.metadata(["orders", "commands", "absent"]) for at in range(workers)
    }
    given_to = assignor_of(tasks).assign(Known({"orders": tasks, "commands": tasks + more}), members)
    plain = RangePartitionAssignor.assign(Known({"orders": tasks, "commands": tasks}), members)
    assert {member: one.assignment for member, one in given_to.items()} == {
        member: one.assignment for member, one in plain.items()
    }
