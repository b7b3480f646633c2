"""How many bytes each topic takes on the brokers' disks: Kafka's DescribeLogDirs, which no Python client offers."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

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
    client = AIOKafkaClient(**_connection(settings))
    async with asyncio.timeout(TIMEOUT_S):
        await client.bootstrap()
        try:
            nodes = [broker.nodeId for broker in client.cluster.brokers()]
            answers = await asyncio.gather(*(client.send(node, _DescribeLogDirs()) for node in nodes))
        finally:
            await client.close()
    largest: dict[tuple[str, int], int] = defaultdict(int)
    for answer in answers:
        for _error, _path, found in answer.folders:
            for topic, partitions in found:
                for number, size, _lag, is_future in partitions:
                    if not is_future:
                        largest[topic, number] = max(largest[topic, number], size)
    total = dict.fromkeys(topics, 0)
    for (topic, _), size in largest.items():
        if topic in total:
            total[topic] += size
    return total


def _connection(settings: Settings) -> dict[str, Any]:
    """Return the connection part of an aiokafka client's configuration."""
    kafka = settings.kafka
    context = None
    if "SSL" in kafka.security_protocol.split("_"):
        context = ssl.create_default_context(cafile=kafka.ca_file)
        if kafka.certificate_file is not None:
            context.load_cert_chain(kafka.certificate_file, kafka.key_file)
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": kafka.security_protocol,
        "ssl_context": context,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.username,
        "sasl_plain_password": None if kafka.password is None else kafka.password.get_secret_value(),
    }
    return {name: value for name, value in options.items() if value is not None}
