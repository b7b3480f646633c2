"""What an account has earned of an instrument, with approved orders counted as filled at the price they were judged by.

    cash     -= units * price        of each approved order; what ends unfilled is undone
    worth     = cash + quantity * mid of a request's quote
    lost today = worth at the last request of earlier days - worth
    drawdown   = largest worth at a request so far - worth

Days are those of UTC, in event time. Only differences of worth matter, so the account may begin anywhere: where a limit
is stated first. As exposure does (docs/adr/0004-positions-fed-back.md), this depends on fills only where an order ended
without one. Fees, slippage and what prices did while an order was on its way are not in it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tradewind.processors.batch import State
from tradewind.processors.clock import DAY_US
from tradewind.processors.identity import instrument
from tradewind.processors.money import ZERO, exact, rounded, signed_quantity
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import EarningsState, LimitsState, ReservationState


def earnings_at(state: State, request: OrderRequest, limits: LimitsState, quantity: Decimal) -> EarningsState | None:
    """Return an account's earnings at a request, for what it holds then, units; None where no limit is about them."""
    if limits.max_daily_loss is None and limits.max_drawdown is None:
        return None
    with exact():
        mid = rounded((request.quote_bid + request.quote_ask) / 2)
    day_start = request.ts_event - request.ts_event % DAY_US
    known = state.get(_key(request), EarningsState)
    if known is None:
        worth = _worth(ZERO, quantity, mid)
        return EarningsState(
            tenant_id=limits.tenant_id,
            account_id=request.account_id,
            symbol=request.symbol,
            venue=request.venue,
            cash=ZERO,
            price=mid,
            day_start=day_start,
            day_worth=worth,
            best_worth=worth,
        )
    begins = day_start > known.day_start
    return replace(
        known,
        price=mid,
        day_start=max(day_start, known.day_start),
        day_worth=_worth(known.cash, quantity, known.price) if begins else known.day_worth,
        best_worth=max(known.best_worth, _worth(known.cash, quantity, mid)),
    )


def lost_today(earnings: EarningsState, quantity: Decimal) -> Decimal:
    """Return what an account that holds so many units has lost since the day began; negative for a gain."""
    with exact():
        return earnings.day_worth - _worth(earnings.cash, quantity, earnings.price)


def drawdown(earnings: EarningsState, quantity: Decimal) -> Decimal:
    """Return what an account that holds so many units has lost since its best result."""
    with exact():
        return max(earnings.best_worth - _worth(earnings.cash, quantity, earnings.price), ZERO)


def ordered(earnings: EarningsState, units: Decimal, price: Decimal) -> EarningsState:
    """Return the earnings after an approved order; `units` are negative for a sell."""
    with exact():
        return replace(earnings, cash=earnings.cash - rounded(units * price))


def ended_unfilled(state: State, reservation: ReservationState, unfilled: Decimal) -> EarningsState | None:
    """Return the earnings without what an order did not fill, for `keep_earnings`; None where none are kept."""
    known = state.get(_key(reservation), EarningsState)
    return None if known is None else ordered(known, -signed_quantity(reservation.side, unfilled), reservation.price)


def keep_earnings(state: State, earnings: EarningsState) -> None:
    """Store the earnings of an account."""
    state.put(_key(earnings), earnings)


def forget_earnings(state: State, request: OrderRequest) -> None:
    """Remove the earnings of an account about which no limit is any more: one that comes later begins anew."""
    if state.get(_key(request), EarningsState) is not None:
        state.delete(_key(request))


def _worth(cash: Decimal, quantity: Decimal, price: Decimal) -> Decimal:
    with exact():
        return rounded(cash + quantity * price)


def _key(of: OrderRequest | ReservationState | EarningsState) -> str:
    return f"earnings/{of.tenant_id}/{of.account_id}/{instrument(of.symbol, of.venue)}"
