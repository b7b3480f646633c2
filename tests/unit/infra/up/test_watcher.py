"""`up` outlives the process that looks at Kafka, starts it again, and says so meanwhile."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tradewind.infra.services.process import read_record
from tradewind.infra.up.looks import look_file
from tradewind.infra.up.watcher import NAME, Watcher

PATIENCE_S = 30.0
EMPTY = '{"glance": {"totals": {"ticks": %d}, "rates": {}, "topics": [], "lags": [], "uncounted": 0}, "trouble": null}'
LOOKS = f"""
import itertools, pathlib, time
for count in itertools.count(1):
    pathlib.Path("written").write_text({EMPTY!r} % count)
    pathlib.Path("written").replace("looked.json")
    time.sleep(0.05)
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Watcher]]:
    """Make watchers whose process is a program of ours, and end them."""
    every: list[Watcher] = []
    (tmp_path / "run").mkdir()

    def make(program: str, **limits: float) -> Watcher:
        every.append(Watcher(tmp_path, {}, (sys.executable, "-P", "-c", program), **limits))
        return every[-1]

    yield make
    for one in every:
        one.close()


def tended(watcher: Watcher, until: Callable[[], bool]) -> None:
    """Look after a watcher until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        watcher.tend()
        time.sleep(0.02)


def ticks(watcher: Watcher) -> int:
    """Return what the last look counted; 0 where there was none."""
    glance = watcher.looked.glance
    return 0 if glance is None else glance.totals["ticks"]


def test_a_process_that_crashes_is_started_again_and_its_last_look_stays(
    tmp_path: Path, made: Callable[..., Watcher]
) -> None:
    """As librdkafka crashes it."""
    watcher = made(LOOKS)
    assert watcher.looked.glance is None
    tended(watcher, lambda: ticks(watcher) > 1)
    assert watcher.looked.trouble is None
    record = read_record(tmp_path / "run" / f"{NAME}.json")
    assert record is not None
    record.signal(signal.SIGSEGV)
    assert record.wait_gone(PATIENCE_S)
    ended = watcher.looked
    assert ended.glance is not None
    assert "signal 11" in (ended.trouble or "")
    tended(watcher, lambda: watcher.looked.trouble is None)
    assert watcher.deaths == 1
    seen = ticks(watcher)
    tended(watcher, lambda: ticks(watcher) != seen)


def test_a_process_that_says_nothing_for_long_is_ended(made: Callable[..., Watcher]) -> None:
    """It hangs, and another one may not."""
    watcher = made("import time; time.sleep(600)", silent_s=0.1)
    tended(watcher, lambda: watcher.deaths == 1)


def test_a_look_of_an_earlier_up_or_half_of_one_is_none(tmp_path: Path, made: Callable[..., Watcher]) -> None:
    """The totals would be those of another day."""
    watcher = made(LOOKS)
    look_file(tmp_path).write_text((EMPTY % 7)[:50])
    assert watcher.looked.glance is None
    look_file(tmp_path).write_text(EMPTY % 7)
    assert made(LOOKS).looked.glance is None
