"""Where tasks start: stable offsets of the group, compared with what the changelog says."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Coordinates

from tradewind.connectors.kafka.offsets import Bounds, Offsets
from tradewind.connectors.settings import Settings
from tradewind.streams.runtime.errors import PositionsDiffer, PositionsUnavailable, RecordsGone, Superseded
from tradewind.streams.runtime.lease import TopicPartition

ATTEMPT_S = 2.0  # of one question to the broker, so that a lease that ends is noticed
PATIENCE_S = (
    60.0  # transactions time out after 10 s, some brokers look every 10 s, and one that was killed is back in 15 s
)
PAUSE_S = 0.2  # between questions that were refused at once
T = TypeVar("T")

Superseding = Callable[[], bool]
"""Tells whether the work in hand is for a lease that has ended."""


class GroupPositions:
    """Asks for offsets by clients that never join the group. Used by the worker's thread only.

    librdkafka's `committed()` waits until no transaction is pending on an offset; aiokafka's does not, and a second
    worker read old positions while the first one's staged offsets were still to commit, so that both outputs became
    visible.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self._group = group
        self._consumer = Consumer(
            {
                **settings.librdkafka(),
                "group.id": group,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 1000,
            }
        )
        self._offsets = Offsets(settings, "read_uncommitted", ATTEMPT_S)

    def stable(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int | None]:
        """Return the group's committed offsets, None where it has none, once no transaction is pending on any.

        Raises `PositionsUnavailable` after `PATIENCE_S`, `Superseded` where the lease ended meanwhile.
        """
        asked = [Coordinates(topic, partition) for topic, partition in partitions]
        told = self._ask(lambda: _whole(self._consumer.committed(asked, timeout=ATTEMPT_S)), superseded)
        return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in told}

    def bounds(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, Bounds]:
        """Return the first offset of partitions, and the one after their last record, committed or not.

        Raises as `stable` does.
        """
        asked = tuple(partitions)
        return self._ask(lambda: self._offsets.bounds(asked), superseded)

    def _ask(self, question: Callable[[], T], superseded: Superseding) -> T:
        """Ask until there is an answer. Patience is of the time spent asking: a process that is frozen asks nothing."""
        spent_s = 0.0
        while True:
            if superseded():
                raise Superseded
            asked_s = time.monotonic()
            try:
                return question()
            except (KafkaException, TimeoutError) as error:
                spent_s += min(time.monotonic() - asked_s, ATTEMPT_S) + PAUSE_S
                if spent_s > PATIENCE_S:
                    raise PositionsUnavailable(
                        f"group {self._group}: no offsets within {PATIENCE_S:.0f} s ({error!r}); is a "
                        "transaction pending that nobody ends, or the broker away? Start the worker again after that."
                    ) from error
                time.sleep(PAUSE_S)

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()
        self._offsets.close()


def _whole(answers: list[Coordinates]) -> list[Coordinates]:
    """Return the answers; raises `KafkaException` where one is an error, and its offset therefore none of the group."""
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
    return answers


def start_positions(
    agent: str,
    partition: int,
    group: Mapping[str, int | None],
    changelog: Mapping[str, int],
    implicit: Collection[str] = (),
) -> dict[str, int | None]:
    """Return where a task starts in each input; None where neither side has ever known: a first start.

    `group` holds the group's stable offset of every input, `changelog` what the task wrote in the same transactions.
    They are equal, or the group's have expired. Anything else raises `PositionsDiffer`: the state would not fit the
    records. `implicit` are the inputs that the runtime adds. A worker of a version that did not have them writes a
    changelog without them; it did not read them either, so that the group's offsets stand.
    """
    found: dict[str, int | None] = {}
    for topic, offset in group.items():
        written = changelog.get(topic, offset if topic in implicit else None)
        if offset is not None and offset != written:
            raise PositionsDiffer(
                f"agent {agent}, partition {partition}: the group is at offset {offset} of {topic}, the changelog at "
                f"{'none' if written is None else written}. State and records would not fit. Set the group back to the "
                "changelog's offsets, or delete the group and the changelog's topic to process all again."
            )
        found[topic] = written
    return found


def check_reachable(
    agent: str,
    group: str,
    wanted: Mapping[TopicPartition, int],
    bounds: Mapping[TopicPartition, Bounds],
) -> None:
    """Raise `RecordsGone` where partitions, which have the offsets within their bounds, lack what comes next."""
    gone = []
    for (topic, partition), offset in sorted(wanted.items()):
        begins, ends = bounds[topic, partition]
        if offset < begins:
            lack = f"begins at {begins}: {begins - offset} offsets are gone, by retention or by hand"
        elif offset > ends:
            lack = f"ends at {ends}: it lost its last {offset - ends} offsets, or was made anew"
        else:
            continue
        gone.append(f"{topic}, partition {partition}, is needed from offset {offset} on and {lack}")
    if gone:
        raise RecordsGone(
            f"agent {agent}, group {group}: {'; '.join(gone)}. It stops instead of going on without them, as it will "
            'when it is started again. What can be done: docs/architecture.md, "Records that are gone".'
        )
