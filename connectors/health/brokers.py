"""What only brokers tell: bytes on disk, when something was last written, open transactions. Asked by aiokafka."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.structs import TopicPartition

from tradewind.connectors.cluster.look import connection
from tradewind.connectors.health.groups import Coordinators, GroupSeen
from tradewind.connectors.health.ledger import Partition
from tradewind.connectors.health.questions import (
    Abort,
    DescribeProducers,
    DescribeTransactions,
    LastWrites,
    ListTransactions,
    Places,
)
from tradewind.connectors.health.sizes import log_sizes
from tradewind.connectors.settings import Settings
from tradewind.processors.health.transactions import Coordinated, OpenTransaction, Writing, joined

TOPIC = 2
"""What Kafka's DescribeConfigs calls a topic."""
T = TypeVar("T")
ANSWER_S = 5.0
"""How long one look may take; usual are 20 ms."""


@dataclass(frozen=True, slots=True)
class Leaders:
    """Which broker leads which partition."""

    nodes: tuple[int, ...]
    by_partition: Mapping[Partition, int]

    def places(self, partitions: Iterable[Partition]) -> dict[int, Places]:
        """Return partitions by their leaders; those without one are left out."""
        found: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for topic, number in partitions:
            leader = self.by_partition.get((topic, number))
            if leader is not None:
                found[leader][topic].append(number)
        return {leader: list(topics.items()) for leader, topics in found.items()}


class Brokers:
    """A connection to all brokers; for one event loop. Methods raise `KafkaError` of aiokafka and `TimeoutError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None
        self._coordinators: Coordinators | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        client = AIOKafkaClient(**connection(self._settings))
        async with asyncio.timeout(ANSWER_S):
            await client.bootstrap()
        self._client, self._coordinators = client, Coordinators(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the connection go."""
        if self._client is not None:
            await self._client.close()

    async def leaders(self) -> Leaders:
        """Return the brokers, and which leads what, as the cluster says now."""
        async with asyncio.timeout(ANSWER_S):
            cluster = await self._asked.fetch_all_metadata()
        found = {
            (topic, number): leader
            for topic in cluster.topics(exclude_internal_topics=False)
            for number in cluster.partitions_for_topic(topic) or ()
            if (leader := cluster.leader_for_partition(TopicPartition(topic, number))) not in {None, -1}
        }
        return Leaders(tuple(sorted(broker.nodeId for broker in cluster.brokers())), found)

    async def groups(self, names: Iterable[str]) -> dict[str, GroupSeen]:
        """Return those of some groups that exist, with their members."""
        async with asyncio.timeout(ANSWER_S):
            return await self._opened(self._coordinators).described(names)

    async def configs(self, leaders: Leaders, topics: Iterable[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return some settings of topics: topic -> name -> value."""
        question = DescribeConfigsRequest([(TOPIC, topic, list(names)) for topic in sorted(topics)])
        async with asyncio.timeout(ANSWER_S):
            answer = await self._asked.send(leaders.nodes[0], question)
        found = {}
        for error, _, _, topic, entries in answer.resources:
            if error:
                raise for_code(error)(f"the settings of {topic}")
            found[topic] = {entry[0]: entry[1] for entry in entries}
        return found

    async def sizes(self, leaders: Leaders) -> dict[Partition, int]:
        """Return the bytes of every partition's log, replicas counted once."""
        async with asyncio.timeout(ANSWER_S):
            return await log_sizes(self._asked, leaders.nodes)

    async def last_writes(self, leaders: Leaders, partitions: Iterable[Partition]) -> dict[Partition, float]:
        """Return the largest timestamp on each partition, s since 1970; those that hold nothing are left out."""
        answers = await self._of_leaders(leaders.places(partitions), LastWrites)
        return {
            (topic, number): stamp / 1000
            for answer in answers
            for topic, found, _ in answer.topics
            for number, error, stamp, *_ in found
            if error == 0 and stamp >= 0
        }

    async def open_transactions(self, leaders: Leaders) -> list[Coordinated]:
        """Return the transactions that coordinators know to be open."""
        async with asyncio.timeout(ANSWER_S):
            found = await asyncio.gather(*(self._coordinated(node) for node in leaders.nodes))
        return [one for of in found for one in of]

    async def writing(self, leaders: Leaders, partitions: Iterable[Partition]) -> list[Writing]:
        """Return the producers that have a transaction open on some partitions."""
        answers = await self._of_leaders(leaders.places(partitions), DescribeProducers)
        return [
            Writing((topic, number), producer, epoch, coordinator, first, last / 1000)
            for answer in answers
            for topic, found, _ in answer.topics
            for number, error, _, producers, _ in found
            if error == 0
            for producer, epoch, _, last, coordinator, first, _ in producers
            if first >= 0
        ]

    async def transactions(
        self, leaders: Leaders, behind: Iterable[Partition], topics: Collection[str], now: float
    ) -> tuple[OpenTransaction, ...]:
        """Return what is open on some topics, hanging ones first.

        `behind` are the partitions whose last stable offset is before their end: somebody has a transaction open there.
        """
        places = list(behind)
        writing = await self.writing(leaders, places) if places else []
        found = joined(await self.open_transactions(leaders), writing, now)
        return tuple(one for one in found if any(topic in topics for topic, _ in one.places))

    async def abort(self, leaders: Leaders, writing: Writing) -> None:
        """End a transaction on one partition of which no coordinator knows; raises `KafkaError` if that is refused."""
        topic, number = writing.place
        question = Abort(topic, number, writing.producer_id, writing.epoch, max(writing.coordinator_epoch, 0))
        async with asyncio.timeout(ANSWER_S):
            answer = await self._asked.send(leaders.by_partition[writing.place], question)
        for _, topics, _ in answer.markers:
            for _, partitions, _ in topics:
                for _, error, _ in partitions:
                    if error:
                        raise for_code(error)(f"{topic}/{number} of producer {writing.producer_id}")

    async def _coordinated(self, node: int) -> list[Coordinated]:
        listed = await self._asked.send(node, ListTransactions())
        if listed.error_code:
            raise for_code(listed.error_code)(f"broker {node} lists no transactions")
        ids = [name for name, *_ in listed.transactions]
        if not ids:
            return []
        described = await self._asked.send(node, DescribeTransactions(ids))
        return [
            Coordinated(
                name,
                producer,
                epoch,
                state,
                start / 1000 if start >= 0 else None,
                timeout / 1000,
                tuple((topic, number) for topic, numbers, _ in topics for number in numbers),
            )
            for error, name, state, timeout, start, producer, epoch, topics, _ in described.transactions
            if error == 0 and state != "Empty"
        ]

    async def _of_leaders(self, by_leader: Mapping[int, Places], question: Any) -> list[Any]:
        async with asyncio.timeout(ANSWER_S):
            return await asyncio.gather(
                *(self._asked.send(leader, question(places)) for leader, places in by_leader.items())
            )

    @property
    def _asked(self) -> AIOKafkaClient:
        return self._opened(self._client)

    @staticmethod
    def _opened(part: T | None) -> T:
        if part is None:
            raise RuntimeError("use `async with Brokers(...)`")
        return part
