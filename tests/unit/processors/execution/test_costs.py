"""What a simulated venue charges: slippage of what takes liquidity, within limits, and fees."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from tradewind.processors.execution.costly_venue import CostlyVenue
from tradewind.processors.execution.costs import Costs
from tradewind.processors.execution.matching import Match, Offered
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.schemas.execution import OpenOrderState

LOT = Decimal(1000)
UNIT = {"UNIT": Instrument(Decimal(1), Decimal(1), Decimal(1), "UNIT", "USD")}


def order(side: str, limit: str | None = None, *, resting: bool = False, symbol: str = "EURUSD") -> OpenOrderState:
    """Return an open order of a lot."""
    texts = dict.fromkeys(("order_id", "tenant_id", "account_id", "deployment", "correlation_id", "strategy"), "x")
    return OpenOrderState(
        **texts,  # type: ignore[arg-type]
        symbol=symbol,
        venue="V",
        ts_event=1,
        side=side,  # type: ignore[arg-type]
        order_type="MARKET" if limit is None else "LIMIT",
        quantity=LOT,
        limit_price=None if limit is None else Decimal(limit),
        time_in_force="DAY",
        expire_ts=None,
        status="ACCEPTED",
        sequence=0,
        resting=resting,
    )


def matched(of: OpenOrderState, costs: Costs) -> Match | None:
    """Offer a quote of 1.1 to 1.2."""
    venue = CostlyVenue(costs, {**INSTRUMENTS, **UNIT})
    return venue.match(of, Offered(np.array([1.1]), np.array([1.2])))


@pytest.mark.parametrize(
    ("of", "ticks", "price"),
    [
        (order("BUY"), 0, "1.2"),
        (order("BUY"), 5, "1.20005"),
        (order("SELL"), 5, "1.09995"),
        (order("BUY", "1.20003"), 5, "1.20003"),
        (order("SELL", "1.09998"), 5, "1.09998"),
        (order("BUY", "1.21", resting=True), 5, "1.21"),
        (order("SELL", symbol="UNIT"), 5, "1"),
    ],
)
def test_what_takes_liquidity_slips_up_to_its_limit(of: OpenOrderState, ticks: int, price: str) -> None:
    """An order that rested fills at its limit. No price falls below a tick."""
    match = matched(of, Costs(ticks, Decimal("0.3")))
    assert match is not None
    assert match.price == Decimal(price)
    assert match.fee == LOT * Decimal(price) * Decimal("0.00003")


def test_an_order_that_no_quote_fills_costs_nothing() -> None:
    """There is no match to charge."""
    assert matched(order("BUY", "1.1999"), Costs(5, Decimal(1))) is None


def test_slippage_needs_a_tick_size() -> None:
    """The refusal names the symbol and the setting."""
    with pytest.raises(ValueError, match=r"tick size of MINE is not known.*TRADEWIND_INSTRUMENTS"):
        matched(order("BUY", symbol="MINE"), Costs(1))


@pytest.mark.parametrize(("ticks", "bps"), [(-1, "0"), (1_000_001, "0"), (0, "-0.1"), (0, "1001"), (0, "NaN")])
def test_costs_that_cannot_be_meant_are_refused(ticks: int, bps: str) -> None:
    """Negative ones, and those of another unit."""
    with pytest.raises(ValueError, match="use 0 to"):
        Costs(ticks, Decimal(bps))
