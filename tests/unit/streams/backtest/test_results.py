"""Results: the same again gives the same bytes, nothing is half-written, and bad input is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from backtesting import frame_of, run_in
from days.recorded import EURUSD, XAUUSD
from hypothesis import given
from hypothesis import strategies as st
from processing import SECOND, tick

from tradewind.backtest import BacktestError, load
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.tables import Table
from tradewind.streams.backtest.ticks import merged

SHORT: dict[str, Any] = {"start": "2014-05-01", "stop": "2014-05-01T00:20", "tenant": "alpha"}
RISING = """
from tradewind import Strategy, View


class Rising(Strategy):
    name, interval_s = "rising", 1

    def __init__(self, bars: int = 3, loud: bool = False) -> None:
        if bars < 1:
            raise ValueError("bars must be 1 or more")
        self.bars = bars

    def on_bar(self, memory, bar):
        memory["bars"] = memory.get("bars", 0) + 1
        if memory["bars"] == 40:
            {}["fails at the fortieth bar"]
        return View("LONG", 0.1, "up") if memory["bars"] % self.bars == 0 else None
"""


def bytes_of(path: Path) -> dict[str, bytes]:
    """Return the files of a result."""
    return {one.name: one.read_bytes() for one in path.iterdir()}


def test_the_same_backtest_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another folder, and in the same one, where it is known again; another parameter is another result."""
    first = run_in(tmp_path / "a", "ema_crossover_1s", XAUUSD.path, **SHORT)
    again = run_in(tmp_path / "a", "ema_crossover_1s", XAUUSD.path, **SHORT)
    other = run_in(tmp_path / "b", "ema_crossover_1s", XAUUSD.path, **SHORT)
    assert (first.known, again.known, other.known) == (False, True, False)
    assert bytes_of(first.folder) == bytes_of(other.folder)
    assert {path.name for path in (tmp_path / "a" / "backtests").iterdir()} == {first.folder.name}
    assert load(first.folder.name[:6], tmp_path / "a").summary == first.summary
    assert first.orders["status"].to_list().count("FILLED") == first.summary["counts"]["fills"] > 5
    assert first.trades.height == first.summary["counts"]["trades"] > 2
    assert str(first.equity["equity"][-1]) == first.summary["equity"]
    changes: list[dict[str, Any]] = [
        {"parameters": {"slow": "9"}},
        {"fee_bps": 1},
        {"slippage_ticks": 1},
        {"warmup": 1},
    ]
    others = [run_in(tmp_path / "a", "ema_crossover_1s", XAUUSD.path, **SHORT, **change) for change in changes]
    assert len({one.folder for one in (first, *others)}) == 5


def test_a_result_that_was_changed_is_found(tmp_path: Path) -> None:
    """The earlier result stays as it is."""
    first = run_in(tmp_path, "ema_crossover", XAUUSD.path, **SHORT)
    (first.folder / "equity.parquet").write_bytes(b"other")
    with pytest.raises(folder.NotTheSame, match=r"equity\.parquet has other bytes than this run"):
        run_in(tmp_path, "ema_crossover", XAUUSD.path, **SHORT)
    assert (first.folder / "equity.parquet").read_bytes() == b"other"


def test_a_strategy_of_a_file_that_raises_has_a_result_that_says_where(tmp_path: Path) -> None:
    """With what was decided before; and the id does not depend on where the file lies."""
    file = tmp_path / "rising.py"
    file.write_text(RISING)
    result = run_in(tmp_path, str(file), XAUUSD.path, parameters={"bars": "2"}, **SHORT)
    assert "KeyError: 'fails at the fortieth bar' at calling.py" in (result.failed or "")
    assert "rising.py" in (result.failed or "")
    assert result.summary["strategy"]["parameters"] == {"bars": 2, "loud": False}
    assert result.summary["counts"]["signals"] == 19
    moved = tmp_path / "elsewhere" / "rising.py"
    moved.parent.mkdir()
    moved.write_text(RISING)
    assert run_in(tmp_path, str(moved), XAUUSD.path, parameters={"bars": 2}, **SHORT).known


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "ema_cross"}, r"there is no strategy 'ema_cross' \(did you mean ema_crossover\?\)"),
        ({"strategy": "nowhere.py"}, "nowhere.py: there is no such file"),
        ({"parameters": {"quick": "1"}}, "has no parameter 'quick'; it has: fast, slow, band"),
        ({"parameters": {"fast": "2.5"}}, "the parameter fast is '2.5'; it takes a whole number"),
        ({"parameters": {"fast": "9"}}, "refuses its parameters: ValueError: spans of 9 and 8 bars"),
        ({"tenant": "gamma"}, "there is no tenant 'gamma'; the tenants of the settings are: alpha, beta"),
        ({"symbols": ["EURSD"]}, "unknown symbol EURSD; known are AUDUSD"),
        ({"symbols": ["EURUSD"]}, "there is no quote of EURUSD in the range: oanda-xauusd"),
        ({"start": "2015-01-01", "stop": None}, "there is no quote in the range: oanda-xauusd.* has 6,000 quotes from"),
        ({"start": "yesterday"}, "--from is 'yesterday', no time: write 2014-05-01"),
        ({"start": "2014-05-02", "stop": "2014-05-01"}, "the range ends at 2014-05-01"),
        ({"capital": "-1"}, "the capital is -1: give an amount above 0"),
        ({"capital": "NaN"}, "the capital is NaN: give an amount above 0"),
        ({"latency_ms": 0}, "a latency of 0 ms: give 1 or more"),
        ({"slippage_ticks": -1}, "slippage of -1 ticks: use 0 to 1,000,000"),
        ({"fee_bps": "-1"}, "a fee of -1 bps: use 0 to 1,000"),
        ({"fee_bps": "free"}, "the fee is 'free': give a number, such as 2.5"),
        ({"warmup": -1}, "a warm-up of -1 bars: give 0 to 100,000"),
        ({"warmup": 5, "start": None}, "--warmup needs --from"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Each refusal says what, and what to do."""
    given_ = {**SHORT, "strategy": "ema_crossover", **changes}
    with pytest.raises(BacktestError, match=message):
        run_in(tmp_path, given_.pop("strategy"), XAUUSD.path, **given_)
    assert not list((tmp_path / "backtests").glob("*"))


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a run that fails while it writes is removed, and so are those of killed runs."""
    killed = tmp_path / "backtests" / f"{folder.DRAFT}999999999"
    killed.mkdir(parents=True)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(OSError, match="No space"):
        run_in(tmp_path, "ema_crossover", XAUUSD.path, **SHORT)
    assert not list((tmp_path / "backtests").iterdir())


def test_rows_beyond_one_part_are_one_file(tmp_path: Path) -> None:
    """The same rows, in order, and the parts are gone."""
    rows = [(number, f"row {number}") for number in range(100)]
    table = Table(tmp_path / "rows.parquet", {"number": pl.Int64, "text": pl.String}, part_rows=7)
    for row in rows:
        table.add(row)
    assert len([*tmp_path.glob("*.part")]) == 14
    table.close()
    assert pl.read_parquet(table.path).rows() == rows
    assert [*tmp_path.iterdir()] == [table.path]


def test_prices_in_several_currencies_have_no_sum(tmp_path: Path) -> None:
    """Profits are not converted."""
    with pytest.raises(BacktestError, match=r"several currencies \(EURUSD in USD, BTCUSDT in USDT\)"):
        run_in(
            tmp_path,
            "ema_crossover",
            Path("simulator"),
            start="2026-01-05",
            stop="2026-01-05T00:10",
            symbols=["EURUSD", "BTCUSDT"],
        )


def test_files_of_several_instruments_are_one_stream(tmp_path: Path) -> None:
    """Each quote once, and each source is accounted for."""
    result = run_in(tmp_path, "ema_crossover", XAUUSD.path, EURUSD.path, tenant="beta")
    assert result.summary["counts"]["ticks"] == XAUUSD.ticks + EURUSD.ticks
    assert [source["ticks"] for source in result.summary["sources"]] == [XAUUSD.ticks, EURUSD.ticks]
    assert json.loads((result.folder / "result.json").read_text())["id"] == result.folder.name


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), max_size=12), min_size=1, max_size=3))
def test_merged_streams_keep_each_order_and_follow_time(streams: list[list[tuple[int, int]]]) -> None:
    """Nothing is lost, however the streams come in blocks and however their times go back."""
    blocks = []
    for number, stream in enumerate(streams):
        frames, at = [], 0
        for start, size in stream:
            ticks = [tick(SECOND * (start + (at + n) % 7), venue=str(number), seq=at + n) for n in range(size)]
            at += size
            frames.append(frame_of(ticks))
        blocks.append(frames)
    found = list(merged([iter(frames) for frames in blocks]))
    rows = [(row["venue"], row["seq"], row["ts_event"]) for frame in found for row in frame.iter_rows(named=True)]
    reached: dict[str, int] = {}
    last = 0
    for venue, _, ts in rows:
        reached[venue] = max(ts, reached.get(venue, 0))
        assert reached[venue] >= last
        last = reached[venue]
    for number, frames in enumerate(blocks):
        assert [seq for venue, seq, _ in rows if venue == str(number)] == list(range(sum(f.height for f in frames)))


def test_a_silent_beginning_and_end_are_gaps(tmp_path: Path) -> None:
    """The range says how long quotes were missing; without a range, nobody knows."""
    start, stop = "2014-04-30T23:00", "2014-05-01T20:00"
    gaps = run_in(tmp_path, "ema_crossover", XAUUSD.path, start=start, stop=stop, tenant="alpha").summary["gaps"]
    assert [gap["instrument"] for gap in gaps["longest"]] == ["XAUUSD.OANDA"] * gaps["count"]
    assert gaps["longest"][0]["to"] - gaps["longest"][0]["from"] >= 3_600 * SECOND
    assert gaps["longest"][-1]["to"] == 1_398_974_400 * SECOND
    assert run_in(tmp_path, "ema_crossover", XAUUSD.path, tenant="alpha").summary["gaps"]["count"] == gaps["count"] - 2


def test_a_source_of_a_stack_stands_alone(tmp_path: Path) -> None:
    """The same quotes from two sources would count twice; and some source is needed."""
    with pytest.raises(BacktestError, match="--source kafka stands alone"):
        run_in(tmp_path, "ema_crossover", XAUUSD.path, Path("kafka"))
    with pytest.raises(BacktestError, match="no source is given"):
        run_in(tmp_path, "ema_crossover")
