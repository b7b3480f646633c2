"""A sink that does not go on says the true cause: the store is blamed only where it has work."""

from __future__ import annotations

from confluent_kafka import Message

from tradewind.connectors.sinks.loop.causes import Doing, no_room, not_read, stands
from tradewind.connectors.sinks.loop.lease import Lease
from tradewind.topics import TICKS


def lease(*, start: int = 40, taken: int = 0) -> Lease:
    """Return a lease that is read, with some records in memory."""
    found = Lease(TICKS, 2)
    found.open_at(start, 0.0)
    if taken:
        found.add([Message(offset=offset, value=b"v") for offset in range(start, start + taken)], taken, 0.0)
    return found


def test_a_store_is_called_slow_only_where_its_writer_has_records() -> None:
    """Else what is in memory was never handed over."""
    assert no_room(1000, 600) == "the store is slow or down: 1000 records taken, 600 of them with the store's writer"
    assert no_room(1000, 0) == "1000 records taken wait in memory, and none was handed to the store, which is idle"


def test_a_partition_that_is_not_read_says_whose_answer_it_waits_for() -> None:
    """The store's claim first where it keeps the positions, then Kafka's offsets; or room in memory."""
    waits = lease()
    assert not_read(waits, paused=True, keeps=True) == "there is no room for more"
    assert not_read(waits, paused=False, keeps=True) == "the store has not reported its position"
    assert not_read(waits, paused=False, keeps=False) == "Kafka has not reported its position"
    waits.claimed = True
    assert not_read(waits, paused=False, keeps=True) == "Kafka has not reported its position"


def test_a_position_that_stands_says_what_the_store_does() -> None:
    """What failed, what takes so long, or that it is idle and where the records are."""
    doing = Doing("writing 5 events of market.ticks/2 up to offset 45", 100.0)
    assert stands(lease(), doing, "writing failed 3 times: away", 170.0) == "writing failed 3 times: away"
    busy = "the store is busy, writing 5 events of market.ticks/2 up to offset 45 for 70 s"
    assert stands(lease(taken=5), doing, None, 170.0) == busy
    assert stands(lease(taken=5), None, None, 170.0) == "5 records of it wait in memory, and the store is idle"
    nothing = "the store is idle, and Kafka delivers nothing of it from offset 40 on"
    assert stands(lease(), None, None, 170.0) == nothing
    behind = lease()
    behind.add([Message(offset=offset, value=b"v") for offset in range(7)], 7, 0.0)
    assert stands(behind, None, None, 170.0) == f"{nothing}; 7 records from before the position were left out"
