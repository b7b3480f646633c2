"""Ticks from the future: a tick that leaps ahead of its instrument's watermark waits until the next tick agrees.

A single tick that is dated years ahead would close the bars of its instrument, and make all following ticks late. After
a night or a weekend, the first tick is as far ahead, and right. A processor has no clock, so the next tick decides: if
it is as far ahead, time has passed. Otherwise the doubted tick was wrong.

A new instrument has no watermark, so its first tick waits as well, for a tick or a heartbeat. In a sound stream this
changes no bar, because a first tick closes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tradewind.processors.batch import Rows, Segment
from tradewind.processors.identity import instrument
from tradewind.processors.market.quotes import Ints, Quotes, quotes_of, tick_at
from tradewind.schemas.market import Tick

LEAP_US = 3_600_000_000
OF_A_QUOTE = ("seq", "ts_event", "bid", "ask", "size")
WAITED = -1  # instead of a row: the tick that was in doubt before the segment
FIRST_LOOK = 64  # ticks that are compared at once after a doubt; then twice as many, while no tick leaps


@dataclass(frozen=True, slots=True)
class Weighed:
    """The quotes of a segment, and those that were in doubt before it: kept, discarded or in doubt."""

    quotes: Quotes
    """The kept quotes. If a quote had to wait, its `index` is the place of the record that it waited for."""
    discarded: list[tuple[int, Tick]]
    """(place of the record that disagreed, tick)."""
    in_doubt: Mapping[tuple[str, str], Tick | None]
    """(symbol, venue) -> the tick in doubt after the segment, None if none. Other instruments are unchanged."""


def doubt_key(symbol: str, venue: str) -> str:
    """Return the key in the state of an instrument's doubted tick. There is at most one."""
    return f"doubted/{instrument(symbol, venue)}"


def weigh(
    segment: Segment,
    quotes: Quotes,
    watermarks: Sequence[int | None],
    doubted: Sequence[Tick | None],
    leap_us: int,
    *,
    first_look: int = FIRST_LOOK,
) -> Weighed | None:
    """Compare the quotes of a segment with the watermarks of their instruments; None if no quote is in doubt.

    `watermarks` (None: nothing came yet) and `doubted` are those of the quotes' instruments. `first_look` is no part of
    the outcome: it is how many ticks are compared at once after a doubt.
    """
    verdicts: dict[int, _Verdict] = {}
    for number, (_, _, rows) in enumerate(quotes.each()):
        times, watermark, waiting = quotes.ts_event[rows], watermarks[number], doubted[number]
        if waiting is not None or _leaps(times, watermark, leap_us):
            verdicts[number] = _verdict(
                times, watermark, None if waiting is None else waiting.ts_event, leap_us, first_look
            )
    if not verdicts:
        return None

    def tick_of(number: int, row: int) -> Tick:
        waiting = doubted[number]
        if row == WAITED and waiting is not None:
            return waiting
        return tick_at(segment, int(quotes.index[quotes.bounds[number] + row]))

    places = {number: quotes.index[quotes.bounds[number] : quotes.bounds[number + 1]] for number in verdicts}
    discarded = [
        (int(places[number][at]), tick_of(number, row))
        for number, verdict in verdicts.items()
        for row, at in verdict.discarded
    ]
    in_doubt = {
        quotes.instruments[number]: None if verdict.waits is None else tick_of(number, verdict.waits)
        for number, verdict in verdicts.items()
    }
    return Weighed(_after(quotes, verdicts, doubted), discarded, in_doubt)


def _leaps(times: Ints, watermark: int | None, leap_us: int) -> bool:
    """Return whether any of an instrument's times leaps ahead of what came before it."""
    if watermark is None:
        return True
    if int(times.max()) <= min(watermark, int(times.min())) + leap_us:
        return False
    reached = np.maximum.accumulate(np.concatenate(([watermark], times[:-1])))
    return bool((times > reached + leap_us).any())


class _Verdict(NamedTuple):
    """On the n quotes of one instrument, by their rows from 0 on, or `WAITED`."""

    goes: Ints
    """(k,) rows that go, in this order."""
    at: Ints
    """(k,) row of the record at which each goes: its own, or that which it waited for."""
    discarded: list[tuple[int, int]]
    """(row, row of the record that disagreed)."""
    waits: int | None
    """The row that is in doubt in the end."""


def _verdict(times: Ints, reached: int | None, waiting_ts: int | None, leap_us: int, first_look: int) -> _Verdict:
    """Weigh one tick after the other, but for runs of ticks that do not leap.

    Of two that leap, the second agrees with the first unless it is a leap behind: then it is the one to be doubted.
    """
    goes, at = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    discarded: list[tuple[int, int]] = []
    waiting = None if waiting_ts is None else (WAITED, waiting_ts)
    row, look = 0, first_look
    while row < len(times):
        if waiting is None and reached is not None:
            run = times[row : row + look]
            calm = _calm(run, reached, leap_us)
            if calm:
                goes.append(np.arange(row, row + calm))
                at.append(goes[-1])
                row, reached = row + calm, max(reached, int(run[:calm].max()))
            look = look * 2 if calm == len(run) else first_look
            if calm == len(run):
                continue
        ts_event = int(times[row])
        leaps = reached is None or ts_event > reached + leap_us
        if waiting is not None:
            if leaps and ts_event + leap_us >= waiting[1]:
                goes.append(np.array([waiting[0]]))
                at.append(np.array([row]))
                reached = waiting[1]
                leaps = ts_event > reached + leap_us
            else:
                discarded.append((waiting[0], row))
        waiting = (row, ts_event) if leaps else None
        if not leaps:
            goes.append(np.array([row]))
            at.append(goes[-1])
            reached = ts_event if reached is None else max(reached, ts_event)
        row += 1
    return _Verdict(np.concatenate(goes), np.concatenate(at), discarded, None if waiting is None else waiting[0])


def _calm(times: Ints, reached: int, leap_us: int) -> int:
    """Return how many of some ticks come before the first one that leaps."""
    before = np.maximum.accumulate(np.concatenate(([reached], times[:-1])))
    leaping = times > before + leap_us
    return int(leaping.argmax()) if leaping.any() else len(times)


def _after(quotes: Quotes, verdicts: Mapping[int, _Verdict], doubted: Sequence[Tick | None]) -> Quotes:
    """Return the quotes that go; those that were in doubt before the segment stand behind it until they are placed."""
    waited = {number: tick for number, tick in enumerate(doubted) if tick is not None}
    row_of = {number: len(quotes) + at for at, number in enumerate(waited)}
    instruments: list[tuple[str, str]] = []
    bounds, rows, places = [0], list[Ints](), list[Ints]()
    for number, name in enumerate(quotes.instruments):
        first, stop = quotes.bounds[number], quotes.bounds[number + 1]
        goes = at = np.arange(first, stop)
        if number in verdicts:
            found = verdicts[number]
            goes = np.where(found.goes == WAITED, row_of.get(number, WAITED), first + found.goes)
            at = first + found.at
        if len(goes):
            instruments.append(name)
            bounds.append(bounds[-1] + len(goes))
            rows.append(goes)
            places.append(at)
    all_rows = np.concatenate(rows) if rows else np.empty(0, np.int64)
    index = quotes.index[np.concatenate(places)] if places else all_rows
    found_in = [quotes, *([_alone(list(waited.values()))] if waited else [])]
    values = {name: np.concatenate([getattr(part, name) for part in found_in])[all_rows] for name in OF_A_QUOTE}
    return Quotes(tuple(instruments), tuple(bounds), index, **values)


def _alone(ticks: Sequence[Tick]) -> Quotes:
    """Return ticks of as many instruments, which are sorted, as quotes."""
    return quotes_of(Rows("", 0, ticks, np.arange(len(ticks)), np.zeros(len(ticks), np.int64)))
