"""Requests of Kafka's protocol that no Python client offers: last writes, transactions, and who holds one open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

LIST_OFFSETS, DESCRIBE_PRODUCERS, DESCRIBE_TRANSACTIONS, LIST_TRANSACTIONS, WRITE_MARKERS = 2, 61, 65, 66, 27
"""The requests' numbers in Kafka's protocol."""
NEWEST = -3
"""What ListOffsets takes for the record with the largest timestamp."""
OPEN_STATES = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""States in which a transaction keeps readers back."""
_TEXT, _TAGS = CompactString("utf-8"), ("tags", TaggedFields)
_PLACES = Schema(("name", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)
Places = list[tuple[str, list[int]]]
"""(topic, partitions)."""


def _places(places: Places) -> list[tuple[str, list[int], dict[int, bytes]]]:
    return [(topic, partitions, {}) for topic, partitions in places]


_NEWEST = Schema(
    ("partition", Int32), ("error_code", Int16), ("timestamp", Int64), ("offset", Int64), ("epoch", Int32), _TAGS
)


class _ListOffsetsAnswer(Response):  # type: ignore[misc] # aiokafka is not followed by mypy
    API_KEY, API_VERSION = LIST_OFFSETS, 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(Schema(("name", _TEXT), ("partitions", CompactArray(_NEWEST)), _TAGS))),
        _TAGS,
    )


class _ListOffsets(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, FLEXIBLE_VERSION = LIST_OFFSETS, 7, True  # the first that knows `NEWEST`: Kafka 3.0
    RESPONSE_TYPE = _ListOffsetsAnswer
    _ASKED = Schema(("partition", Int32), ("epoch", Int32), ("timestamp", Int64), _TAGS)
    SCHEMA = Schema(
        ("replica", Int32),
        ("isolation", Int8),
        ("topics", CompactArray(Schema(("name", _TEXT), ("partitions", CompactArray(_ASKED)), _TAGS))),
        _TAGS,
    )


@dataclass
class LastWrites(Request[_ListOffsets]):  # type: ignore[misc]
    """Asks a leader for the largest timestamp of its partitions."""

    places: Places
    API_KEY = LIST_OFFSETS

    def build(self, request_struct_class: type[_ListOffsets]) -> _ListOffsets:
        """Return the request."""
        topics: list[Any] = [(name, [(at, -1, NEWEST, {}) for at in numbers], {}) for name, numbers in self.places]
        return request_struct_class(-1, 0, topics, {})


_LISTED = Schema(("transactional_id", _TEXT), ("producer_id", Int64), ("state", _TEXT), _TAGS)


class _ListTransactionsAnswer(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = LIST_TRANSACTIONS, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_states", CompactArray(_TEXT)),
        ("transactions", CompactArray(_LISTED)),
        _TAGS,
    )


class _ListTransactions(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, FLEXIBLE_VERSION = LIST_TRANSACTIONS, 0, True
    RESPONSE_TYPE = _ListTransactionsAnswer
    SCHEMA = Schema(("states", CompactArray(_TEXT)), ("producer_ids", CompactArray(Int64)), _TAGS)


class ListTransactions(Request[_ListTransactions]):  # type: ignore[misc]
    """Asks a broker for the open transactions that it coordinates."""

    API_KEY = LIST_TRANSACTIONS

    def build(self, request_struct_class: type[_ListTransactions]) -> _ListTransactions:
        """Return the request."""
        return request_struct_class(list(OPEN_STATES[:3]), [], {})


_DESCRIBED = Schema(
    ("error_code", Int16),
    ("transactional_id", _TEXT),
    ("state", _TEXT),
    ("timeout_ms", Int32),
    ("start_ms", Int64),
    ("producer_id", Int64),
    ("producer_epoch", Int16),
    ("topics", CompactArray(_PLACES)),
    _TAGS,
)


class _DescribeTransactionsAnswer(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = DESCRIBE_TRANSACTIONS, 0
    SCHEMA = Schema(("throttle_time_ms", Int32), ("transactions", CompactArray(_DESCRIBED)), _TAGS)


class _DescribeTransactions(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, FLEXIBLE_VERSION = DESCRIBE_TRANSACTIONS, 0, True
    RESPONSE_TYPE = _DescribeTransactionsAnswer
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


@dataclass
class DescribeTransactions(Request[_DescribeTransactions]):  # type: ignore[misc]
    """Asks a coordinator what it knows of transactions."""

    transactional_ids: list[str]
    API_KEY = DESCRIBE_TRANSACTIONS

    def build(self, request_struct_class: type[_DescribeTransactions]) -> _DescribeTransactions:
        """Return the request."""
        return request_struct_class(self.transactional_ids, {})


_PRODUCER = Schema(
    ("producer_id", Int64),
    ("producer_epoch", Int32),
    ("last_sequence", Int32),
    ("last_ms", Int64),
    ("coordinator_epoch", Int32),
    ("first_offset", Int64),
    _TAGS,
)
_PRODUCERS = Schema(
    ("partition", Int32), ("error_code", Int16), ("error", _TEXT), ("producers", CompactArray(_PRODUCER)), _TAGS
)


class _DescribeProducersAnswer(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = DESCRIBE_PRODUCERS, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("topics", CompactArray(Schema(("name", _TEXT), ("partitions", CompactArray(_PRODUCERS)), _TAGS))),
        _TAGS,
    )


class _DescribeProducers(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, FLEXIBLE_VERSION = DESCRIBE_PRODUCERS, 0, True
    RESPONSE_TYPE = _DescribeProducersAnswer
    SCHEMA = Schema(("topics", CompactArray(_PLACES)), _TAGS)


@dataclass
class DescribeProducers(Request[_DescribeProducers]):  # type: ignore[misc]
    """Asks a leader which producers have written to its partitions, and which have a transaction open there."""

    places: Places
    API_KEY = DESCRIBE_PRODUCERS

    def build(self, request_struct_class: type[_DescribeProducers]) -> _DescribeProducers:
        """Return the request."""
        return request_struct_class(_places(self.places), {})


_MARKED = Schema(("partition", Int32), ("error_code", Int16), _TAGS)
_MARKED_TOPIC = Schema(("name", _TEXT), ("partitions", CompactArray(_MARKED)), _TAGS)


class _WriteMarkersAnswer(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = WRITE_MARKERS, 1
    SCHEMA = Schema(
        ("markers", CompactArray(Schema(("producer_id", Int64), ("topics", CompactArray(_MARKED_TOPIC)), _TAGS))),
        _TAGS,
    )


class _WriteMarkers(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, FLEXIBLE_VERSION = WRITE_MARKERS, 1, True
    RESPONSE_TYPE = _WriteMarkersAnswer
    _MARKER = Schema(
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("commits", Boolean),
        ("topics", CompactArray(_PLACES)),
        ("coordinator_epoch", Int32),
        _TAGS,
    )
    SCHEMA = Schema(("markers", CompactArray(_MARKER)), _TAGS)


@dataclass
class Abort(Request[_WriteMarkers]):  # type: ignore[misc]
    """Has a leader end a transaction of which no coordinator knows, as Kafka's own admin client does."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    API_KEY = WRITE_MARKERS

    def build(self, request_struct_class: type[_WriteMarkers]) -> _WriteMarkers:
        """Return the request."""
        places = _places([(self.topic, [self.partition])])
        marker: tuple[Any, ...] = (self.producer_id, self.producer_epoch, False, places, self.coordinator_epoch, {})
        return request_struct_class([marker], {})
