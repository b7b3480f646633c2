"""Luck: trades and days drawn again, in the report and by the command; models are sources of backtests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from backtesting import run_in
from click.testing import CliRunner
from days.recorded import XAUUSD

from tradewind.backtest import BacktestError
from tradewind.infra.cli.backtests.backtest import backtest
from tradewind.streams.backtest.luck import luck

HOURS: dict[str, Any] = {"start": "2026-01-05", "stop": "2026-01-05T02:00", "symbols": ["EURUSD"], "rate": 3.0}


def test_the_report_and_the_command_have_the_same_bands(tmp_path: Path) -> None:
    """Of a result with trades of one day: the trades are drawn again, and the day says why it is not."""
    result = run_in(tmp_path, "ema_crossover_1s", XAUUSD.path, stop="2014-05-01T01:00", tenant="alpha")
    done = CliRunner().invoke(
        backtest, ["simulate", result.folder.name[:8], "--json"], env={"TRADEWIND_DATA": str(tmp_path)}
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    drawn = re.search(r'id="figures">(.*?)</script>', result.report.read_text(), re.DOTALL)
    assert drawn is not None
    assert json.loads(drawn[1])["luck"] == {name: told[name] for name in ("trades", "days", "moves")}
    assert told["trades"]["count"] == result.trades.height >= 10
    assert told["trades"]["total_return"]["observed"] == pytest.approx(float(result.trades["profit"].sum()) / 100_000)
    assert told["days"] == {"why": "1 days; drawing them again needs 10"}
    assert told["moves"][0]["at_largest"] == pytest.approx(float(result.equity["exposure"].max()) * 0.01 / 100_000)
    text = CliRunner().invoke(
        backtest, ["simulate", result.folder.name, "--draws", "50"], env={"TRADEWIND_DATA": str(tmp_path)}
    )
    assert "trades, 50 draws in blocks of" in text.output
    with pytest.raises(BacktestError, match="0 draws, seed 1, blocks of 0: give 1 to 100,000 draws"):
        luck(result.summary, result.trades, result.equity, result.daily, draws=0)


@pytest.mark.parametrize("model", ["gbm", "merton", "garch"])
def test_a_strategy_runs_on_a_model(tmp_path: Path, model: str) -> None:
    """The model and the seed are part of what the result was made of."""
    result = run_in(tmp_path, "ema_crossover", Path("simulator"), model=model, **HOURS)
    assert result.summary["counts"]["signals"] > 0
    assert f"simulator {model} seed 1" in result.summary["data"]["sources"][0]


def test_models_are_the_simulators(tmp_path: Path) -> None:
    """Other sources have prices of their own."""
    with pytest.raises(BacktestError, match="the simulator has no model 'heston'; it has: gbm, merton, garch"):
        run_in(tmp_path, "ema_crossover", Path("simulator"), model="heston", **HOURS)
    with pytest.raises(BacktestError, match="--model is the simulator's"):
        run_in(tmp_path, "ema_crossover", XAUUSD.path, model="gbm")
