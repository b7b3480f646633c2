"""Session days: at which times an account's equity is read, once a day.

Currencies and metals have a day that ends at 17:00 in New York, five a week. What trades around the clock has a day
that ends at midnight UTC, seven a week. The hours of New York follow the law of the United States, written down here
(Energy Policy Act of 2005, section 110, and the Uniform Time Act as of 1986): a processor reads no tables of time
zones, which differ between machines.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
EPOCH: Final = date(1970, 1, 1)
SATURDAY: Final = 5
CLOSE_HOUR: Final = 17  # of New York: where the day of currencies ends
WINTER_HOURS, SUMMER_HOURS = -5, -4  # of New York against UTC
LAW_OF_2005: Final = 2007  # the first year in which it held


@dataclass(frozen=True, slots=True)
class Days:
    """How time is cut into session days."""

    name: str
    per_year: int
    """Session days of a year, by which ratios of days are made ratios of years."""
    new_york: bool

    def of(self, ts: int) -> int:
        """Return the number of the session day that contains a time, µs: days since 1970 of the date of its end."""
        day = (ts + self._shift(ts)) // DAY_US
        return day if not self.new_york else _monday_after(day)

    def end(self, day: int) -> int:
        """Return the end of a session day, exclusive, µs."""
        middle = day * DAY_US + DAY_US // 2
        if not self.new_york:
            return (day + 1) * DAY_US
        # The clock changes at night between Saturday and Sunday, long after one session's end and before the next's.
        return day * DAY_US + (CLOSE_HOUR - _new_york_hours(middle)) * HOUR_US

    def between(self, first: int, last: int) -> Iterator[int]:
        """Iterate over the session days from one to another, both included."""
        return (day for day in range(first, last + 1) if not self.new_york or _weekday(day) < SATURDAY)

    def _shift(self, ts: int) -> int:
        return (_new_york_hours(ts) + 24 - CLOSE_HOUR) * HOUR_US if self.new_york else 0


UTC_DAYS: Final = Days("midnight UTC", 365, new_york=False)
NEW_YORK_DAYS: Final = Days("17:00 New York", 252, new_york=True)
"""252 is the usual number of trading days of a year, so that ratios compare with those of other reports."""


def _weekday(day: int) -> int:
    return (EPOCH + timedelta(days=day)).weekday()


def _monday_after(day: int) -> int:
    """Return a day, or the next Monday if it is a Saturday or Sunday: what happens then belongs to that session."""
    return day + max(0, 7 - _weekday(day)) if _weekday(day) >= SATURDAY else day


def _new_york_hours(ts: int) -> int:
    """Return the hours that New York is ahead of UTC at a time, µs."""
    year = datetime.fromtimestamp(ts // 1_000_000, UTC).year
    if year >= LAW_OF_2005:
        begins, ends = _sunday(year, 3, 8), _sunday(year, 11, 1)  # second of March, first of November
    else:
        begins, ends = _sunday(year, 4, 1), _sunday(year, 10, 25)  # first of April, last of October
    summer = _at(begins, 2 - WINTER_HOURS) <= ts < _at(ends, 2 - SUMMER_HOURS)
    return SUMMER_HOURS if summer else WINTER_HOURS


def _sunday(year: int, month: int, earliest: int) -> date:
    """Return the first Sunday of a month from a day on."""
    first = date(year, month, earliest)
    return first + timedelta(days=6 - first.weekday())


def _at(day: date, hour: int) -> int:
    return timegm((day.year, day.month, day.day, hour, 0, 0)) * 1_000_000
