"""Plain Faust: one event at a time through its agent loop; arguments: BROKER IN OUT SCHEMAS WARM_UP TOTAL GROUP."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import faust
from by_event import BarsByEvent, Progress

broker, source, target, schemas, warm_up, total, group = sys.argv[1:8]
sys.argv[1:] = ["worker", "-l", "warn", "--without-web"]
bars, progress = BarsByEvent(Path(schemas)), Progress(int(warm_up), int(total))
app = faust.App(
    group,
    broker=f"kafka://{broker}",
    store="memory://",
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    value_serializer="raw",
    key_serializer="raw",
)
ticks, closed = app.topic(source, value_type=bytes), app.topic(target, value_type=bytes)


@app.agent(ticks)
async def to_bars(stream: AsyncIterator[Any]) -> None:
    """Send what each tick closes, without waiting for the acknowledgement of each."""
    async for value in stream:
        for bar in bars.on_tick(value):
            closed.send_soon(value=bar)
        progress.tick()


if __name__ == "__main__":
    app.main()
