"""The metrics of an account by name; a metric that would mean nothing is null, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tradewind.processors.performance import ratios
from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.trades import Traded

FEWEST_DAYS: Final = 30
"""Of a ratio of a year: from so few, the standard error of a Sharpe ratio is still sqrt(252 / 30), about 3.
Source: Andrew W. Lo, The Statistics of Sharpe Ratios, Financial Analysts Journal 58 (2002)."""
OF_A_YEAR: Final = ("annual_return", "volatility", "sharpe", "sortino", "calmar", "annual_turnover")


@dataclass(slots=True)
class Metrics:
    """Names and values; `why` has the reason for each that is null."""

    values: dict[str, float | int | None] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: float | None, otherwise: str) -> None:
        """Set a metric, or the reason why it has no value."""
        self.values[name] = value
        if value is None:
            self.why[name] = otherwise


def metrics(curve: Curve, traded: Traded) -> Metrics:
    """Return the metrics of an account."""
    found = Metrics()
    daily = [equity for _, equity in curve.daily()]
    equity = [float(curve.capital), *daily]
    found.values["days"] = len(daily)
    found.values["total_return"] = equity[-1] / equity[0] - 1
    _of_a_year(found, curve, traded, equity)
    down = ratios.drawdown(equity)
    found.values["max_drawdown"] = down.depth
    found.values["max_drawdown_days"] = down.length
    found.values["max_drawdown_intraday"] = curve.depth
    passed = 0 if curve.first is None else curve.last - curve.first
    found.put("time_in_market", curve.invested_us / passed if passed else None, "no time has passed")
    found.put("average_exposure", curve.exposure_us / passed if passed else None, "no time has passed")
    found.values["trades"] = traded.trades
    found.put("win_rate", traded.win_rate, "there is no closed trade")
    found.put("profit_factor", traded.profit_factor, "no trade lost" if traded.trades else "there is no closed trade")
    average = ratios.mean(equity)
    found.put(
        "turnover", float(traded.notional) / average if average > 0 else None, "the average equity is not above 0"
    )
    found.values["shortfall"] = float(traded.shortfall)
    found.values["fees"] = float(traded.fees)
    return found


def _of_a_year(found: Metrics, curve: Curve, traded: Traded, equity: list[float]) -> None:
    days, per_year = len(equity) - 1, curve.days.per_year
    if days < FEWEST_DAYS or min(equity) <= 0:
        ruined = "the equity was 0 or below"
        few = f"{days} session days; a ratio of a year needs {FEWEST_DAYS}"
        for name in OF_A_YEAR:
            found.put(name, None, few if days < FEWEST_DAYS else ruined)
        return
    returns = ratios.returns_of(equity)
    annual = ratios.annual_return(equity, per_year)
    found.put("annual_return", annual, "")
    found.put("volatility", ratios.volatility(returns, per_year), "")
    found.put("sharpe", ratios.sharpe(returns, per_year), "all daily returns are equal")
    found.put("sortino", ratios.sortino(returns, per_year), "no daily return is negative")
    found.put("calmar", ratios.calmar(annual, ratios.drawdown(equity).depth), "there was no drawdown")
    found.put("annual_turnover", float(traded.notional) / ratios.mean(equity) * per_year / days, "")
