"""The clock on Kafka: one owner tells each second to every partition, and another follows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from tradewind.connectors.clock.keeper import ClockKeeper
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.runtime import ClockTick
from tradewind.topics import CLOCK

PATIENCE_S = 60.0


def ticks(settings: Settings) -> list[tuple[int, ClockTick]]:
    """Return each tick with its partition."""
    found = [(record.partition, record.event) for record in consume(CLOCK, settings=settings)]
    return [(partition, event) for partition, event in found if isinstance(event, ClockTick)]


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_one_of_two_tells_the_time_and_the_other_follows(settings: Settings) -> None:
    """Each second goes to all partitions once; there is never more than one owner, and at last the other one."""
    ensure(settings, [CLOCK])
    codec = open_codec(settings)
    keepers = {name: ClockKeeper(settings, codec, name, clock_us) for name in ("a", "b")}
    for keeper in keepers.values():
        keeper.start()
    try:
        eventually(lambda: len(ticks(settings)) >= 2 * CLOCK.partitions)
        eventually(lambda: sum(keeper.owns for keeper in keepers.values()) == 1)
        (first,) = (name for name, keeper in keepers.items() if keeper.owns)
        (second,) = keepers.keys() - {first}
        keepers[first].close()
        eventually(lambda: any(event.owner == second for _, event in ticks(settings)))
    finally:
        for keeper in keepers.values():
            keeper.close()
    found = ticks(settings)
    assert set(Counter(found).values()) == {1}
    for partition in range(CLOCK.partitions):
        told = [event.ts_event for at, event in found if at == partition]
        assert told == sorted(told)
    assert all(event.ts_event % 1_000_000 == 0 for _, event in found)
