"""Sweeps and walk-forwards: each set is what a run of its own is; sets that fail do not stop the others."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from backtesting import Planned, Quotes, frame_of, run_in
from click.testing import CliRunner
from days.recorded import XAUUSD
from processing import SECOND, START, tick

from tradewind import Bar, Strategy, View
from tradewind.connectors.feeds import Block, Bounds, SourcePosition
from tradewind.infra.cli.backtests.backtest import backtest
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BacktestError
from tradewind.streams.backtest.run import Plan, run
from tradewind.streams.backtest.sweeps.grid import grid
from tradewind.streams.backtest.sweeps.sweep import Sweep, sweep
from tradewind.streams.backtest.sweeps.walking import walk
from tradewind.streams.backtest.sweeps.windows import span_us, windows

MINUTE = 60 * SECOND


class Following(Strategy):
    """Follows the price over some bars; refuses no bars, and fails on a price above a limit."""

    name: ClassVar[str] = "following"
    interval_s: ClassVar[int] = 1

    def __init__(self, bars: int = 2, most: float = 9.0) -> None:
        if bars < 1:
            raise ValueError("bars must be 1 or more")
        self.bars, self.most = bars, most

    def on_bar(self, memory: dict[str, Any], bar: Bar) -> View | None:
        """Return where the price went over the last bars."""
        closes = memory.setdefault("closes", [])
        closes.append(bar.mid_close)
        del closes[: -self.bars - 1]
        if bar.mid_close > self.most:
            raise ValueError(f"{bar.mid_close} is too much")
        return View("LONG" if closes[-1] > closes[0] else "SHORT", 1.0, "it went there") if len(closes) > 2 else None


def waves(count: int, begin: int = START) -> pl.DataFrame:
    """Return quotes, one each half second, of a price that goes up and down."""
    moves = [math.sin(n / 9) + math.sin(n / 31) for n in range(count)]
    return frame_of(tick(begin + n * SECOND // 2, round(1.1 + m / 1_000, 5), seq=n) for n, m in enumerate(moves))


class ReadOnce:
    """A feed that can be read once."""

    def __init__(self, *frames: pl.DataFrame) -> None:
        self.quotes, self.reads = Quotes(frames), 0
        self.name, self.source, self.live = self.quotes.name, self.quotes.source, False

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the frames."""
        self.reads += 1
        assert self.reads == 1
        return self.quotes.read(position, bounds)


def planned(*frames: pl.DataFrame, **changes: Any) -> Plan:
    """Return a plan on a feed that can be read once."""
    plan = Planned(strategy=Following()).on(**changes)
    return Plan(**{**{name: getattr(plan, name) for name in Plan.__slots__}, "feeds": [ReadOnce(*frames)]})


def swept(sets: list[Any], folder: Path, plan: Plan | None = None, **changes: Any) -> Sweep:
    """Sweep over waves, in two blocks."""
    ticks = waves(600)
    return sweep(plan or planned(ticks[:250], ticks[250:]), Made.of(Following()), sets, folder, **changes)


@pytest.mark.parametrize(
    ("given", "sets"),
    [
        ({"fast": "5:7", "slow": "20,30"}, [(f, s) for f in ("5", "6", "7") for s in ("20", "30")]),
        ({"a": "1:10:4"}, [("1",), ("5",), ("9",)]),
        ({"a": "0.1:0.3:0.1"}, [("0.1",), ("0.2",), ("0.3",)]),
        ({"a": "1,4:5,x,1"}, [("1",), ("4",), ("5",), ("x",)]),
        ({}, [()]),
    ],
)
def test_a_grid_has_every_combination(given: dict[str, str], sets: list[tuple[str, ...]]) -> None:
    """Ranges with both ends, lists, and both; a value counts once."""
    assert [tuple(one.values()) for one in grid(given)] == sets


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": "5:1"}, "--param a=5:1 is no range from a number up to another one: write fast=5:15"),
        ({"a": "1:5:0"}, "is no range"),
        ({"a": "1:2:3:4"}, "is no range"),
        ({"a": "x:y"}, "--param a=x:y is no range"),
        ({"a": "1:1e9"}, "has 1,000,000,000 values; the limit is 10,000"),
        ({"a": "1:200", "b": "1:200"}, "have 40,000 combinations; the limit is 10,000"),
    ],
)
def test_a_grid_that_is_none_is_refused(given: dict[str, str], message: str) -> None:
    """In words."""
    with pytest.raises(BacktestError, match=message):
        grid(given)


def test_each_set_is_what_a_run_of_its_own_is(tmp_path: Path) -> None:
    """The quotes are read once; equity, counts and metrics are equal; what is refused, or fails, is reported."""
    sets = [{"bars": "2"}, {"bars": "0"}, {"bars": "5"}, {"bars": "2", "most": "1.1018"}]
    rich = {"capital": 10**9}  # what the tenant risks would ruin a smaller account
    found = swept(sets, tmp_path, planned(waves(600)[:250], waves(600)[250:], **rich))
    done = found.summary["outcomes"]
    assert "bars must be 1 or more" in done[1]["failed"]
    assert "is too much" in done[3]["failed"]
    for number in (0, 2):
        strategy = Following(int(sets[number]["bars"]))
        alone = run(Planned(strategy=strategy).on(waves(600), **rich), tmp_path / str(number)).summary
        assert alone["metrics"] == done[number]["metrics"]
        assert alone["equity"] == done[number]["equity"]
        assert {name: alone["counts"][name] for name in done[number]["counts"]} == done[number]["counts"]
    assert done[0]["counts"]["trades"] > 10
    ranking = found.summary["ranking"]
    best = max((0, 2), key=lambda number: done[number]["metrics"]["total_return"])
    assert (ranking["order"][0], ranking["by"]) == (best, "total_return")
    assert "no set has a value of sharpe" in ranking["note"]
    assert ranking["deflated_sharpe"] == {"why": "1 session days; the ratio needs 30"}
    ruined = swept(sets[:1], tmp_path).summary["ranking"]
    assert ruined["deflated_sharpe"] == {"why": "the equity of the best set was 0 or below, so it has no returns"}
    assert not list((tmp_path / "backtests").glob(".*"))


def test_the_same_sweep_gives_the_same_bytes_and_a_report_of_its_figures(tmp_path: Path) -> None:
    """The heat map has the values of the outcomes, and asks no network."""
    sets = grid({"bars": "1:3", "most": "5,9"})
    one, other = swept(sets, tmp_path / "a"), swept(sets, tmp_path / "b")
    assert one.report.read_bytes() == other.report.read_bytes()
    text = one.report.read_text()
    figures = json.loads(text.split('id="figures">')[1].split("</script>")[0])
    assert (figures["axes"], figures["values"]) == (["bars", "most"], [["1", "2", "3"], ["5", "9"]])
    wanted = [one["metrics"]["total_return"] for one in one.summary["outcomes"]]
    assert [cell for row in zip(*figures["cells"], strict=True) for cell in row] == wanted


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    """The result says that it was interrupted, and ranks the sets that were run."""

    def stop(done: int, of: int, failed: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    found = swept(grid({"bars": "1:5"}), tmp_path, progress=stop)
    assert found.interrupted
    assert [one["set"] for one in found.summary["outcomes"]] == [0, 1]
    assert sorted(found.summary["ranking"]["order"]) == [0, 1]
    assert "Interrupted" in found.report.read_text()


def test_bad_input_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(BacktestError, match="sets are not ranked by 'luck'; they are by: sharpe"):
        swept([{}], tmp_path, by="luck")
    with pytest.raises(BacktestError, match="0 processes: give 1 to 256"):
        swept([{}, {"bars": "3"}], tmp_path, processes=0)
    with pytest.raises(BacktestError, match="there is no quote in the range"):
        swept([{}], tmp_path, planned(waves(600), start="2020-01-01"))
    assert not list((tmp_path / "backtests").iterdir())


def test_the_command_runs_sets_in_other_processes(tmp_path: Path) -> None:
    """A refused pair is reported, the others are ranked, and each is what the command for one gives."""
    given = ["sweep", "ema_crossover_1s", "--source", str(XAUUSD.path), "--to", "2014-05-01T00:10", "--tenant", "alpha"]
    sets = ["--param", "fast=3,9", "--param", "slow=8,12", "--processes", "2", "--json", "--quiet"]
    done = CliRunner().invoke(backtest, [*given, *sets], env={"TRADEWIND_DATA": str(tmp_path)})
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    failed = {one["set"]: one["failed"] for one in told["outcomes"] if "failed" in one}
    assert list(failed) == [2]
    assert "spans of 9 and 8 bars" in failed[2]
    alone = run_in(tmp_path, "ema_crossover_1s", XAUUSD.path, stop="2014-05-01T00:10", tenant="alpha")
    assert told["outcomes"][0]["metrics"] == alone.summary["metrics"]
    assert Path(told["folder"], "report.html").is_file()


def test_windows_follow_one_another() -> None:
    """Each test window begins where the last one ended; the last may be shorter; spans have units."""
    found = windows(0, 100, 50, 20)
    assert [(one.train_start, one.test_start, one.test_stop) for one in found] == [
        (0, 50, 70),
        (20, 70, 90),
        (40, 90, 100),
    ]
    assert [span_us(text, "--train") for text in ("5d", "12h", "30m")] == [
        432_000 * SECOND,
        43_200 * SECOND,
        30 * MINUTE,
    ]
    for text in ("5", "0d", "1.5h", "x"):
        with pytest.raises(BacktestError, match="write 5d, 12h or 30m"):
            span_us(text, "--train")
    with pytest.raises(BacktestError, match="the first training window ends after them"):
        windows(0, 50, 50, 20)
    with pytest.raises(BacktestError, match="1,001 test windows; the limit is 1,000"):
        windows(0, 1_051, 50, 1)


def test_a_walk_forward_trades_what_training_chose(tmp_path: Path) -> None:
    """The joined account is the sum of its windows: each begins with what the last one left."""
    sets = grid({"bars": "2,4"})
    plan = planned(waves(900)[:400], waves(900)[400:])
    found = walk(plan, Made.of(Following()), sets, tmp_path, 4 * MINUTE, 2 * MINUTE)
    of = found.summary
    assert len(of["windows"]) == 2
    equity = 100_000.0
    for window in of["windows"]:
        within = _between(window["train_start"], window["test_start"])
        trained = sweep(within, Made.of(Following()), sets, tmp_path).summary
        best = trained["outcomes"][trained["ranking"]["order"][0]]
        assert window["parameters"] == best["parameters"]
        assert window["in_training"] == best["metrics"]["total_return"]
        equity *= 1 + window["return"]
        assert float(window["equity"]) == pytest.approx(equity)
    assert float(of["equity"]) == pytest.approx(equity)
    assert of["metrics"]["total_return"] == pytest.approx(equity / 100_000 - 1)
    assert of["metrics"]["trades"] == sum(window["trades"] for window in of["windows"]) > 3
    assert of["metrics"]["max_drawdown_intraday"] < 0
    assert "Equity out of sample" in found.report.read_text()


def _between(start: int, stop: int) -> Plan:
    return planned(waves(900), start=start, stop=stop)
