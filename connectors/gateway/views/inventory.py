"""What topics and groups hold, every few seconds: bytes, ends, last writes, members, open transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.health.brokers import Brokers
from tradewind.connectors.health.groups import GroupSeen
from tradewind.connectors.health.ledger import Partition
from tradewind.connectors.health.names import Known
from tradewind.connectors.kafka.offsets import Bounds, Offsets
from tradewind.connectors.settings import Settings
from tradewind.processors.health.retention import Sample
from tradewind.processors.health.transactions import OpenTransaction

EVERY_S: Final = 4.0
CONFIGS_EVERY_S: Final = 60.0
"""People change the configuration of a topic seldom."""
ANSWER_S: Final = 5.0
SAMPLES: Final = 75
"""Five minutes of sizes: brokers write to disk in bursts."""
CONFIGS: Final = ("cleanup.policy", "retention.bytes", "retention.ms")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inventory:
    """One look. Names are those on the cluster."""

    at_s: float
    sizes: Mapping[Partition, tuple[Sample, ...]]
    """The last looks at the bytes of each partition."""
    bounds: Mapping[Partition, Bounds]
    """First offset, and the last stable one."""
    ends: Mapping[Partition, int]
    """The offset behind the last record, committed or not."""
    last_writes: Mapping[Partition, float]
    configs: Mapping[str, Mapping[str, str]]
    """Topic -> each of `CONFIGS`, as Kafka has it."""
    groups: Mapping[str, GroupSeen]
    transactions: tuple[OpenTransaction, ...]


@dataclass(slots=True)
class _Kept:
    sizes: dict[Partition, deque[Sample]] = field(default_factory=dict)

    def add(self, found: Mapping[Partition, int], wanted: Iterable[Partition], now: float) -> None:
        wanted = set(wanted)
        for gone in self.sizes.keys() - wanted:
            del self.sizes[gone]
        for of in wanted & found.keys():
            self.sizes.setdefault(of, deque(maxlen=SAMPLES)).append((now, found[of]))


class InventoryView(View):
    """Asks again and again, in a thread of its own: the flow's look each second must not wait for it."""

    def __init__(self, settings: Settings, known: Known) -> None:
        super().__init__("topics and groups")
        self._settings, self._known = settings, known
        self._topics = frozenset(known.topics)
        self._kept = _Kept()
        self.last: Inventory | None = None
        self.trouble: str | None = None
        """Why the last look failed; None where it did not."""

    def run(self) -> None:
        """Ask until closed; after a failure, with other connections."""
        while not self._closing.is_set():
            stable = Offsets(self._settings, answer_s=ANSWER_S)
            written = Offsets(self._settings, "read_uncommitted", ANSWER_S)
            try:
                asyncio.run(self._asking(stable, written))
            except (KafkaError, KafkaException, OSError, TimeoutError, NotImplementedError) as error:
                # shown, and tried again; aiokafka raises the last for a Kafka before 3.0
                if self.trouble is None:
                    log.warning("topics and groups could not be asked: %r", error)
                self.trouble = f"{type(error).__name__}: {error}"
                self._closing.wait(EVERY_S)
            finally:
                stable.close()
                written.close()

    async def _asking(self, stable: Offsets, written: Offsets) -> None:
        configs: Mapping[str, Mapping[str, str]] = {}
        wanted = sorted(self._known.inputs.keys() - self._known.unused)
        read_s = -CONFIGS_EVERY_S
        async with Brokers(self._settings) as brokers:
            while not self._closing.is_set():
                begun = time.monotonic()
                leaders = await brokers.leaders()
                partitions = sorted(of for of in leaders.by_partition if of[0] in self._topics)
                topics = {topic for topic, _ in partitions}
                if begun >= read_s + CONFIGS_EVERY_S or topics - configs.keys():
                    configs, read_s = await brokers.configs(leaders, topics, CONFIGS), begun
                bounds = stable.bounds(partitions)
                ends = written.listed(partitions, "latest")
                behind = [of for of, (_, last) in bounds.items() if last < ends[of]]
                now = time.time()
                self._kept.add(await brokers.sizes(leaders), partitions, now)
                self.last = Inventory(
                    at_s=now,
                    sizes={of: tuple(samples) for of, samples in self._kept.sizes.items()},
                    bounds=bounds,
                    ends=ends,
                    last_writes=await brokers.last_writes(leaders, partitions),
                    configs=configs,
                    groups=await brokers.groups(wanted),
                    transactions=await brokers.transactions(leaders, behind, self._topics, now),
                )
                self.trouble = None
                self._closing.wait(max(0.0, begun + EVERY_S - time.monotonic()))
