"""Windows of a walk-forward: each training window is followed by the test window that its best set trades."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.streams.backtest.errors import BadInput

UNITS_US: Final = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000}
SPAN: Final = re.compile(r"(\d{1,6})([dhm])")
MOST_WINDOWS: Final = 1_000
SHORTEST_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """One step: event times in µs; each part ends before its stop."""

    train_start: int
    test_start: int
    """Where the training ends."""
    test_stop: int


def span_us(text: str, named: str) -> int:
    """Return a span such as `5d`, `12h` or `30m` in µs; raises `BadInput` for another text."""
    found = SPAN.fullmatch(text.strip())
    length = 0 if found is None else int(found[1]) * UNITS_US[found[2]]
    if length < SHORTEST_US:
        raise BadInput(f"{named} is {text!r}: write 5d, 12h or 30m")
    return length


def windows(first: int, stop: int, train_us: int, test_us: int) -> list[Window]:
    """Return the windows of a range; the last test window may be shorter.

    Raises `BadInput` where the range has no room for one, or for too many of them.
    """
    if first + train_us >= stop:
        raise BadInput(
            f"the quotes reach from {time_to_json(first)} to {time_to_json(stop)}, and the first training window ends "
            "after them: give a shorter --train, or a longer range"
        )
    count = -(-(stop - first - train_us) // test_us)
    if count > MOST_WINDOWS:
        raise BadInput(f"there would be {count:,} test windows; the limit is {MOST_WINDOWS:,}: give a longer --test")
    return [*_each(first, stop, train_us, test_us)]


def _each(first: int, stop: int, train_us: int, test_us: int) -> Iterator[Window]:
    test_start = first + train_us
    while test_start < stop:
        yield Window(test_start - train_us, test_start, min(test_start + test_us, stop))
        test_start += test_us
