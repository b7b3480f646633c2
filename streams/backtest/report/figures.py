"""The figures of a report, as JSON that `page.js` draws. Numbers are those of the result; nothing is computed there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import polars as pl

from tradewind.processors.money import shown
from tradewind.streams.backtest.report.curves import Curves
from tradewind.streams.backtest.report.thinning import Point, Thinned

NAMED_TRADES: Final = 10  # of the best and of the worst
NAMED_FALLS: Final = 5
MONTHS: Final = 12
DIGITS: Final = 7
US_PER_MS: Final = 1_000


def figures(
    summary: Mapping[str, Any],
    curves: Curves,
    trades: pl.DataFrame,
    daily: pl.DataFrame,
    drawn_again: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Return the figures of a result; `drawn_again` is its luck."""
    capital = float(summary["capital"])
    equity = curves.equity.points()
    days = [(int(end.timestamp() * 1_000), amount) for end, amount in daily.iter_rows()]
    return {
        "currency": summary["currency"],
        "equity": _curve(equity),
        "drawdown": _curve(_falls(equity, capital)),
        "prices": [
            {
                "name": name,
                **_curve(marked.price.points()),
                "buys": _fills(marked.fills, "BUY"),
                "sells": _fills(marked.fills, "SELL"),
                "every": marked.step,
            }
            for name, marked in sorted(curves.instruments.items())
        ],
        "months": _months(days, capital),
        "days": {"t": [at for at, _ in days], "v": _returns([amount for _, amount in days], capital)},
        "trades": _trades(trades),
        "best": _named(trades, descending=True),
        "worst": _named(trades, descending=False),
        "falls": _named_falls(days, capital),
        "luck": drawn_again,
        "denials": {"codes": list(summary["denials"]), "counts": list(summary["denials"].values())},
    }


def _curve(points: Sequence[Point]) -> Mapping[str, list[Any]]:
    return {"t": [at // US_PER_MS for at, _ in points], "v": [value for _, value in points]}


def _falls(equity: Iterable[Point], peak: float) -> list[Point]:
    found = []
    for at, amount in equity:
        peak = max(peak, amount)
        found.append((at, amount / peak - 1))
    return found


def _fills(fills: Iterable[tuple[int, str, float, float]], side: str) -> Mapping[str, list[Any]]:
    own = [fill for fill in fills if fill[1] == side]
    return {
        "t": [at // US_PER_MS for at, *_ in own],
        "p": [price for *_, price in own],
        "q": [quantity for _, _, quantity, _ in own],
    }


def _returns(amounts: Sequence[float], before: float) -> list[float]:
    found = []
    for amount in amounts:
        found.append(amount / before - 1)
        before = amount
    return found


def _months(days: Iterable[tuple[int, float]], before: float) -> list[Mapping[str, Any]]:
    """Return the returns of each month, and of each year, by the dates on which session days end."""
    ends: dict[int, dict[int, float]] = {}
    for at, amount in days:
        date = datetime.fromtimestamp(at / 1_000 - 1, UTC)
        ends.setdefault(date.year, {})[date.month] = amount
    found: list[Mapping[str, Any]] = []
    for year, months in ends.items():
        first, row = before, list[float | None]()
        for month in range(1, MONTHS + 1):
            after = months.get(month)
            row.append(None if after is None else after / before - 1)
            before = before if after is None else after
        found.append({"year": year, "months": row, "total": before / first - 1})
    return found


def _trades(trades: pl.DataFrame) -> Mapping[str, list[Any]]:
    """Return the profit of each trade at its exit, and their sum; thinned where there are many."""
    thinned = Thinned()
    for at, profit in zip(trades["exited_at"].to_physical(), trades["profit"].cast(pl.Float64), strict=True):
        thinned.add(at, profit)
    return _curve(thinned.points())


def _named(trades: pl.DataFrame, *, descending: bool) -> list[Mapping[str, Any]]:
    """Return the trades that won most, or lost most."""
    wanted = pl.col("profit") > 0 if descending else pl.col("profit") < 0
    found = trades.filter(wanted).sort("profit", descending=descending, maintain_order=True).head(NAMED_TRADES)
    return [
        {
            "instrument": f"{row['symbol']}.{row['venue']}",
            "side": row["side"],
            "quantity": shown(row["quantity"]),
            "entered": f"{row['entered_at']:%Y-%m-%d %H:%M:%S}",
            "exited": f"{row['exited_at']:%Y-%m-%d %H:%M:%S}",
            "entry": _price(row["entry_price"]),
            "exit": _price(row["exit_price"]),
            "profit": float(row["profit"]),
        }
        for row in found.iter_rows(named=True)
    ]


def _price(price: Decimal) -> str:
    """Return a price in `DIGITS` digits: an average price has more than a quote."""
    return shown(Decimal(f"{price:.{DIGITS}g}"))


def _named_falls(days: Sequence[tuple[int, float]], capital: float) -> list[Mapping[str, Any]]:
    """Return the deepest falls from a peak of the days' ends: when they began, were deepest and ended."""
    found: list[dict[str, Any]] = []
    peak = capital
    fall: dict[str, Any] | None = None
    for number, (at, amount) in enumerate(days):
        if amount >= peak:
            if fall is not None:
                fall["end"] = at
                fall = None
            peak = amount
            continue
        if fall is None:
            fall = {"begin": at, "deepest": at, "end": None, "depth": 0.0, "days": 0, "first": number}
            found.append(fall)
        fall["days"] = number - fall["first"] + 1
        if amount / peak - 1 < fall["depth"]:
            fall |= {"depth": amount / peak - 1, "deepest": at}
    found.sort(key=lambda one: one["depth"])
    return [{name: value for name, value in one.items() if name != "first"} for one in found[:NAMED_FALLS]]
