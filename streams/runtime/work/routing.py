"""Where events go: the topics that carry their type, each with key, partition and timestamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.trace_context import as_traced, is_traced
from tradewind.processors.batch import Columns, Merged, Output, Segment, Table
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.streams.runtime.agent import Agent, dead_letter_topic
from tradewind.streams.runtime.commit.outbox import LARGEST_BYTES, Outgoing, too_large
from tradewind.streams.runtime.errors import AgentCrashed
from tradewind.streams.runtime.work.newest import time_of
from tradewind.topics import Topic
from tradewind.topics.keys import keys_of
from tradewind.topics.partitioner import partition_of, partitions_for


class Router:
    """Encodes the events of one agent for its outputs."""

    def __init__(self, agent: Agent, settings: Settings, codec: Codec) -> None:
        self._agent = agent
        self._codec = codec
        routes: dict[type[Event], list[tuple[str, Topic]]] = {}
        for topic in (*agent.outputs, dead_letter_topic(agent)):
            for model in topic.models:
                routes.setdefault(model, []).append((settings.physical(topic), topic))
        self._routes = routes
        self.newest_time = any(topic.newest_time for topic in agent.outputs)
        """Whether a transaction sends only the newest time carriers of some output."""
        self._traced = frozenset(
            model for model, to in routes.items() if is_traced(model) and all(topic.traced for _, topic in to)
        )

    def route(self, outputs: Sequence[Output], segment: Segment | None) -> Iterator[Outgoing]:
        """Yield the records of what a segment caused; raises `AgentCrashed` for an event that no output carries.

        Raises `EncodeError` or `TooLarge` for an event that Avro, or a broker, cannot hold.

        A record's timestamp is its event's `ts_ingest`. Ticks have none of their own: they keep their record's.
        """
        passed_on: Callable[[Event], int] | None = None
        for event in outputs:
            if isinstance(event, Table):
                yield from self._table(event)
                continue
            if isinstance(event, Merged):
                yield from self._merged(event)
                continue
            routes = self._routes_of(type(event))
            ts_ingest = getattr(event, "ts_ingest", None)
            if ts_ingest is None:
                assert segment is not None  # dead letters, which come without one, have a ts_ingest
                passed_on = passed_on or stamps_of(segment)
                ts_ingest = passed_on(event)
            value = self._codec.encode(event)
            traced = as_traced(event) if type(event) in self._traced else None
            for name, topic in routes:
                reached = time_of(event) if topic.newest_time and type(event) is topic.time_carrier else None
                key = topic.key(event)
                encoded = key.encode()
                if len(encoded) + len(value) > LARGEST_BYTES:
                    raise too_large(f"a {type(event).__name__} for {topic.name}", len(encoded) + len(value))
                for partition in partitions_for(topic, event, key):
                    yield Outgoing(name, partition, encoded, value, ts_ingest // US_PER_MS, traced, reached)

    def origins(self, outputs: Sequence[Output], segment: Segment) -> dict[str, Event]:
        """Return the events of a segment that chains of its outputs begin with, by their ids: bars, for the most."""
        begun = {
            traced.correlation_id
            for traced in (as_traced(event) for event in outputs if type(event) in self._traced)
            if traced.event_id != traced.correlation_id == traced.causation_id
        }
        if not begun or not is_traced(segment.model):
            return {}
        if isinstance(segment, Columns):
            first = segment.frame.filter(pl.col("event_id").is_in(sorted(begun)))
            events = [segment.model.from_dict(record) for record in first.iter_rows(named=True)]
        else:
            events = [event for event in segment.events if as_traced(event).event_id in begun]
        return {as_traced(event).event_id: event for event in events}

    def _routes_of(self, model: type[Event]) -> list[tuple[str, Topic]]:
        routes = self._routes.get(model)
        if routes is None:
            raise AgentCrashed(
                f"agent {self._agent.name}: its processor returned a {model.__name__}, which none of its outputs "
                "carries"
            )
        return routes

    def _merged(self, merged: Merged) -> Iterator[Outgoing]:
        """Yield the records of a table and of the events among its rows, in their order."""
        for model in sorted({merged.table.model, *map(type, merged.others)}, key=lambda model: model.__name__):
            if len(self._routes_of(model)) > 1:
                raise AgentCrashed(
                    f"agent {self._agent.name}: its processor returned a table with events among its rows, and more "
                    f"than one of its outputs carries a {model.__name__}: return events"
                )
        rows, others = self._table(merged.table), self.route(merged.others, None)
        return (next(others if other else rows) for other in merged.order)

    def _table(self, table: Table) -> Iterator[Outgoing]:
        """Yield the records of a table, in the order of its rows; each key is encoded once."""
        frame, routes = table.frame, self._routes_of(table.model)
        for _, topic in routes:
            if not topic.key_columns or topic.partition_key is not None or topic.broadcast or topic.spread:
                raise AgentCrashed(
                    f"agent {self._agent.name}: its processor returned a table for {topic.name}, which is not keyed by "
                    "columns: return events"
                )
        stamps = (frame["ts_ingest"] // US_PER_MS).to_list()
        values = self._codec.encode_columns(table.model, frame)
        keyed = {topic.key_columns: keys_of(frame, topic.key_columns).to_list() for _, topic in routes}
        longest = max((len(of.encode()) for names in keyed.values() for of in set(names)), default=0)
        size = max(map(len, values), default=0) + longest
        if size > LARGEST_BYTES:
            raise too_large(f"a {table.model.__name__}", size)
        for name, topic in routes:
            names = keyed[topic.key_columns]
            keys = {of: of.encode() for of in set(names)}
            partitions = {of: partition_of(key, topic.partitions) for of, key in keys.items()}
            for of, value, stamp in zip(names, values, stamps, strict=True):
                yield Outgoing(name, partitions[of], keys[of], value, stamp)


def stamps_of(segment: Segment) -> Callable[[Event], int]:
    """Return the function that tells the timestamp, µs, of the record that an event is passed on from.

    It depends on the record alone, not on where the segment was cut. An event that is none of the segment's own gets
    the timestamp of the last record.
    """
    last = int(segment.ts_ingest[-1])
    if isinstance(segment, Columns):
        names = [name for name, kind in segment.frame.schema.items() if not kind.is_float()]
        keys: Sequence[Any] = list(zip(*(segment.frame[name].to_list() for name in names), strict=True))
        by_record = dict(zip(keys, segment.ts_ingest.tolist(), strict=True))
        return lambda event: by_record.get(tuple(getattr(event, name, None) for name in names), last)
    by_event = dict(zip(map(id, segment.events), segment.ts_ingest.tolist(), strict=True))
    return lambda event: by_event.get(id(event), last)
