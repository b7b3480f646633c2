"""Feeds refuse the lines that the agents would: they publish nothing that is out of range."""

from __future__ import annotations

from itertools import product

import polars as pl

from tradewind.connectors.feeds.files.parsed import quote_faults, trade_faults
from tradewind.schemas.flaws import flaws_in
from tradewind.schemas.market import Tick, Trade

NUMBERS = (-1.0, 0.0, 5e-324, 0.9e-10, 1e-10, 1.0, 1e8, 1.5e8, 1e12, 1.1e12, 1e300)


def test_a_quote_has_a_fault_where_its_tick_has_a_flaw() -> None:
    """Of all combinations of prices and sizes at the ends of the ranges."""
    cases = product(NUMBERS, NUMBERS, (None, -1.0, 0.0, 1e12, 1.1e12), (None, 1.0))
    columns = {"bid": pl.Float64, "ask": pl.Float64, "bid_size": pl.Float64, "ask_size": pl.Float64}
    frame = pl.DataFrame(list(cases), schema=columns, orient="row")
    ticks = frame.with_columns(symbol=pl.lit("S"), venue=pl.lit("V"), seq=pl.lit(1), ts_event=pl.lit(1))
    faults = frame.select(fault=quote_faults())["fault"]
    assert {row for row, fault in enumerate(faults) if fault is not None} == set(flaws_in(Tick, ticks))


def test_a_trade_has_a_fault_where_its_event_has_a_flaw() -> None:
    """And where it has no size, which says nothing."""
    frame = pl.DataFrame(
        list(product(NUMBERS, NUMBERS)), schema={"price": pl.Float64, "size": pl.Float64}, orient="row"
    )
    trades = frame.with_columns(symbol=pl.lit("S"), venue=pl.lit("V"), seq=pl.lit(1), ts_event=pl.lit(1))
    trades = trades.with_columns(trade_id=pl.lit("1"), aggressor=pl.lit("BUY"))
    faults = frame.select(fault=trade_faults())["fault"]
    empty = {row for row, size in enumerate(frame["size"]) if size == 0}
    assert {row for row, fault in enumerate(faults) if fault is not None} == set(flaws_in(Trade, trades)) | empty
