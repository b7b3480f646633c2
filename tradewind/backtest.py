"""Backtests in Python: the same run, and the same result, as `./dev backtest`.

    from tradewind.backtest import load, run

    result = run("ema_crossover", ["quotes.zip"], parameters={"fast": 3, "slow": 12})
    print(result.summary["counts"])
    print(result.trades)

See docs/backtesting.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.checking.probes import TIMES, Checked
from tradewind.streams.backtest.checking.probes import check as _check
from tradewind.streams.backtest.errors import BacktestError
from tradewind.streams.backtest.planning import RATE, planned
from tradewind.streams.backtest.run import CAPITAL, Plan, Result
from tradewind.streams.backtest.run import load as _load
from tradewind.streams.backtest.run import run as _run
from tradewind.streams.backtest.stored import opened
from tradewind.streams.backtest.strategies import Value
from tradewind.streams.backtest.sweeps.grid import Parameters
from tradewind.streams.backtest.sweeps.grid import grid as sets_of
from tradewind.streams.backtest.sweeps.ranking import BY
from tradewind.streams.backtest.sweeps.sweep import Sweep, first_sound
from tradewind.streams.backtest.sweeps.sweep import sweep as _sweep
from tradewind.streams.backtest.sweeps.walking import Walk
from tradewind.streams.backtest.sweeps.walking import walk as _walk
from tradewind.streams.backtest.sweeps.windows import span_us

__all__ = [
    "BacktestError",
    "Checked",
    "Plan",
    "Result",
    "Sweep",
    "Walk",
    "check",
    "load",
    "run",
    "sweep",
    "walk_forward",
]


def run(
    strategy: str | Strategy,
    sources: Sequence[str],
    *,
    parameters: Mapping[str, str | Value] | None = None,
    symbols: Iterable[str] = (),
    start: str | int | None = None,
    stop: str | int | None = None,
    tenant: str | None = None,
    capital: str | Decimal | int = CAPITAL,
    latency_ms: int | None = None,
    slippage_ticks: int | None = None,
    fee_bps: str | Decimal | int | None = None,
    warmup: int = 0,
    seed: int = 1,
    rate: float = RATE,
    model: str | None = None,
    settings: Settings | None = None,
    data: Path | None = None,
) -> Result:
    """Run a backtest, and write its result into `<data>/backtests/<id>/`; `data` is the settings' folder unless given.

    `strategy` is an installed name, `FILE.py`, `FILE.py:CLASS`, `MODULE:CLASS`, or a strategy that was built already.
    Then `parameters` only say how. `sources` are files of quotes, names of feeds, `kafka`, `questdb`, `archive`, or
    `simulator`, whose `seed`, `rate` (quotes a second) and `model` (`gbm`, `merton`, `garch`) are given. `start` and
    `stop` are ISO 8601, in UTC unless they name a zone, or µs.
    `slippage_ticks` and `fee_bps` (hundredths of a percent of a fill's worth) are the venue's. The strategy sees
    `warmup` bars of each instrument before `start`, and nothing is ordered on them.

    If the strategy fails, the result says so in `failed`. Raises `BacktestError` and `FeedError`, and writes nothing,
    for input that cannot be run.
    """
    known = settings or Settings()
    plan = planned(
        strategy,
        sources,
        parameters=parameters,
        symbols=symbols,
        start=start,
        stop=stop,
        tenant=tenant,
        capital=capital,
        latency_ms=latency_ms,
        slippage_ticks=slippage_ticks,
        fee_bps=fee_bps,
        warmup=warmup,
        seed=seed,
        rate=rate,
        model=model,
        settings=known,
    )
    folder = data or known.data
    with opened(plan, folder) as whole:
        return _run(whole, folder)


def check(
    strategy: str | Strategy,
    sources: Sequence[str],
    *,
    parameters: Mapping[str, str | Value] | None = None,
    times: int = TIMES,
    warmup: int = 0,
    seed: int = 1,
    settings: Settings | None = None,
    data: Path | None = None,
    **asked: Any,
) -> Checked:
    """Check that a strategy knows its bars and its memory only, and not the future, as `./dev backtest check` does.

    The future is replaced at `times` times. After `warmup` bars, signals must not depend on where the data begin; 0
    leaves that out. `asked` is what `run` takes besides. A process is started, so call this where `__name__` is
    `"__main__"`. Raises `BacktestError` and `FeedError`.
    """
    known = settings or Settings()
    plan = planned(strategy, sources, parameters=parameters, seed=seed, settings=known, **asked)
    folder, made = data or known.data, Made.of(strategy, parameters)
    with opened(plan, folder) as whole:
        return _check(whole, made, folder, times=times, warmup=warmup, seed=seed)


def sweep(
    strategy: str | Strategy,
    sources: Sequence[str],
    grid: Mapping[str, str],
    *,
    by: str = BY,
    processes: int = 1,
    settings: Settings | None = None,
    data: Path | None = None,
    **asked: Any,
) -> Sweep:
    """Run a strategy with each combination of parameters, as `./dev backtest sweep` does.

    `grid` has the values of each parameter, such as `{"fast": "5:15", "slow": "20,30"}`. `asked` is what `run` takes
    besides. With several processes, call this where `__name__` is `"__main__"`. Raises `BacktestError` and `FeedError`.
    """
    known, sets, made = settings or Settings(), sets_of(grid), Made.of(strategy)
    folder = data or known.data
    with opened(_plan_of_sets(made, sets, sources, known, asked), folder) as whole:
        return _sweep(whole, made, sets, folder, by=by, processes=processes)


def walk_forward(
    strategy: str | Strategy,
    sources: Sequence[str],
    grid: Mapping[str, str],
    *,
    train: str,
    test: str,
    by: str = BY,
    processes: int = 1,
    settings: Settings | None = None,
    data: Path | None = None,
    **asked: Any,
) -> Walk:
    """Trade each test window with the best set of the training window before it, as `./dev backtest walk-forward` does.

    `train` and `test` are spans such as `5d` or `12h`; the rest is as in `sweep`.
    """
    known, sets, made = settings or Settings(), sets_of(grid), Made.of(strategy)
    spans = span_us(train, "train"), span_us(test, "test")
    folder = data or known.data
    with opened(_plan_of_sets(made, sets, sources, known, asked), folder) as whole:
        return _walk(whole, made, sets, folder, *spans, by=by, processes=processes)


def _plan_of_sets(
    made: Made, sets: Sequence[Parameters], sources: Sequence[str], settings: Settings, asked: Mapping[str, Any]
) -> Plan:
    parameters = first_sound(made, sets)
    return planned(made.with_parameters(parameters)(), sources, parameters=parameters, settings=settings, **asked)


def load(wanted: str, data: Path | None = None) -> Result:
    """Return an earlier result by its id, or by the beginning of its id. Raises `BacktestError`."""
    return _load(data or Settings().data, wanted)
