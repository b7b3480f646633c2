"""Which records a copy has: topics, a range of time, and which time counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.codec.errors import MisalignedRecords
from tradewind.schemas.event import US_PER_MS
from tradewind.topics import Topic

By = Literal["event", "ingest"]
Times = npt.NDArray[np.int64]
EVENT_TIME = "ts_event"
DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of topics. A record counts if its time is from `start` up to and without `stop`."""

    topics: tuple[Topic, ...]
    start: int | None = None
    """µs since 1970; None is the beginning of the source."""
    stop: int | None = None
    by: By = "event"
    """Which time counts: the event's own, or the time at which it came in. An event without a time of its own, and a
    record that is no event, has the latter."""

    def identity(self, source: str) -> str:
        """Return a short text that another slice, or another source, does not have."""
        said = json.dumps([source, self.start, self.stop, self.by])
        return blake2b(said.encode(), digest_size=DIGEST_BYTES).hexdigest()

    def holds(self, times: Times) -> npt.NDArray[np.bool_]:
        """Return which of some times count."""
        inside = np.ones(len(times), np.bool_)
        if self.start is not None:
            inside &= times >= self.start
        if self.stop is not None:
            inside &= times < self.stop
        return inside


def times_of(rows: pl.DataFrame, topic: Topic, by: By, codec: Codec) -> Times:
    """Return the time of each record, µs."""
    ingested: Times = rows["time"].to_physical().to_numpy().astype(np.int64) * US_PER_MS
    if by == "ingest" or not rows.height:
        return ingested
    found = ingested.copy()
    numbered = rows.select("value", "schema_id").with_row_index("row").filter(pl.col("schema_id").is_not_null())
    for (schema_id,), part in numbered.partition_by("schema_id", as_dict=True).items():
        at, values = part["row"].to_numpy(), part["value"].to_list()
        found[at] = _event_times(values, schema_id, topic, codec, ingested[at])
    return found


def _event_times(values: Sequence[bytes], schema_id: int, topic: Topic, codec: Codec, ingested: Times) -> Times:
    """Return the times of records of one schema, µs; those that have none, as `ingested` says."""
    try:
        model = next((model for model in topic.models if codec.model_of(schema_id) is model), None)
    except UndecodableRecord:
        return ingested
    if model is None or EVENT_TIME not in {of.name for of in fields(cast("type", model))}:
        return ingested
    try:
        column: Times = codec.decode_columns(model, values)[EVENT_TIME].to_numpy()
    except (TypeError, MisalignedRecords):
        return np.array([_event_time(value, codec, int(ts)) for value, ts in zip(values, ingested, strict=True)])
    return column


def _event_time(value: bytes, codec: Codec, ingested: int) -> int:
    try:
        return int(getattr(codec.decode(value), EVENT_TIME, ingested))
    except UndecodableRecord:
        return ingested
