"""Clock time without a clock: the greatest `ts_ingest` of what an agent has processed, and the months of UTC.

Months are those of UTC: what a time zone says depends on the tables of the machine, and a replay must not.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar, cast

from tradewind.processors.batch import State
from tradewind.schemas.event import Event

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
NOW: Final = "now"
N = TypeVar("N", bound=Event)


class _Now(Protocol):
    """An agent's time: a state of its own."""

    @property
    def now(self) -> int: ...


def advance(state: State, ts_ingest: int, model: type[N]) -> int:
    """Take a record's time into account, µs; return the agent's time, which never goes back.

    `model` is the agent's own state of its time, with the field `now` alone.
    """
    known = state.get(NOW, model)
    if known is not None and (now := cast("_Now", known).now) >= ts_ingest:
        return now
    state.put(NOW, cast("Callable[..., N]", model)(now=ts_ingest))
    return ts_ingest


def month_start(at: int) -> int:
    """Return the first moment of the month of a time, µs."""
    of = _date(at)
    return timegm((of.year, of.month, 1, 0, 0, 0)) * SECOND_US


def month_end(at: int) -> int:
    """Return the first moment after the month of a time, µs."""
    of = _date(at)
    year, month = (of.year + 1, 1) if of.month == 12 else (of.year, of.month + 1)
    return timegm((year, month, 1, 0, 0, 0)) * SECOND_US


def month_name(at: int) -> str:
    """Return the month of a time: `2026-11`."""
    of = _date(at)
    return f"{of.year:04}-{of.month:02}"


def _date(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND_US, UTC)
