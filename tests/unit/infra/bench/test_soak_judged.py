"""The soak's judgement: what grows, writes too much or dies is told, and a short run's trend is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from tradewind.infra.bench.soak import FLAT_MB_PER_H, MIB, WRITTEN_PER_TICK, Series, complaints, unprocessed


class Process:
    """Stands for a process: its resident memory, what it has written, and its children's."""

    def __init__(self, rss: int, written: int, *children: Process) -> None:
        self._rss, self._written, self._children = rss, written, children

    def memory_info(self) -> Any:
        """Return its memory."""
        return SimpleNamespace(rss=self._rss)

    def io_counters(self) -> Any:
        """Return what it has written, bytes."""
        return SimpleNamespace(write_bytes=self._written)

    def children(self, *, recursive: bool) -> tuple[Process, ...]:
        """Return those it has started."""
        assert recursive
        return self._children


def test_growth_is_the_trend_of_the_second_half_whatever_single_samples_do() -> None:
    """Caches that fill at first do not count, nor does one sample out of line."""
    series = Series(pid=1)
    for minute in range(60):
        size = 100 + min(minute, 20) * 10 + minute / 60 * 6 + (500 if minute == 50 else 0)
        series.see(minute * 60.0, Process(int(size * MIB), 0))  # type: ignore[arg-type]
    assert series.growth_mb_per_h == pytest.approx(6.0, abs=0.1)
    assert series.rss_mb == pytest.approx(305.4, abs=0.5)


def test_what_is_written_counts_children_and_no_process_twice() -> None:
    """From when it was seen first; a child that has ended takes nothing away, a successor adds its own."""
    series = Series(pid=1)
    series.see(0.0, Process(0, 1000, Process(0, 500)))  # type: ignore[arg-type]
    series.see(1.0, Process(0, 1000, Process(0, 900)))  # type: ignore[arg-type]
    series.see(2.0, Process(0, 1200))  # type: ignore[arg-type]
    assert series.written == 400
    after = Series(pid=2, before=series.written)
    after.see(3.0, Process(0, 10))  # type: ignore[arg-type]
    after.see(4.0, Process(0, 60))  # type: ignore[arg-type]
    assert after.written == 450


def test_one_sample_has_no_trend() -> None:
    """A process that was seen once does not grow."""
    series = Series(pid=1)
    series.see(0.0, Process(MIB, 0))  # type: ignore[arg-type]
    assert (series.growth_mb_per_h, series.rss_mb) == (0.0, 1.0)


def test_complaints_name_the_process_and_the_figure() -> None:
    """A death always, growth in a long run only, and bytes written by whoever writes the most."""
    flat, little = {"kafka": FLAT_MB_PER_H}, {"kafka": WRITTEN_PER_TICK / 2, "questdb": WRITTEN_PER_TICK / 2}
    assert complaints(flat, little, deaths=0, minutes=60) == ()
    grown = {"kafka": 1.0, "market": float(np.nextafter(FLAT_MB_PER_H, np.inf))}
    assert complaints(grown, little, deaths=0, minutes=5) == ()
    assert complaints(grown, little, deaths=0, minutes=60) == (f"market grows by {FLAT_MB_PER_H:.1f} MiB/h",)
    told = complaints(flat, {"kafka": 400.0, "questdb": 14_600.0}, deaths=2, minutes=5)
    assert told == (
        "2 processes ended by themselves",
        "15,000 bytes were written for a tick, 14,600 of them by questdb",
    )


def test_what_did_not_come_through_is_told() -> None:
    """A worker that hangs and lives leaves a lag; a status without an answer is no lag of nothing."""
    assert unprocessed(3_600_000, 60_000, 1000) == ()
    assert unprocessed(1, 60_001, 1000) == ("at the end the groups were 60,001 records behind",)
    assert unprocessed(0, None, 1000) == (
        "no tick came through",
        "at the end Kafka did not say how far the groups are behind",
    )


class Ending(Process):
    """A process that ends between two looks at it."""

    def memory_info(self) -> Any:
        """Fail."""
        raise psutil.NoSuchProcess(1)


def test_a_process_that_ends_while_it_is_looked_at_leaves_its_series_whole() -> None:
    """As many times as sizes."""
    series = Series(pid=1)
    with pytest.raises(psutil.NoSuchProcess):
        series.see(0.0, Ending(0, 10))  # type: ignore[arg-type]
    assert series.times_s == series.rss == []
