"""Strategies that cheat are found, with the first decision that differs; sound ones pass."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from backtesting import Planned, Zigzag, frame_of
from click.testing import CliRunner
from days.recorded import XAUUSD
from processing import SECOND, START, bar, tick

from tradewind import Bar, Strategy, View
from tradewind.infra.cli.backtests.backtest import backtest
from tradewind.processors.signals.ema import FastEmaCrossover
from tradewind.streams.backtest.checking import guard
from tradewind.streams.backtest.checking.futures import other_after
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.checking.probes import CUT, FORBIDDEN, FUTURE, HASH, LATER, Checked, Probe, check
from tradewind.streams.backtest.errors import BacktestError


def waves(count: int = 1_000) -> pl.DataFrame:
    """Return quotes, four a second, of a price that goes up and down."""
    moves = [math.sin(n / 9) + math.sin(n / 31) for n in range(count)]
    return frame_of(tick(START + n * SECOND // 4, round(1.1 + move / 1_000, 5), seq=n) for n, move in enumerate(moves))


def checked(strategy: Strategy, folder: Path, count: int = 1_000, **changes: Any) -> Checked:
    """Check a strategy on waves, without the run in another process."""
    plan = Planned(strategy=strategy).on(waves(count))
    return check(plan, Made.of(strategy), folder, **{"times": 4, "elsewhere": False, **changes})


def probe(found: Checked, name: str) -> Probe:
    """Return what one probe found."""
    return next(one for one in found.probes if one.name == name)


@pytest.mark.parametrize(("strategy", "warmup", "count"), [(Zigzag(), 3, 1_000), (FastEmaCrossover(), 350, 2_000)])
def test_sound_strategies_pass(tmp_path: Path, strategy: Strategy, warmup: int, count: int) -> None:
    """Each probe has compared decisions, and found nothing. A variance with decay 0.94 forgets in 335 bars."""
    found = checked(strategy, tmp_path, count, warmup=warmup)
    assert (found.holds, found.first) == (True, "")
    assert all(one.compared > 3 for one in found.probes if one.name != HASH)
    assert probe(found, FUTURE).runs == 4


class Peeking(Strategy):
    """Looks up the next seconds among the quotes that its callers hold."""

    name: ClassVar[str] = "peeking"
    interval_s: ClassVar[int] = 1

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return where the price goes."""
        frame = sys._getframe()
        while frame is not None:
            for value in frame.f_locals.values():
                if isinstance(value, pl.DataFrame) and {"bid", "ts_event"} <= {*value.columns}:
                    at = value["ts_event"].search_sorted(bar.ts_event + SECOND)
                    if at == value.height:
                        return None
                    return View("LONG" if value["bid"][at] > bar.bid_close else "SHORT", 1.0, "it will")
            frame = frame.f_back
        return None


def test_a_look_ahead_is_found_and_the_first_event_named(tmp_path: Path) -> None:
    """The decision comes before the time from which on the data are others, and has another direction."""
    found = checked(Peeking(), tmp_path, times=8)
    future = probe(found, FUTURE)
    assert not found.holds
    assert future.failed >= 4
    assert future.difference is not None
    assert future.at is not None
    assert future.difference.kind == "Signal"
    assert future.difference.ts_event <= future.at
    assert "direction" in future.difference.text or "does not decide" in future.difference.text
    assert "Signal of EURUSD.OANDA at 2014-05-01T" in future.said


class Remembering(Strategy):
    """Keeps the last close in itself, and not in its memory."""

    name: ClassVar[str] = "remembering"
    interval_s: ClassVar[int] = 1

    def __init__(self) -> None:
        self.close = 0.0

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return where the price went."""
        before, self.close = self.close, bar.mid_close
        return View("LONG" if bar.mid_close > before else "SHORT", 1.0, "it moved") if before else None


CLOSES: list[float] = []


class Sharing(Remembering):
    """Keeps the closes in its module."""

    name: ClassVar[str] = "sharing"

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return where the price went."""
        CLOSES.append(bar.mid_close)
        before = CLOSES[-2] if len(CLOSES) > 1 else None
        return None if before is None else View("LONG" if bar.mid_close > before else "SHORT", 1.0, "it moved")


@pytest.mark.parametrize("strategy", [Remembering(), Sharing()])
def test_state_outside_the_memory_is_found(tmp_path: Path, strategy: Strategy) -> None:
    """A restart loses what an instance holds, and a second run finds what the first one left in the module."""
    CLOSES.clear()
    cut = probe(checked(strategy, tmp_path), CUT)
    assert cut.failed == cut.runs == 3
    assert cut.difference is not None
    assert cut.difference.kind == "Signal"


class Late(Strategy):
    """Counts its bars, and acts on the count: where it begins matters for ever."""

    name: ClassVar[str] = "late"
    interval_s: ClassVar[int] = 1

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return a view at each third bar."""
        memory["bars"] = memory.get("bars", 0) + 1
        return View("LONG", 1.0 / memory["bars"], "the third") if memory["bars"] % 3 == 0 else None


def test_what_depends_on_the_beginning_is_found_if_a_warm_up_is_declared(tmp_path: Path) -> None:
    """Without one, the probe says that it was not made."""
    found = checked(Late(), tmp_path, warmup=20, times=1)
    assert probe(found, LATER).failed > 0
    assert [one.name for one in found.probes if one.failed] == [LATER]
    assert "give --warmup BARS" in probe(checked(Late(), tmp_path, times=1), LATER).skipped


class Doing(Strategy):
    """Does something in each call."""

    name: ClassVar[str] = "doing"
    interval_s: ClassVar[int] = 1

    def __init__(self, code: str) -> None:
        self.does = compile(code, "mine.py", "exec")

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Do it."""
        exec(self.does, {})
        return View("LONG", 1.0, "done")


@pytest.mark.parametrize(
    ("code", "kind", "call"),
    [
        ("from time import time; time()", guard.CLOCK, "time.time()"),
        ("import time; time.perf_counter_ns()", guard.CLOCK, "time.perf_counter_ns()"),
        ("import time; time.strftime('%Y')", guard.CLOCK, "time.strftime()"),
        ("from datetime import datetime; datetime.now()", guard.CLOCK, "datetime.now()"),
        ("import datetime; datetime.date.today()", guard.CLOCK, "date.today()"),
        ("import random; random.random()", guard.RANDOM, "Random.random()"),
        ("from random import randint; randint(1, 6)", guard.RANDOM, "random.randint(), by Random.getrandbits(),"),
        ("import random; random.Random()", guard.RANDOM, "random.__init__()"),
        ("import os; os.urandom(1)", guard.RANDOM, "posix.urandom()"),
        ("import uuid; uuid.uuid4()", guard.RANDOM, "uuid.uuid4()"),
        ("import numpy; numpy.random.rand()", guard.RANDOM, "numpy.random.rand()"),
        ("import numpy; numpy.random.default_rng()", guard.RANDOM, "urandom()"),
        ("open('/etc/hostname')", guard.FILE, "open('/etc/hostname')"),
        ("from pathlib import Path; Path('x').write_text('')", guard.FILE, "open('x')"),
        ("import polars; polars.read_csv('x')", guard.FILE, "polars.read_csv()"),
        ("import os; os.listdir('.')", guard.FILE, "os.listdir()"),
        ("import socket; socket.socket()", guard.NETWORK, "socket.__new__()"),
        ("import subprocess; subprocess.run(['true'])", guard.PROCESS, "subprocess.run()"),
        ("import threading; threading.Thread(target=len).start()", guard.PROCESS, "_thread.start"),
        ("import gc; gc.get_objects()", guard.MEMORY, "gc.get_objects()"),
    ],
)
def test_forbidden_calls_are_refused_by_name(code: str, kind: str, call: str) -> None:
    """Whatever name they were imported by; a strategy that swallows the error is found as well."""
    with guard.guarding() as watching:
        with pytest.raises(guard.Forbidden, match=r"at mine\.py:1 <module> uses "):
            watching.over(Doing(code)).on_bar({}, bar(START))
        watching.over(Doing(f"try:\n    {code}\nexcept Exception:\n    pass")).on_bar({}, bar(START))
    assert {(one.kind, call in one.call) for one in watching.refused} == {(kind, True)}
    assert sum(watching.refused.values()) == 2


@pytest.mark.parametrize(
    "code",
    [
        "import random; assert random.Random(7).random() > 0.3",
        "import numpy; numpy.random.default_rng(7).random()",
        "import time; time.strftime('%Y', time.gmtime(0))",
        "from datetime import UTC, datetime; datetime.fromtimestamp(0, UTC) - datetime(2014, 1, 1, tzinfo=UTC)",
        "import sys; sys.modules.pop('colorsys', None); import colorsys",
        "import polars; polars.Series([1, 2]).mean()",
    ],
)
def test_what_depends_on_nothing_else_is_allowed(code: str) -> None:
    """Seeded generators, times that are given, and imports."""
    with guard.guarding() as watching:
        assert watching.over(Doing(code)).on_bar({}, bar(START)) is not None
    assert not watching.refused


def test_nothing_is_refused_outside_of_a_strategy() -> None:
    """The guard is on while a strategy runs, and gone afterwards."""
    with guard.guarding() as watching:
        watching.over(Zigzag()).on_bar({}, bar(START))
        time.localtime()
        Path(__file__).stat()
        with Path(__file__).open() as file:
            file.readline()
    assert not watching.refused
    assert time.strftime is not None
    assert sys.getprofile() is None


def test_a_clock_is_found_by_the_check(tmp_path: Path) -> None:
    """The guard raises, so the strategy is quarantined in that run; the others are made without the guard."""
    found = checked(Doing("from time import time; time()"), tmp_path, times=1)
    assert [one.name for one in found.probes if one.failed] == [FORBIDDEN]
    assert found.first.startswith(f"{FORBIDDEN}: time.time() at mine.py:1")


def test_the_future_is_other_and_the_past_is_not() -> None:
    """Times and order stay; what is later goes the other way; the end is an end."""
    ticks = waves(40)
    at = START + 5 * SECOND
    for kind, factor, jump in (("reversed", -8, 0), ("raised", 1, 0.05), ("lowered", 1, -0.05)):
        other = other_after(ticks, at, kind)  # type: ignore[arg-type]
        assert other.drop("bid", "ask").equals(ticks.drop("bid", "ask"))
        assert other[:21].equals(ticks[:21])
        mid = [(row["bid"] + row["ask"]) / 2 for row in ticks.iter_rows(named=True)]
        moved = [(row["bid"] + row["ask"]) / 2 for row in other.iter_rows(named=True)]
        assert math.log(moved[30] / mid[20]) == pytest.approx(factor * math.log(mid[30] / mid[20]) + jump, abs=1e-6)
    assert other_after(ticks, at, "ended").equals(ticks[:21])


def test_a_check_without_decisions_or_with_bad_input_says_so(tmp_path: Path) -> None:
    """Nothing to compare is not a pass."""
    plan = Planned().on(waves(4))
    assert "decided nothing" in check(plan, Made.of(Zigzag()), tmp_path, times=1, elsewhere=False).first
    with pytest.raises(BacktestError, match="at 0 times: give 1 to 10,000"):
        checked(Zigzag(), tmp_path, times=0)
    with pytest.raises(BacktestError, match="there is no quote"):
        check(Planned().on(waves(4).clear()), Made.of(Zigzag()), tmp_path)


HASHING = """
from tradewind import Strategy, View

NAMES = {f"name {number}" for number in range(20_000)}


class Hashing(Strategy):
    name, interval_s = "hashing", 60

    def on_bar(self, memory, bar):
        return View("LONG", 0.1, next(iter(NAMES)))
"""


def test_the_command_finds_what_depends_on_the_order_of_a_set(tmp_path: Path) -> None:
    """In another process, with another hash seed; exits 1, and the JSON names the event."""
    file = tmp_path / "hashing.py"
    file.write_text(HASHING)
    given = ["check", str(file), "--source", str(XAUUSD.path), "--to", "2014-05-01T00:10", "--times", "2", "--json"]
    done = CliRunner().invoke(backtest, [*given, "--quiet"], env={"TRADEWIND_DATA": str(tmp_path)})
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["probes"] if one["failed"]] == [HASH]
    found = next(one for one in told["probes"] if one["name"] == HASH)
    assert found["event"]["kind"] == "Signal"
    assert "reason name" in found["event"]["text"]
    assert told["first"].startswith(HASH)
