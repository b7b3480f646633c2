"""What it costs in InfluxDB to keep ticks of equal times apart, counted on the real files (ADR 27).

Run by hand it prints the table: `PYTHONPATH=tests .venv/bin/python tests/unit/connectors/sinks/FILE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import pytest
from days.recorded import ALL, Recording

from tradewind.connectors.feeds.feed import Bounds, SourcePosition
from tradewind.connectors.feeds.sources import open_feed
from tradewind.connectors.sinks.influxdb.layout import LAYOUTS
from tradewind.connectors.sinks.line_protocol import INFLUXDB, lines, time_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick, Trade

WHOLE = Bounds(records=1_000_000, span_us=10**15)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one model's events in one file."""

    events: int
    equal_times: int
    """Events that share microsecond and instrument with another one."""
    overwritten: int
    """Events that would be lost without a shift or a tag."""
    clashes: int
    """Events that would be lost with the shift."""
    series: int
    """With the shift."""
    series_of_tags: int
    """With the sequence as a tag."""
    bytes_of_shift: int
    bytes_of_tags: int
    """Of the line protocol."""


def cost_of(model: type[Event], frame: pl.DataFrame) -> Cost:
    """Count what the events of a file cost in each way."""
    layout = LAYOUTS[model]
    tags = list(layout.tags)
    frame = frame.with_columns(ts_ingest=pl.col("ts_event"))
    at = frame.select(*tags, layout.time, "seq", time_of(layout, INFLUXDB).alias("at"))
    instant = [*tags, layout.time]
    plain = lines(frame, model.__name__, layout, INFLUXDB)
    return Cost(
        events=frame.height,
        equal_times=at.filter(pl.len().over(instant) > 1).height,
        overwritten=frame.height - at.select(instant).n_unique(),
        clashes=frame.height - at.select(*tags, "at").n_unique(),
        series=at.select(tags).n_unique(),
        series_of_tags=at.select(*tags, "seq").n_unique(),
        bytes_of_shift=len(plain),
        bytes_of_tags=len(plain) + sum(len(f",seq={seq}") for seq in frame["seq"].to_list()),
    )


def events_of(file: Path) -> Mapping[type[Event], pl.DataFrame]:
    """Return the ticks and the trades of a file."""
    blocks = list(open_feed(str(file)).read(SourcePosition(), WHOLE))
    found = {Tick: pl.concat([one.ticks for one in blocks]), Trade: pl.concat([one.trades for one in blocks])}
    return {model: frame for model, frame in found.items() if frame.height}


@pytest.mark.parametrize("recording", ALL, ids=lambda recording: recording.path.name)
def test_the_shift_keeps_every_event_apart_without_a_series_more(recording: Recording) -> None:
    """No event of a recording clashes, and each instrument stays one series; with tags each event would be one."""
    for model, frame in events_of(recording.needed()).items():
        cost = cost_of(model, frame)
        assert cost.clashes == 0
        assert cost.series <= 2  # of trades one for each aggressor
        assert cost.series_of_tags == cost.events


if __name__ == "__main__":
    for one in ALL:
        for model, frame in events_of(one.path).items():
            print(one.path.name, model.__name__, asdict(cost_of(model, frame)))
