"""What tasks need of a cluster besides records: offsets and transactions. Kafka has them, and the test kit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from tradewind.connectors.kafka.offsets import Bounds
from tradewind.streams.runtime.lease import Lease, TopicPartition

if TYPE_CHECKING:
    from tradewind.streams.runtime.outbox import Draft, Outcome, Patience
    from tradewind.streams.runtime.positions import Superseding


class Positions(Protocol):
    """Tells the offsets of one group, and where partitions begin and end."""

    def stable(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int | None]:
        """Return the group's committed offsets, None where it has none, once no transaction is pending on any."""
        ...

    def bounds(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, Bounds]:
        """Return the first offset of partitions, and the one after their last record, committed or not."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


class Transactions(Protocol):
    """Makes drafts visible, all or nothing."""

    def ready(self, superseded: Superseding) -> None:
        """Have what sends; what a predecessor left pending is aborted."""
        ...

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        """Run one transaction; raises `AgentCrashed` for a record that no broker would take."""
        ...

    def close(self) -> None:
        """Let the connections go; call it between transactions."""
        ...
