"""The bench of backtests: engines that did other work are no comparison, and ours does what the peers do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from backtesting import frame_of
from processing import tick

from tradewind.infra.bench.backtest import EnginesDisagree, agree
from tradewind.infra.bench.parts.backtests import ours

SECOND = 1_000_000
START = 1_398_902_400 * SECOND


def test_engines_with_other_fills_did_other_work() -> None:
    """A few at the first and the last bar may differ."""
    agree("1s", {"backtest": 922, "nautilus": 922, "hftbacktest": 908})
    with pytest.raises(EnginesDisagree, match=r"on bars of 1s the engines had \{'backtest': 922, 'nautilus': 2670\}"):
        agree("1s", {"backtest": 922, "nautilus": 2_670})
    with pytest.raises(EnginesDisagree):
        agree("1m", {"backtest": 0, "nautilus": 57})


def test_ours_trades_each_day_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten days are as many times the quotes of a day, and about as many times its fills."""
    path = tmp_path / "quotes.parquet"
    levels = [1_300.0 + (n // 40 % 2) * (n % 40) / 4 for n in range(2_000)]
    ticks = [
        tick(START + n * SECOND, at, at + 0.3, symbol="XAUUSD", venue="OANDA", seq=n) for n, at in enumerate(levels)
    ]
    frame_of(ticks).write_parquet(path)
    fills = []
    for days in ("1", "3"):
        monkeypatch.setattr(sys, "argv", ["ours", str(path), "1", "2", days])
        ours.main()
        told = json.loads(capsys.readouterr().out)
        assert len(told["cpu_s"]) == 2
        fills.append(told["fills"])
    assert fills[0] > 20
    assert abs(fills[1] - 3 * fills[0]) <= 6
