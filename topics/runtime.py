"""Topics of the runtime that no agent owns: the clock."""

from tradewind.schemas.event import Event
from tradewind.schemas.runtime import ClockTick
from tradewind.topics.topic import MIB, Topic

KEPT_BYTES = 16 * MIB  # of a partition: about two days, which is longer than the journals of its readers
SEGMENT_BYTES = 4 * MIB


def _clock(_: Event) -> str:
    return "clock"


CLOCK = Topic(
    name="runtime.clock",
    model=ClockTick,
    key=_clock,
    owner="runtime",
    producers=("clock",),
    consumers=("rating",),
    retention_bytes=KEPT_BYTES,
    segment_bytes=SEGMENT_BYTES,
    traced=False,
    broadcast=True,
)
"""A record each second, for what no record of an agent's own would trigger (docs/adr/0033-runtime-clock.md)."""
