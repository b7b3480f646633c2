"""What lies in the buckets, and which points a write loses: `v1/coordinator/points_writer.go`, `tsdb/shard.go`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from influx_double.lines import Point, Tags, Unsigned, Value

WEEK_NS = 7 * 86_400 * 10**9
"""A shard group of a bucket that keeps all. Types of fields hold within one."""
MOST_TEXT = 1_048_576  # MaxFieldValueLength
Series = tuple[str, Tags]


@dataclass(slots=True)
class Bucket:
    """A bucket: points by series and time, and the types of fields."""

    name: str
    id: str
    retention_s: int = 0
    series: dict[Series, dict[int, dict[str, Value]]] = field(default_factory=dict)
    types: dict[tuple[int, str, str], str] = field(default_factory=dict)
    """(shard, measurement, field) -> type."""

    def write(self, points: Iterable[Point], now_ns: int) -> str | None:
        """Keep points; return the partial write's error where some are lost."""
        oldest = now_ns - self.retention_s * 10**9 if self.retention_s else None
        outside, shards = [], {}
        for point in points:
            if oldest is not None and point.time_ns < oldest:
                outside.append(point)
            else:
                shards.setdefault(point.time_ns // WEEK_NS, []).append(point)
        error = None if not outside or oldest is None else self._outside(outside, oldest)
        for shard, own in shards.items():
            error = self._write_shard(shard, own) or error
        return error

    def _outside(self, outside: list[Point], oldest: int) -> str:
        ordered = sorted(outside, key=lambda point: point.time_ns)
        told = [
            f"point {_key(point)} at {rfc3339(point.time_ns)} dropped because it violates a Retention Policy Lower "
            f"Bound at {rfc3339(oldest)}"
            for point in (ordered[0], ordered[-1])
        ]
        reason = (
            f"dropped {len(outside)} points outside retention policy of duration {_duration(self.retention_s)} - "
            f"oldest {told[0]}, newest {told[1]}"
        )
        return f"partial write: {reason} dropped={len(outside)} for database: {self.id} for retention policy: autogen"

    def _write_shard(self, shard: int, points: list[Point]) -> str | None:
        """Keep the points of a shard; only the first reason is told."""
        dropped, first = 0, None
        for point in points:
            reason = self._type_or_reason(shard, point)
            if reason is None:
                kept = self.series.setdefault((point.measurement, point.tags), {})
                kept.setdefault(point.time_ns, {}).update(point.fields)
            else:
                dropped, first = dropped + 1, first or reason
        return None if first is None else f"partial write: {first} dropped={dropped}"

    def _type_or_reason(self, shard: int, point: Point) -> str | None:
        """Take up the types of new fields; return why a point is dropped (`ValidateAndCreateFields`)."""
        for name, value in point.fields.items():
            kind = type_of(value)
            if isinstance(value, str) and (size := len(value.encode())) > MOST_TEXT:
                return f"{_field(name, point)} is too long, {size} > {MOST_TEXT}"
            known = self.types.setdefault((shard, point.measurement, name), kind)
            if known != kind:
                return f"field type conflict: {_field(name, point)} is type {kind}, already exists as type {known}"
        return None

    def points(self, measurement: str) -> int:
        """Return how many points a measurement has."""
        return sum(len(times) for (name, _), times in list(self.series.items()) if name == measurement)


def type_of(value: Value) -> str:
    """Return the name of a value's type (`influxql.DataType`)."""
    return TYPES[type(value)]


TYPES: dict[type, str] = {Unsigned: "unsigned", bool: "boolean", int: "integer", float: "float", str: "string"}


def _field(name: str, point: Point) -> str:
    return f"input field {json.dumps(name)} on measurement {json.dumps(point.measurement)}"


def _key(point: Point) -> str:
    return ",".join((point.measurement, *(f"{name}={value}" for name, value in point.tags)))


def _duration(seconds: int) -> str:
    """Return a duration as Go prints it."""
    return f"{seconds // 3600}h{seconds % 3600 // 60}m{seconds % 60}s"


def rfc3339(time_ns: int) -> str:
    """Return a time as Go's `time.RFC3339Nano` prints it, without zeros at the end."""
    whole = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{time_ns % 10**9:09}".rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"
