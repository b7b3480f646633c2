"""When simulated instruments trade, and how wide their spreads are, by UTC hour and weekday."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np
import numpy.typing as npt

HOUR_US = 3_600_000_000
DAY_HOURS, WEEK_HOURS = 24, 168
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0

Micros = npt.NDArray[np.int64]


class Calendar(Enum):
    """When an instrument trades."""

    ALWAYS = "always"
    FOREX = "forex"
    """From Sunday 22:00 to Friday 22:00."""
    METAL = "metal"
    """As Forex, with a break from 22:00 to 23:00 each day."""


def _forex_hours() -> npt.NDArray[np.bool_]:
    hours = np.arange(WEEK_HOURS)
    friday_evening, sunday_evening = 4 * DAY_HOURS + 22, 6 * DAY_HOURS + 22
    return (hours < friday_evening) | (hours >= sunday_evening)


def _daily(*parts: tuple[int, int, float]) -> npt.NDArray[np.float64]:
    """Return 24 factors from (from hour, to hour, factor)."""
    factors = np.ones(DAY_HOURS)
    for start, end, factor in parts:
        factors[start:end] = factor
    return factors


OPEN_HOURS: Mapping[Calendar, npt.NDArray[np.bool_]] = {
    Calendar.ALWAYS: np.ones(WEEK_HOURS, dtype=np.bool_),
    Calendar.FOREX: _forex_hours(),
    Calendar.METAL: _forex_hours() & (np.arange(WEEK_HOURS) % DAY_HOURS != 22),
}
"""Whether an instrument trades in each hour of the week, from Monday 00:00."""
SPREAD_FACTORS: Mapping[Calendar, npt.NDArray[np.float64]] = {
    # Tokyo is thinner than London; London and New York together are the tightest; the roll-over at 21-23 the widest.
    Calendar.ALWAYS: _daily((0, 7, 1.2)),
    Calendar.FOREX: _daily((0, 7, 1.6), (12, 16, 0.8), (16, 21, 1.3), (21, 23, 4.0), (23, 24, 2.0)),
    Calendar.METAL: _daily((0, 7, 1.5), (12, 16, 0.8), (16, 21, 1.3), (21, 24, 3.0)),
}
"""By how much the usual spread is multiplied in each hour of the day."""


def is_open(calendar: Calendar, ts_event: Micros) -> npt.NDArray[np.bool_]:
    """Return whether an instrument trades at times (n,), µs."""
    hours = ts_event // HOUR_US + EPOCH_WEEKDAY * DAY_HOURS
    found: npt.NDArray[np.bool_] = OPEN_HOURS[calendar][hours % WEEK_HOURS]
    return found


def spread_factor(calendar: Calendar, ts_event: Micros) -> npt.NDArray[np.float64]:
    """Return by how much the usual spread is multiplied at times (n,), µs."""
    found: npt.NDArray[np.float64] = SPREAD_FACTORS[calendar][ts_event // HOUR_US % DAY_HOURS]
    return found
