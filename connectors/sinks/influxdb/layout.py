"""How events lie in InfluxDB: the columns of QuestDB's tables, with every key of few values as a tag.

InfluxDB tells points apart by measurement, tags and time (ns). What tells events apart beside their time must be in
those: a source's sequence has as many values as there are events, so it shifts the time within the microsecond (ADR
27); a bar's interval and revision are tags.
"""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from tradewind.connectors.sinks.line_protocol import Layout
from tradewind.connectors.sinks.questdb.tables import TABLES, Table
from tradewind.connectors.sinks.sink import PoisonBatch
from tradewind.schemas.event import Event

SEQUENCE = "seq"
LAST_US = (2**63 - 2) // 1000 - 1
"""The last microsecond that InfluxDB can keep whole: times are ns in 63 bits (`MaxNanoTime`), until April 2262."""
MISREAD = re.compile(r"\\(?:[,= \\]|$)")
"""A backslash that InfluxDB 2 and 3 read differently, or take for the escape of what follows the tag."""


def layout_of(table: Table) -> Layout:
    """Return how a table's events are written to InfluxDB."""
    of = table.layout
    keys = tuple(key for key in table.keys if key not in of.tags and key != SEQUENCE)
    return Layout(
        tags=(*of.tags, *keys),
        fields=tuple(replace(field) for field in of.fields if field.name not in keys),
        time=of.time,
        sequence=SEQUENCE if SEQUENCE in table.keys else None,
    )


LAYOUTS: dict[type[Event], Layout] = {model: layout_of(table) for model, table in TABLES.items()}


def with_text_tags(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return a frame whose tags are text: all of InfluxDB's are."""
    numbers = [tag for tag in layout.tags if frame.schema[tag].is_integer()]
    return frame.with_columns(pl.col(numbers).cast(pl.String)) if numbers else frame


def refuse(frame: pl.DataFrame, layout: Layout) -> None:
    """Raise `PoisonBatch` that names the first row which InfluxDB cannot keep as it is."""
    times = frame[layout.time]
    if frame.height and times.max() > LAST_US:  # type: ignore[operator]
        index = (times > LAST_US).arg_max()
        assert index is not None
        raise PoisonBatch(f"{layout.time} is {times[index]} µs; InfluxDB keeps times up to {LAST_US}", index)
    for tag in layout.tags:
        values = frame[tag].cast(pl.String)
        bad = [value for value in values.unique() if not value or MISREAD.search(value)]
        if bad:
            index = values.is_in(bad).arg_max()
            assert index is not None
            raise PoisonBatch(f"{tag} is {values[index]!r}, which InfluxDB cannot keep as a tag", index)
