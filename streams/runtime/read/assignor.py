"""Assigns the partitions of an agent's inputs to its workers, so that a task gets the same partition of each."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class _OfTasks:
    """The cluster's metadata, without the partitions that have no task."""

    def __init__(self, cluster: ClusterMetadata, tasks: int) -> None:
        self._cluster, self._tasks = cluster, tasks

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        found: set[int] | None = self._cluster.partitions_for_topic(topic)
        return None if found is None else {partition for partition in found if partition < self._tasks}


def assignor_of(tasks: int) -> type[RangePartitionAssignor]:
    """Return Kafka's range assignor over the first `tasks` partitions of each input.

    A broadcast topic may have more partitions than the agent has tasks. The range assignor by itself would divide
    them, and give a task's partition of that topic to another worker. The name stays `range`: workers of versions
    that do not have this assignor are in the same group while an upgrade runs.
    """

    class OfTasks(RangePartitionAssignor):  # type: ignore[misc] # aiokafka has no types here
        @classmethod
        def assign(
            cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
        ) -> dict[str, ConsumerProtocolMemberAssignment]:
            given: dict[str, ConsumerProtocolMemberAssignment] = super().assign(_OfTasks(cluster, tasks), members)
            return given

    return OfTasks
