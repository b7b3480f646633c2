"""How many bytes each topic takes on the brokers' disks: Kafka's DescribeLogDirs, which no Python client offers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

from tradewind.connectors.cluster.look import connection
from tradewind.connectors.settings import Settings

TIMEOUT_S = 5.0
DESCRIBE_LOG_DIRS = 35
"""The request's number in Kafka's protocol."""
_PARTITION = Schema(("partition", Int32), ("size", Int64), ("offset_lag", Int64), ("is_future", Boolean))
_TOPIC = Schema(("name", String("utf-8")), ("partitions", Array(_PARTITION)))
_FOLDER = Schema(("error_code", Int16), ("path", String("utf-8")), ("topics", Array(_TOPIC)))


class _Answer(Response):  # type: ignore[misc] # aiokafka is not followed by mypy
    API_KEY = DESCRIBE_LOG_DIRS
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("folders", Array(_FOLDER)))


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = DESCRIBE_LOG_DIRS
    API_VERSION = 1
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))))


class _DescribeLogDirs(Request[_Question]):  # type: ignore[misc]
    API_KEY = DESCRIBE_LOG_DIRS

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class(None)  # every topic


async def sizes(settings: Settings, topics: Iterable[str]) -> dict[str, int]:
    """Return the bytes of each topic's log, replicas counted once; raises `KafkaError` of aiokafka."""
    client = AIOKafkaClient(**connection(settings))
    async with asyncio.timeout(TIMEOUT_S):
        await client.bootstrap()
        try:
            found = await log_sizes(client, [broker.nodeId for broker in client.cluster.brokers()])
        finally:
            await client.close()
    total = dict.fromkeys(topics, 0)
    for (topic, _), size in found.items():
        if topic in total:
            total[topic] += size
    return total


async def log_sizes(client: AIOKafkaClient, nodes: Iterable[int]) -> dict[tuple[str, int], int]:
    """Return the bytes of every partition's log on some brokers, replicas counted once."""
    answers = await asyncio.gather(*(client.send(node, _DescribeLogDirs()) for node in nodes))
    largest: defaultdict[tuple[str, int], int] = defaultdict(int)
    for answer in answers:
        for _error, _path, found in answer.folders:
            for topic, partitions in found:
                for number, size, _lag, is_future in partitions:
                    if not is_future:
                        largest[topic, number] = max(largest[topic, number], size)
    return largest
