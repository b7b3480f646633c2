"""Finds events that InfluxDB would lay on top of each other, so that none is overwritten in silence.

The time of a point is the event's microsecond and the last three digits of its sequence. Two events of one instrument
in one microsecond, whose sequences differ by a multiple of 1,000, would be one point. The second of them is refused.
"""

from __future__ import annotations

import polars as pl

from tradewind.connectors.sinks.line_protocol import INFLUXDB, Layout, time_of
from tradewind.connectors.sinks.sink import Origin, PoisonBatch

REMEMBERED = 5_000
"""Records of each partition that are remembered. Sequences that rise by one come to the same digits after 1,000."""
AT = "@time"


class Apart:
    """Remembers what was last written of each partition."""

    def __init__(self) -> None:
        self._written: dict[Origin, pl.DataFrame] = {}

    def refuse(self, origin: Origin, frame: pl.DataFrame, layout: Layout) -> None:
        """Raise `PoisonBatch` that names the first row which would overwrite another event."""
        sequence = layout.sequence
        if sequence is None:
            return
        points = _points(frame, layout)
        before = self._written.get(origin)
        known = points if before is None else pl.concat([before, points])
        if known[AT].n_unique() == known.height:  # nearly always; the rest looks at all columns
            return
        key = [*layout.tags, AT]
        first = known.select(pl.col(sequence).first().over(key))[sequence]
        others = (known[sequence] != first).arg_true()
        new = [row - (known.height - points.height) for row in others if row >= known.height - points.height]
        if new:
            row = points.row(new[0], named=True)
            raise PoisonBatch(
                f"{sequence} {row[sequence]} would overwrite another event of "
                f"{'.'.join(str(row[tag]) for tag in layout.tags)} in the same microsecond: InfluxDB tells them apart "
                f"by the last three digits of {sequence} only",
                new[0],
            )

    def written(self, origin: Origin, frame: pl.DataFrame, layout: Layout) -> None:
        """Remember what has been written."""
        if layout.sequence is None:
            return
        before, points = self._written.get(origin), _points(frame.tail(REMEMBERED), layout)
        if before is not None and points.height < REMEMBERED:
            points = pl.concat([before, points]).tail(REMEMBERED).rechunk()
        self._written[origin] = points


def _points(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    assert layout.sequence is not None
    tags = [pl.col(tag).cast(pl.String) for tag in layout.tags]
    return frame.select(*tags, pl.col(layout.sequence), time_of(layout, INFLUXDB).alias(AT))
