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
from tradewind.streams.runtime.timings import USUAL, Timings

T = TypeVar("T")

Superseding = Callable[[], bool]
"""Tells whether the current work is for a lease that has ended."""


class GroupPositions:
    """Asks for offsets by clients that never join the group. Used by the worker's thread only.

    librdkafka's `committed()` waits until no transaction is pending on an offset; aiokafka's does not, and a second
    worker read old positions while the first one's staged offsets were still to commit, so that both outputs became
    visible.
    """

    def __init__(self, settings: Settings, group: str, timings: Timings = USUAL) -> None:
        self._group = group
        self._timings = timings
        self._consumer = Consumer(
            {
                **settings.librdkafka(),
                "group.id": group,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 1000,
            }
        )
        self._offsets = Offsets(settings, "read_uncommitted", timings.call_s)
        self._stable = Offsets(settings, "read_committed", timings.call_s)

    def stable(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int | None]:
        """Return the group's committed offsets, None where it has none, once no transaction is pending on any.

        Raises `PositionsUnavailable` after `Timings.silence_s`, `Superseded` where the lease ended meanwhile.
        """
        asked = [Coordinates(topic, partition) for topic, partition in partitions]
        call_s = self._timings.call_s
        told = self._ask(lambda: _whole(self._consumer.committed(asked, timeout=call_s)), superseded)
        return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in told}

    def bounds(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, Bounds]:
        """Return the first offset of partitions, and the one after their last record, committed or not.

        Raises as `stable` does.
        """
        asked = tuple(partitions)
        return self._ask(lambda: self._offsets.bounds(asked), superseded)

    def stable_ends(self, partitions: Iterable[TopicPartition], superseded: Superseding) -> dict[TopicPartition, int]:
        """Return the last stable offsets of partitions: where a read_committed consumer comes to its end.

        Raises as `stable` does.
        """
        asked = tuple(partitions)
        return self._ask(lambda: self._stable.listed(asked, "latest"), superseded)

    def _ask(self, question: Callable[[], T], superseded: Superseding) -> T:
        """Ask until there is an answer. Patience is of the time spent asking: a process that is frozen asks nothing."""
        timings, spent_s = self._timings, 0.0
        while True:
            if superseded():
                raise Superseded
            asked_s = time.monotonic()
            try:
                return question()
            except (KafkaException, TimeoutError) as error:
                spent_s += min(time.monotonic() - asked_s, timings.call_s) + timings.ask_again_s
                if spent_s > timings.silence_s:
                    raise PositionsUnavailable(
                        f"group {self._group}: no offsets within {timings.silence_s:.0f} s ({error!r}). Check that its "
                        "broker answers and that `transactions` lists none that stays open. If so, the broker has "
                        "missed the end of one: restart it in order. Then start the worker again."
                    ) from error
                time.sleep(timings.ask_again_s)

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()
        self._offsets.close()
        self._stable.close()


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
    records. A changelog that knows other inputs of the task, and not this one, was written by a version without it:
    that one did not read it either, so that the group's offset stands. `implicit` are the inputs that the runtime adds,
    of which that is so where the changelog knows nothing at all.
    """
    found: dict[str, int | None] = {}
    for topic, offset in group.items():
        written = changelog.get(topic, offset if changelog or topic in implicit else None)
        if offset is not None and offset != written:
            raise PositionsDiffer(
                f"agent {agent}, partition {partition}: the group is at offset {offset} of {topic}, the changelog at "
                f"{'none' if written is None else written}. The state would not match the records. Set the group "
                "back to the changelog's offsets, or delete the group and the changelog's topic to process everything "
                "again."
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
            lack = f"ends at {ends}: it lost its last {offset - ends} offsets, or was recreated"
        else:
            continue
        gone.append(f"{topic}, partition {partition}, is needed from offset {offset} on and {lack}")
    if gone:
        raise RecordsGone(
            f"agent {agent}, group {group}: {'; '.join(gone)}. The agent stops, because it cannot process them. A "
            'restart does not help. What can be done: docs/architecture.md, "Records that are gone".'
        )
