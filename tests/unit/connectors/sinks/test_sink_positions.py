"""Where a partition is read from."""

from __future__ import annotations

from tradewind.connectors.sinks.loop.start import start_position


def test_a_partition_that_was_never_written_starts_at_its_first_record() -> None:
    """Nothing known means the earliest record that is left."""
    assert start_position(None, 7, 100).offset == 7


def test_a_known_position_is_kept() -> None:
    """Anything from the first record to the end is taken as it is, without complaint."""
    for known in (7, 50, 100):
        start = start_position(known, 7, 100)
        assert (start.offset, start.lost, start.problem) == (known, 0, None)


def test_expired_records_are_counted_and_said() -> None:
    """Where retention was faster than the sink, the count of what is lost is told."""
    start = start_position(3, 7, 100)
    assert (start.offset, start.lost) == (7, 4)
    assert start.problem is not None
    assert "3 to 6" in start.problem


def test_a_position_behind_the_end_starts_over() -> None:
    """A topic that was created again is read from its start."""
    start = start_position(101, 0, 100)
    assert start.offset == 0
    assert start.problem is not None
