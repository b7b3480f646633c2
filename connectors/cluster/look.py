"""Asks Kafka for its own ids: of the cluster, and of topics, which have another one when they are created again.

The request is sent by aiokafka, which lacks this version of it. librdkafka tells topic ids by its Admin API alone,
which processes that live for long do not use (docs/adr/0002): it may abort them while brokers end.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from tradewind.connectors.cluster.identity import Found
from tradewind.connectors.cluster.timings import USUAL
from tradewind.connectors.kafka.errors import BrokerUnavailable
from tradewind.connectors.settings import Settings

AGAIN_S = 0.3  # between attempts where a broker refuses: it is starting
METADATA = 3
"""The request's number in Kafka's protocol."""
UNKNOWN_TOPIC = 3
"""The error of a topic that does not exist; any other says that the broker does not tell."""
NO_ID = bytes(16)


class _Uuid:
    """Sixteen bytes."""

    @staticmethod
    def encode(value: bytes) -> bytes:
        return value

    @staticmethod
    def decode(data: BytesIO) -> bytes:
        return data.read(16)

    @staticmethod
    def repr(value: bytes) -> str:
        return value.hex()


_NAME = CompactString("utf-8")
_BROKER = Schema(("node", Int32), ("host", _NAME), ("port", Int32), ("rack", _NAME), ("tags", TaggedFields))
_PARTITION = Schema(
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline", CompactArray(Int32)),
    ("tags", TaggedFields),
)
_TOPIC = Schema(
    ("error_code", Int16),
    ("name", _NAME),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(_PARTITION)),
    ("operations", Int32),
    ("tags", TaggedFields),
)
_ASKED = Schema(("topic_id", _Uuid), ("name", _NAME), ("tags", TaggedFields))


class _Answer(Response):  # type: ignore[misc] # aiokafka is not followed by mypy
    API_KEY = METADATA
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(_BROKER)),
        ("cluster_id", _NAME),
        ("controller", Int32),
        ("topics", CompactArray(_TOPIC)),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = METADATA
    API_VERSION = 11  # the first one without a field that 10 has, and as old: Kafka 2.8
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(_ASKED)),
        ("create", Boolean),
        ("operations", Boolean),
        ("tags", TaggedFields),
    )


@dataclass
class _Metadata(Request[_Question]):  # type: ignore[misc]
    names: tuple[str, ...]
    API_KEY = METADATA

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class([(NO_ID, name, {}) for name in self.names], False, False, {})  # noqa: FBT003


@dataclass(frozen=True, slots=True)
class Look:
    """What Kafka answered."""

    found: Found
    partitions: dict[str, int]
    """Name on the cluster -> partitions, of the topics that are there."""


def look(settings: Settings, names: Iterable[str], answer_s: float = USUAL.answer_s) -> Look:
    """Return the ids of the cluster and of topics, by their names on the cluster.

    Raises `BrokerUnavailable` where Kafka does not answer in time. Where its version has no topic ids (before 2.8) all
    topics are untold.
    """
    wanted = tuple(sorted(set(names)))
    deadline = time.monotonic() + answer_s
    while True:
        try:
            return asyncio.run(_asked(settings, wanted, max(AGAIN_S, deadline - time.monotonic())))
        except IncompatibleBrokerVersion:
            return Look(Found(None, {}, frozenset(wanted)), {})
        except (KafkaError, OSError, TimeoutError) as error:
            if time.monotonic() + AGAIN_S > deadline:
                raise BrokerUnavailable(
                    f"asking for the ids of the cluster and its topics: no answer from Kafka at {settings.bootstrap} "
                    f"within {answer_s:.0f} s ({error!r}); look at `tradewind status`"
                ) from error
        time.sleep(AGAIN_S)


async def _asked(settings: Settings, names: tuple[str, ...], answer_s: float) -> Look:
    client = AIOKafkaClient(**connection(settings))
    async with asyncio.timeout(answer_s):
        try:
            await client.bootstrap()
            node = client.get_random_node()
            answer = await client.send(node, _Metadata(names))
        finally:
            await client.close()
    return understood(answer.cluster_id, names, answer.topics)


def understood(cluster_id: str | None, names: Iterable[str], topics: Iterable[tuple[Any, ...]]) -> Look:
    """Return an answer's topics as what is there and what is untold; those that do not exist are in neither."""
    ids: dict[str, str] = {}
    partitions: dict[str, int] = {}
    absent: set[str] = set()
    for error, name, topic_id, _internal, places, *_ in topics:
        if error == UNKNOWN_TOPIC:
            absent.add(name)
        elif error == 0 and topic_id != NO_ID:
            ids[name] = text_of(topic_id)
            partitions[name] = len(places)
    return Look(Found(cluster_id, ids, frozenset(names) - ids.keys() - absent), partitions)


def text_of(topic_id: bytes) -> str:
    """Return an id as Kafka's tools print it."""
    return base64.urlsafe_b64encode(topic_id).decode().rstrip("=")


def connection(settings: Settings) -> dict[str, Any]:
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
