"""A log says a warning that repeats once a minute, with how often it came, and everything else each time."""

from __future__ import annotations

import logging

import pytest

from tradewind.infra.cli.processes.repeats import KNOWN, Repeats


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands."""
    return Clock()


def written(filter_: Repeats, *texts: str, level: int = logging.WARNING, logger: str = "aiokafka") -> list[str]:
    """Return what passes of some lines."""
    records = [logging.LogRecord(logger, level, __file__, 1, "%s", (text,), None) for text in texts]
    return [record.getMessage() for record in records if filter_.filter(record)]


def test_a_line_that_repeats_is_written_once_a_minute_with_its_count(clock: Clock) -> None:
    """Lines that differ in numbers are alike: ports, offsets and attempts change with each."""
    repeats = Repeats(60.0, clock)
    assert written(repeats, "no connection to node 1", "no connection to node 2") == ["no connection to node 1"]
    clock.now += 59.0
    assert written(repeats, "no connection to node 1") == []
    clock.now += 1.0
    assert written(repeats, "no connection to node 3") == [
        "no connection to node 3 (2 more like this in the last 60 s)"
    ]
    clock.now += 60.0
    assert written(repeats, "no connection to node 3") == ["no connection to node 3"]


def test_other_lines_pass(clock: Clock) -> None:
    """Other texts, levels and loggers, and whatever is no warning."""
    repeats = Repeats(60.0, clock)
    assert written(repeats, "gone", "back") == ["gone", "back"]
    assert written(repeats, "gone", level=logging.ERROR) == ["gone"]
    assert written(repeats, "gone", logger="faust") == ["gone"]
    assert written(repeats, "ready", "ready", level=logging.INFO) == ["ready", "ready"]


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    """The line that was silent for longest is forgotten, and written again."""
    repeats = Repeats(60.0, clock)
    texts = [f"{'x' * size}." for size in range(KNOWN + 1)]
    assert written(repeats, *texts) == texts
    assert written(repeats, texts[-1]) == []
    assert written(repeats, texts[0]) == [texts[0]]
