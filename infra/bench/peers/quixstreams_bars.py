"""quixstreams: one event at a time through a data frame; arguments: BROKER IN OUT SCHEMAS WARM_UP TOTAL GROUP [eos]."""

from __future__ import annotations

import sys
from pathlib import Path

from by_event import BarsByEvent, Progress
from quixstreams import Application

broker, source, target, schemas, warm_up, total, group = sys.argv[1:8]
guarantee = "exactly-once" if sys.argv[8:] == ["eos"] else "at-least-once"
bars, progress = BarsByEvent(Path(schemas)), Progress(int(warm_up), int(total))


def on_tick(value: bytes) -> list[bytes]:
    """Return what a tick closes."""
    closed = bars.on_tick(value)
    progress.tick()
    return closed


def main() -> None:
    """Run until killed."""
    app = Application(
        broker_address=broker,
        consumer_group=group,
        processing_guarantee=guarantee,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
    )
    ticks = app.topic(source, value_deserializer="bytes", key_deserializer="bytes")
    closed = app.topic(target, value_serializer="bytes", key_serializer="bytes")
    app.dataframe(ticks).apply(on_tick, expand=True).to_topic(closed)
    app.run()


if __name__ == "__main__":
    main()
