"""The report: it shows the result's own figures, keeps extremes, and asks no network for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from backtesting import run_in
from days.recorded import XAUUSD
from hypothesis import given
from hypothesis import strategies as st

from tradewind.streams.backtest.report.page import page
from tradewind.streams.backtest.report.thinning import MOST_BUCKETS, MOST_POINTS, Thinned

DATA = re.compile(r'<script type="application/json" id="figures">(.*?)</script>', re.DOTALL)
PLOTLY = re.compile(r"<script>/\*\*\n\* plotly\.js.*?</script>", re.DOTALL)


def figures_in(text: str) -> dict[str, Any]:
    """Return what the page draws."""
    found = DATA.search(text)
    assert found is not None
    figures: dict[str, Any] = json.loads(found[1])
    return figures


def test_a_report_has_the_figures_of_its_result(tmp_path: Path) -> None:
    """Curves end where the tables end; assumptions come before figures; nothing is fetched."""
    result = run_in(tmp_path, "ema_crossover_1s", XAUUSD.path, stop="2014-05-01T00:30", tenant="alpha")
    text = result.report.read_text("utf-8")
    figures = figures_in(text)
    assert figures["equity"]["v"][-1] == float(result.summary["equity"])
    bought = result.orders.filter(side="BUY", status="FILLED")
    assert figures["prices"][0]["buys"]["p"] == [float(price) for price in bought["price"]]
    assert max(figures["equity"]["v"]) == float(result.equity["equity"].max())
    assert figures["denials"]["codes"] == list(result.summary["denials"])
    assert sorted(figures["trades"]["v"]) == sorted(map(float, result.trades["profit"]))
    assert figures["days"]["v"] == [result.summary["metrics"]["total_return"]]
    assert text.index("What this assumes") < text.index("Equity and drawdown")
    assert "50 ms from a decision" in text
    own = PLOTLY.sub("", text)
    assert len(own) < len(text) / 10  # plotly is in the file
    assert not re.search(r"https?://|//cdn|src=|@import|url\(", own)


def test_names_cannot_end_the_script(tmp_path: Path) -> None:
    """Whatever a strategy or a symbol is called is text."""
    result = run_in(tmp_path, "ema_crossover", XAUUSD.path, stop="2014-05-01T00:10", tenant="alpha")
    figures = figures_in(result.report.read_text("utf-8"))
    named = {**figures, "prices": [{**figures["prices"][0], "name": "</script><b>"}]}
    summary = {**result.summary, "instruments": ["<b>"], "failed": "<i>"}
    text = page(summary, named)
    assert figures_in(text)["prices"][0]["name"] == "</script><b>"
    assert "<b>" not in PLOTLY.sub("", text).replace("<b class", "")
    assert "&lt;i&gt;" in text


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.integers(1, 400))
def test_a_thin_curve_keeps_its_ends_and_extremes(values: list[int], times: int) -> None:
    """Whatever its length, in the order of time and with at most so many points."""
    thinned, every = Thinned(), values * times
    for at, value in enumerate(every):
        thinned.add(at, float(value))
    points = thinned.points()
    assert len(points) <= MOST_POINTS
    assert points == sorted(points)
    assert (points[0], points[-1]) == ((0, float(every[0])), (len(every) - 1, float(every[-1])))
    assert {max(every), min(every)} <= {value for _, value in points}
    if len(every) <= MOST_BUCKETS:
        assert [value for _, value in points] == every
