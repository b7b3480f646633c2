"""What tasks need from a cluster besides records: offsets and transactions. Kafka and the test kit implement both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from tradewind.connectors.kafka.offsets import Bounds
from tradewind.streams.runtime.lease import Lease, TopicPartition

if TYPE_CHECKING:
    from tradewind.streams.runtime.commit.outbox import Draft, Outcome, Patience
    from tradewind.streams.runtime.read.positions import Superseding


class Positions(Protocol):
    """Reads the offsets of one group, and where partitions begin and end."""

    def stable(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int | None]:
        """Wait until no transaction is pending, and return the group's committed offsets, None where it has none."""
        ...

    def bounds(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, Bounds]:
        """Return the first offset of partitions, and the one after their last record, committed or not."""
        ...

    def stable_ends(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int]:
        """Return the last stable offsets. Records before them can be read now."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Transactions(Protocol):
    """Makes drafts visible, all or nothing."""

    def ready(self, superseded: Superseding) -> None:
        """Make a producer if there is none. It aborts the pending transaction of its predecessor."""
        ...

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        """Run one transaction. Raises `AgentCrashed` for a record that every broker would refuse."""
        ...

    def close(self) -> None:
        """Close the connections. Call it between transactions."""
        ...
