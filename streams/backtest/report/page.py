"""The page of a report: what it assumes comes first, then figures, metrics and tables. It needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any, Final

from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.processors.money import shown
from tradewind.streams.backtest.report.curves import MOST_INSTRUMENTS
from tradewind.streams.backtest.report.document import document
from tradewind.streams.backtest.report.luck_sections import luck_sections

LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "total_return": ("Return", "%"),
    "annual_return": ("Annual return", "%"),
    "volatility": ("Volatility, a year", "%"),
    "sharpe": ("Sharpe", ""),
    "sortino": ("Sortino", ""),
    "calmar": ("Calmar", ""),
    "max_drawdown": ("Max drawdown, days' ends", "%"),
    "max_drawdown_intraday": ("Max drawdown, intraday", "%"),
    "max_drawdown_days": ("Longest drawdown, days", "n"),
    "time_in_market": ("Time in market", "%"),
    "average_exposure": ("Average exposure", "%"),
    "turnover": ("Turnover", "x"),
    "annual_turnover": ("Turnover, a year", "x"),
    "trades": ("Trades", "n"),
    "win_rate": ("Trades that won", "%"),
    "profit_factor": ("Profit factor", ""),
    "shortfall": ("Execution shortfall", "money"),
    "fees": ("Fees", "money"),
    "days": ("Session days", "n"),
}
"""Metric -> its name in the report, and how it is written."""
CARDS: Final = ("total_return", "sharpe", "max_drawdown_intraday", "profit_factor", "win_rate", "trades", "shortfall")
SIGNED: Final = frozenset({"total_return", "annual_return", "sharpe", "sortino", "calmar"})
NAMED_GAPS: Final = 5
LIMITED: Final[Mapping[str, str]] = {
    "max_exposure_notional": "all accounts together hold at most",
    "max_total_exposure": "all accounts together hold of all instruments, in their currency, at most",
    "max_currency_exposure": "they hold net of one other currency, in their own, at most",
    "max_daily_loss": "what an account may lose of an instrument in a day of UTC is",
    "max_drawdown": "what it may lose since its best result is",
}
"""A limit that a tenant may leave out -> what the report says before its amount."""
FILLS: Final = (
    "An order fills whole at the first quote at or after its decision and the latency: a buy at the ask, a sell at the "
    "bid. A limit order rests until a quote reaches it. Sizes of quotes are not used up, and no order moves the market."
)


def page(summary: Mapping[str, Any], figures: Mapping[str, Any], left_out: Iterable[str] = ()) -> str:
    """Return the report of a result as one HTML text."""
    of, title = summary, f"{summary['strategy']['name']} on {', '.join(summary['instruments'])}"
    body = (
        *_head(of, title),
        f"<section><h2>What this assumes</h2>{_table(_assumptions(of), 'assumptions')}</section>",
        '<div class="columns"><div>',
        _section("Equity and drawdown", "equity"),
        *_prices(figures, sorted(left_out)),
        _section("Monthly returns, %", "months"),
        _section("Daily returns", "days"),
        _section("Distribution of daily returns", "spread") if len(figures["days"]["v"]) > 1 else "",
        _section("Trades: profit at the exit", "trades") if figures["trades"]["t"] else "",
        _denials(of),
        *luck_sections(figures["luck"]),
        "</div><div>",
        f"<section><h2>Metrics</h2>{_metrics(of)}</section>",
        _falls(figures["falls"]),
        f"<section><h2>Orders</h2>{_table(_orders(of), numbers=True)}</section>",
        "</div></div>",
        _named("Trades that won most", figures["best"]),
        _named("Trades that lost most", figures["worst"]),
        f"<footer>Tradewind {escape(of['code']['tradewind'])}, result <code>{of['id']}</code>. ",
        "The same backtest gives the same file. Past results say little about later ones.</footer>",
    )
    return document(title, body, figures, "page.js")


def _head(of: Mapping[str, Any], title: str) -> Iterable[str]:
    parameters = ", ".join(f"{name} = {value}" for name, value in of["strategy"]["parameters"].items())
    firsts = [source["first"] for source in of["sources"] if source["ticks"]]
    lasts = [source["last"] for source in of["sources"] if source["ticks"]]
    start = max(min(firsts, default=0), of["data"]["from"] or 0)
    stop = min(max(lasts, default=0), of["data"]["to"] or max(lasts, default=0))
    told = f"{_minute(start)} to {_minute(stop)} UTC"
    yield f"<header><h1>{escape(title)}</h1><span class='sub'>{told}</span></header>"
    yield f"<div class='sub'>{escape(parameters) or 'no parameters'}; bars of {of['strategy']['interval_s']} s</div>"
    if of["failed"] is not None:
        yield f"<section class='failed'><h2 class='down'>The strategy failed</h2>{escape(of['failed'])}</section>"
    cards = [("equity", f"{Decimal(of['equity']):,.0f}", f"Equity, {of['currency']}")]
    cards += [(name, _value(of, name), LABELS[name][0]) for name in CARDS]
    yield "<div class='cards'>"
    for name, value, label in cards:
        yield f"<div class='card'><b class='{_tone(of, name)}'>{value}</b><span>{escape(label)}</span></div>"
    yield "</div>"


def _assumptions(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    tenant, counts, gaps = of["tenant"], of["counts"], of["gaps"]
    sizing = tenant["sizing"]
    return [
        ("fills", FILLS),
        ("latency", f"{of['venue_latency_ms']} ms from a decision to the first quote that can fill its order"),
        (
            "decisions",
            f"on closed bars, {of['bar_grace_ms']} ms of event time after their end. The same code decides live.",
        ),
        ("costs", _costs(of)),
        *([("warm-up", _warmup(of))] if of["warmup_bars"] else []),
        ("tenant", f"{tenant['tenant_id']}: risk per trade {sizing['risk_per_trade']}, {sizing['order_type']} orders"),
        ("limits", _limits(tenant["limits"])),
        ("capital", f"{Decimal(of['capital']):,.2f} {of['currency']}; session days end at {of['session_days_end']}"),
        *(("source", _source(source)) for source in of["sources"]),
        *(("note", note) for note in of["data"]["notes"]),
        ("late quotes", f"{counts['late']:,}; {counts['discarded']:,} discarded, which were far ahead of their time"),
        ("gaps", _gaps(gaps)),
    ]


def _costs(of: Mapping[str, Any]) -> str:
    ticks, bps = of["venue_slippage_ticks"], Decimal(of["venue_fee_bps"])
    slips = f"{ticks:,} tick{'s' * (ticks != 1)} more for what takes liquidity" if ticks else "no slippage"
    fee = f"a fee of {shown(bps)} bps of each fill's worth" if bps else "no fees"
    return f"the spread of the quotes, which each fill pays; {slips}; {fee}"


def _warmup(of: Mapping[str, Any]) -> str:
    seen = ", ".join(f"{bars:,} of {name}" for name, bars in of["warmup_seen"].items()) or "none were there"
    return f"{of['warmup_bars']:,} bars of each instrument before the range, on which nothing is ordered: {seen}"


def _limits(of: Mapping[str, Any]) -> str:
    order, position = Decimal(of["max_order_notional"]), Decimal(of["max_position_notional"])
    age_s = of["max_quote_age_us"] / 1e6
    said = f"at most {order:,.0f} an order and {position:,.0f} a position; no order on a quote older than {age_s:g} s"
    stated = (f"{words} {Decimal(of[name]):,.0f}" for name, words in LIMITED.items() if of.get(name) is not None)
    return "; ".join((said, *stated))


def _source(of: Mapping[str, Any]) -> str:
    said = f"{of['source']}: {of['ticks']:,} quotes in the range"
    if of["unknown"]:
        said += f"; {of['unknown']:,} records are of unknown kinds"
    return f"{said}; {of['rejected']:,} lines were rejected" if of["rejected"] else said


def _gaps(of: Mapping[str, Any]) -> str:
    if not of["count"]:
        return f"none longer than {of['longer_than_s'] // 60} minutes"
    longest = sorted(of["longest"], key=lambda gap: gap["from"] - gap["to"])[:NAMED_GAPS]
    named = "; ".join(
        f"{gap['instrument']} {_minute(gap['from'])}, {(gap['to'] - gap['from']) / 60e6:,.0f} min" for gap in longest
    )
    return f"{of['count']:,} longer than {of['longer_than_s'] // 60} minutes. The longest: {named}"


def _prices(figures: Mapping[str, Any], left_out: Sequence[str]) -> Iterable[str]:
    for number, of in enumerate(figures["prices"]):
        note = f"Every {of['every']}th fill is drawn." if of["every"] > 1 else ""
        yield _section(f"{of['name']}: price and fills", f"price{number}", note)
    if left_out:
        yield f"<p class='note'>{len(left_out)} instruments beyond {MOST_INSTRUMENTS} are not drawn.</p>"


def _section(title: str, place: str, note: str = "") -> str:
    told = f"<p class='note'>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2><div class='plot' id='{place}'></div>{told}</section>"


def _denials(of: Mapping[str, Any]) -> str:
    if not of["denials"]:
        return ""
    return _section("Denied orders by code", "denials", "An order may be denied with several codes.")


def _metrics(of: Mapping[str, Any]) -> str:
    table = _table([(label, _value(of, name)) for name, (label, _) in LABELS.items()], numbers=True)
    reasons = dict.fromkeys(of["without_value"].values())
    notes = "".join(f"<p class='note'>–: {escape(reason)}</p>" for reason in reasons)
    return table + notes


def _orders(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"signals": "Signals", "requests": "Targets", "approved": "Orders approved", "denied": "Orders denied"}
    names |= {"fills": "Fills", "expired": "Expired", "canceled": "Canceled"}
    return [(label, f"{of['counts'][name]:,}") for name, label in names.items()]


def _falls(falls: Sequence[Mapping[str, Any]]) -> str:
    if not falls:
        return ""
    rows = "".join(
        f"<tr><td>{_date(of['begin'])}</td><td>{'open' if of['end'] is None else _date(of['end'])}</td>"
        f"<td class='n'>{of['days']}</td><td class='n down'>{of['depth']:.2%}</td></tr>"
        for of in falls
    )
    head = "<tr><th>From</th><th>Until</th><th class='n'>Days</th><th class='n'>Depth</th></tr>"
    return f"<section><h2>Deepest drawdowns</h2><table>{head}{rows}</table></section>"


def _named(title: str, trades: Sequence[Mapping[str, Any]]) -> str:
    if not trades:
        return ""
    names = ("instrument", "side", "quantity", "entered", "exited", "entry", "exit", "profit")
    numbers = {"quantity", "entry", "exit", "profit"}
    head = "".join(f"<th{_right(name in numbers)}>{name.capitalize()}</th>" for name in names)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_right(name in numbers)}>{escape(str(of[name]))}</td>" for name in names[:-1])
        + f"<td class='n {'up' if of['profit'] > 0 else 'down'}'>{of['profit']:,.2f}</td></tr>"
        for of in trades
    )
    return f"<section class='wide'><h2>{escape(title)}</h2><table><tr>{head}</tr>{rows}</table></section>"


def _right(number: bool) -> str:  # noqa: FBT001 - of a cell, in the place where it is written
    return " class='n'" if number else ""


def _table(rows: Iterable[tuple[str, str]], kind: str = "", *, numbers: bool = False) -> str:
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td{_right(numbers)}>{escape(value)}</td></tr>" for name, value in rows
    )
    return f"<table class='{kind}'>{cells}</table>"


def _value(of: Mapping[str, Any], name: str) -> str:
    """Return a metric as it is written; a dash where it has no value."""
    value, form = of["metrics"][name], LABELS[name][1]
    if value is None:
        return "–"
    match form:
        case "%":
            return f"{value:.2%}"
        case "n":
            return f"{value:,}"
        case "x":
            return f"{value:,.1f}×"
        case "money":
            return f"{value:,.2f}"
    return f"{value:,.2f}"


def _tone(of: Mapping[str, Any], name: str) -> str:
    value = of["metrics"]["total_return"] if name == "equity" else of["metrics"][name] if name in SIGNED else None
    if not value:
        return ""
    return "up" if value > 0 else "down"


def _minute(ts: int) -> str:
    return str(time_to_json(ts))[:16].replace("T", " ")


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000 - 1, UTC):%Y-%m-%d}"
