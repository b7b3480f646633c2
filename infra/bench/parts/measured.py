"""Figures of a process that is measured from outside: how far its group has come, and its memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings

POLL_S = 0.02
LOADING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}
"""What a broker answers for a group that nobody has joined yet."""
MIB = 1024 * 1024


class GroupProgress(AbstractContextManager["GroupProgress"]):
    """The committed positions of a consumer group on one topic."""

    def __init__(self, settings: Settings, group: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({**options(settings), "group.id": group, "enable.auto.commit": False})
        self._asked = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._seen = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def records(self) -> int:
        """Return how many records the group has processed, over all partitions.

        While the group's coordinator is still loading, what was last seen.
        """
        try:
            found = self._consumer.committed(self._asked, timeout=10)
        except KafkaException as error:
            if error.args[0].code() not in LOADING:
                raise
        else:
            self._seen = sum(max(at.offset, 0) for at in found)
        return self._seen


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a count rose after a warm-up."""

    per_s: float
    total_s: float


def pace(count: Callable[[], int], warm_up: int, total: int, alive: Callable[[], bool], timeout_s: float) -> Pace:
    """Return the rate between the first look at or above `warm_up` and the first at `total`.

    Raises `TimeoutError`, and `RuntimeError` where what is measured ends before.
    """
    began = time.monotonic()
    first: tuple[int, float] | None = None
    while True:
        seen, now = count(), time.monotonic()
        if first is None and seen >= warm_up:
            first = (seen, now)
        if seen >= total:
            if first is None or first[0] == seen:
                raise RuntimeError(f"all {total:,} came at once: measure more of them")
            return Pace((seen - first[0]) / (now - first[1]), now - began)
        if not alive():
            raise RuntimeError(f"what is measured ended after {seen:,} of {total:,}")
        if now - began > timeout_s:
            raise TimeoutError(f"{seen:,} of {total:,} after {timeout_s:.0f} s")
        time.sleep(POLL_S)


def peak_rss_mb(pid: int) -> float:
    """Return the most memory that a process has held, MiB: the kernel's own mark where it keeps one."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / MIB
