"""The page of a walk-forward: the joined equity of the test windows, and what each window chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any, Final

from tradewind.streams.backtest.report.document import document
from tradewind.streams.backtest.report.page import LABELS
from tradewind.streams.backtest.report.sweep_page import named, written
from tradewind.streams.backtest.report.thinning import Point

CARDS: Final = ("total_return", "sharpe", "max_drawdown_intraday", "profit_factor", "win_rate", "trades")
US_PER_MS: Final = 1_000
NOTE: Final = (
    "Each test window trades the best set of the training window before it. It begins with the equity of the last one, "
    "and without a position. What is open at its end is valued at its last bar."
)


def walk_page(of: Mapping[str, Any], drawn: Sequence[Point]) -> str:
    """Return the report of a walk-forward as one HTML text. It needs no network."""
    title = f"Walk-forward of {of['strategy']['name']}"
    curve = {"t": [at // US_PER_MS for at, _ in drawn], "v": [value for _, value in drawn]}
    bounds = [one["test_start"] // US_PER_MS for one in of["windows"]]
    metrics = of["metrics"]
    cards = [(f"{Decimal(of['equity']):,.2f}", "Equity"), *((written(n, metrics[n]), LABELS[n][0]) for n in CARDS)]
    told = f"{len(of['sets']):,} sets, {len(of['windows']):,} test windows, by {of['by']}"
    body = (
        f"<header><h1>{escape(title)}</h1></header><div class='sub'>{escape(told)}</div>",
        "<section class='failed'><h2>Interrupted: windows are missing</h2></section>" if of["interrupted"] else "",
        "<div class='cards'>",
        *(f"<div class='card'><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in cards),
        "</div><section><h2>Equity out of sample</h2><div class='plot' id='equity'></div>",
        f"<p class='note'>{NOTE}</p></section>",
        _windows(of["windows"]),
        f"<section><h2>Metrics out of sample</h2>{_metrics(of)}</section>",
        f"<footer>Walk-forward <code>{of['id']}</code>. Past results say little about later ones.</footer>",
    )
    return document(title, body, {"equity": curve, "bounds": bounds}, "walk.js")


def _windows(windows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(
        f"<th{' class=n' if right else ''}>{name}</th>"
        for name, right in (
            ("Test from", 0),
            ("until", 0),
            ("Set", 0),
            ("In training", 1),
            ("Return", 1),
            ("Trades", 1),
        )
    )
    body = "".join(f"<tr>{_row(one)}</tr>" for one in windows)
    return f"<section class='wide'><h2>Windows</h2><table><tr>{head}</tr>{body}</table></section>"


def _row(of: Mapping[str, Any]) -> str:
    times = f"<td>{_minute(of['test_start'])}</td><td>{_minute(of['test_stop'])}</td>"
    if "skipped" in of:
        return f"{times}<td colspan='4'>{escape(of['skipped'])}</td>"
    tone = "up" if of["return"] > 0 else "down" if of["return"] < 0 else ""
    return (
        f"{times}<td>{escape(named(of['parameters']))}</td><td class='n'>{written(of['by'], of['in_training'])}</td>"
        f"<td class='n {tone}'>{of['return']:.2%}</td><td class='n'>{of['trades']:,}</td>"
    )


def _metrics(of: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td class='n'>{written(name, of['metrics'][name])}</td></tr>"
        for name, (label, _) in LABELS.items()
    )
    notes = "".join(f"<p class='note'>–: {escape(why)}</p>" for why in dict.fromkeys(of["without_value"].values()))
    return f"<table>{rows}</table>{notes}"


def _minute(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e6, UTC):%Y-%m-%d %H:%M}"
