"""A door sends what it has counted, never waits for Kafka, and sends the rest when it is closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tradewind.connectors.billing.door import Door
from tradewind.connectors.billing.tally import Tally
from tradewind.connectors.clock.wall import clock_us
from tradewind.schemas.billing import Usage

LOOK_S = 0.005
PATIENCE_S = 30.0


class Held:
    """An outbox that delivers when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Usage] = []
        self.waiting = 0
        self.takes = 0

    def send(self, records: Sequence[Usage]) -> None:
        """Keep records, which wait."""
        self.sent += records
        self.waiting += len(records)
        self.takes += 1

    def tend(self) -> None:
        """Deliver nothing."""

    def close(self, within_s: float) -> int:
        """Deliver all."""
        self.waiting = 0
        return 0


def door(every_s: float) -> tuple[Door, Held]:
    """Return a door that takes its counts so often, and its outbox."""
    held = Held()
    tally = Tally("door", "1", clock_us, lambda: time.monotonic_ns() // 1_000)
    return Door(tally, held, every_s, LOOK_S), held


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(LOOK_S)


def test_counts_are_sent_while_the_door_is_open() -> None:
    """Each interval, without a call that asks for it."""
    of, held = door(every_s=LOOK_S)
    with of:
        of.called("alpha", "consume")
        eventually(lambda: len(held.sent) == 1)
    assert held.sent[0].meter == "api.calls"


def test_nothing_is_taken_before_the_last_take_has_arrived() -> None:
    """If Kafka is away, the counts stay in the tally, which has a limit."""
    of, held = door(every_s=LOOK_S)
    with of:
        of.called("alpha", "consume")
        eventually(lambda: held.waiting == 1)
        takes = held.takes
        for _ in range(20):
            of.called("alpha", "consume")
            time.sleep(LOOK_S)
        assert (held.takes, len(held.sent)) == (takes, 1)
        held.waiting = 0
        eventually(lambda: len(held.sent) == 2)
    assert [(one.quantity, one.sequence) for one in held.sent] == [(1, 0), (20, 1)]


def test_the_rest_is_sent_when_the_door_is_closed() -> None:
    """Also by an exception, as a signal raises one."""
    of, held = door(every_s=60.0)
    try:
        with of, of.tally.streaming("alpha", "market.ticks"):
            of.called("alpha", "consume")
            time.sleep(0.01)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert [one.meter for one in held.sent] == ["api.calls", "stream.ms"]
    assert held.waiting == 0
