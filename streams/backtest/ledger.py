"""What a run decided, as rows: orders, trades, equity, and counts of denials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import polars as pl

from tradewind.processors.identity import instrument
from tradewind.processors.money import CONTEXT, ZERO, exact, rounded, signed_quantity
from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.trades import Traded
from tradewind.processors.portfolio.holding import Holding
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.notifications import Alert
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.report.thinning import Thinned
from tradewind.streams.backtest.tables import Tables

MONEY: Final = pl.Decimal(38, 10)
TIME: Final = pl.Datetime("us", "UTC")
ORDERS: Final[Mapping[str, Any]] = {
    "order_id": pl.String,
    "tenant_id": pl.String,
    "account_id": pl.String,
    "symbol": pl.String,
    "venue": pl.String,
    "strategy": pl.String,
    "signal_id": pl.String,
    "decided_at": TIME,
    "side": pl.String,
    "order_type": pl.String,
    "quantity": MONEY,
    "limit_price": MONEY,
    "quote_bid": MONEY,
    "quote_ask": MONEY,
    "outcome": pl.String,
    "codes": pl.String,
    "reason": pl.String,
    "status": pl.String,
    "ended_at": TIME,
    "price": MONEY,
    "fee": MONEY,
    "liquidity": pl.String,
    "quote_seq": pl.Int64,
}
"""A row for each decision on an order, in the order in which the orders ended. `codes` are joined by spaces."""
TRADES: Final[Mapping[str, Any]] = {
    "tenant_id": pl.String,
    "account_id": pl.String,
    "symbol": pl.String,
    "venue": pl.String,
    "side": pl.String,
    "quantity": MONEY,
    "entered_at": TIME,
    "entry_price": MONEY,
    "exited_at": TIME,
    "exit_price": MONEY,
    "profit": MONEY,
    "fees": MONEY,
    "exit_order_id": pl.String,
}
"""A row for each part of a position that a fill closed. `entered_at` is the first fill of the position, and
`entry_price` its average price before the exit. `profit` is what is left after `fees`: those of the exit, and of the
entry the closed part's share."""
EQUITY: Final[Mapping[str, Any]] = {
    "ts_event": TIME,
    "equity": MONEY,
    "realised_pnl": MONEY,
    "unrealised_pnl": MONEY,
    "fees": MONEY,
    "exposure": MONEY,
}
"""A row for each new version of a position. `exposure` is the sum of |quantity| * mark price."""
DAILY: Final[Mapping[str, Any]] = {"ends_at": TIME, "equity": pl.Float64}
"""A row for each session day, quiet ones included."""
DENIED: Final = "DENIED"


class StrategyFailed(Exception):
    """The strategy was quarantined; the message is the alert's, with the place in its code."""


@dataclass(slots=True)
class _Held:
    holding: Holding = field(default_factory=Holding)
    entered_at: int = 0
    fees: Decimal = ZERO
    """Fees of what is open."""

    def split(self, fill: Fill, closed: Decimal) -> tuple[Decimal, Decimal]:
        """Return the fees of what a fill closes, and of what is open after it; their sum is that of all of them.

        A part has the share of its quantity, rounded once.
        """
        add, subtract, multiply, divide = CONTEXT.add, CONTEXT.subtract, CONTEXT.multiply, CONTEXT.divide
        if not closed:
            return ZERO, add(self.fees, fill.fee)
        held = abs(self.holding.quantity)
        of_entry = self.fees if closed == held else rounded(divide(multiply(self.fees, closed), held))
        of_exit = fill.fee if closed == fill.quantity else rounded(divide(multiply(fill.fee, closed), fill.quantity))
        left = subtract(add(subtract(self.fees, of_entry), fill.fee), of_exit)
        return add(of_entry, of_exit), left


@dataclass(slots=True)
class Ledger:
    """Takes the events of a run in event time. Keeps open orders and positions; rows go to tables."""

    tables: Tables
    curve: Curve
    drawn: Thinned
    """Equity as a report draws it."""
    counts: Counter[str] = field(default_factory=Counter)
    denials: Counter[str] = field(default_factory=Counter)
    traded: Traded = field(default_factory=Traded)
    _orders: dict[str, Decision] = field(default_factory=dict)
    """Decisions on orders that have not ended."""
    _held: dict[str, _Held] = field(default_factory=dict)
    _positions: dict[str, Position] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take one event. Raises `StrategyFailed` for the alert that the strategy is quarantined."""
        handle = HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)

    def _on_signal(self, _: Signal) -> None:
        self.counts["signals"] += 1

    def _on_request(self, _: OrderRequest) -> None:
        self.counts["requests"] += 1

    def _on_alert(self, alert: Alert) -> None:
        raise StrategyFailed(alert.message)

    @property
    def account(self) -> Mapping[str, Decimal]:
        """Deposits, realised profit, fees and cash: cash = deposits + realised_pnl - fees, to the last decimal."""
        with exact():
            realised = sum((one.realised_pnl for one in self._positions.values()), ZERO)
            fees = sum((one.fees for one in self._positions.values()), ZERO)
            cash = self.curve.capital + realised - fees
        return {"deposits": self.curve.capital, "realised_pnl": realised, "fees": fees, "cash": cash}

    @property
    def open_quantity(self) -> Mapping[str, Decimal]:
        """Account and instrument -> what is still held."""
        return {key: one.quantity for key, one in sorted(self._positions.items()) if one.quantity}

    def _on_decision(self, decision: Decision) -> None:
        self._orders[decision.order_id] = decision
        self.counts["approved" if decision.outcome == "APPROVED" else "denied"] += 1
        if decision.outcome == DENIED:
            self.denials.update(decision.codes)
            self._end(decision.order_id, DENIED, decision.ts_event)

    def _on_order_event(self, event: OrderEvent) -> None:
        self.counts[event.status.lower()] += 1
        if event.status not in {"ACCEPTED", "FILLED"}:
            self._end(event.order_id, event.status, event.ts_event)

    def _on_fill(self, fill: Fill) -> None:
        self.counts["fills"] += 1
        units = signed_quantity(fill.side, fill.quantity)
        order = self._orders.get(fill.order_id)
        if order is not None:
            mid = (order.quote_bid + order.quote_ask) / 2
            self.traded.on_fill(units, fill.price, mid, fill.fee)
            self._end(fill.order_id, "FILLED", fill.ts_event, fill)
        self._on_holding(fill, units)

    def _on_holding(self, fill: Fill, units: Decimal) -> None:
        held = self._held.setdefault(_key(fill), _Held())
        before = held.holding
        after = before.filled(units, fill.price)
        closed = min(abs(units), abs(before.quantity)) if before.quantity * units < 0 else ZERO
        fees, held.fees = held.split(fill, closed)
        if closed:
            profit = CONTEXT.subtract(CONTEXT.subtract(after.realised_pnl, before.realised_pnl), fees)
            self.counts["trades"] += 1
            self.traded.on_trade(profit)
            self.tables.trades.add(
                (
                    fill.tenant_id,
                    fill.account_id,
                    fill.symbol,
                    fill.venue,
                    "LONG" if before.quantity > 0 else "SHORT",
                    closed,
                    held.entered_at,
                    before.average_price,
                    fill.ts_event,
                    fill.price,
                    profit,
                    fees,
                    fill.order_id,
                )
            )
        if before.quantity == 0 or (after.quantity != 0 and before.quantity * after.quantity < 0):
            held.entered_at = fill.ts_event
        held.holding = after

    def _on_position(self, position: Position) -> None:
        self._positions[_key(position)] = position
        realised = unrealised = exposure = fees = ZERO
        add, multiply = CONTEXT.add, CONTEXT.multiply
        for one in self._positions.values():
            realised, unrealised = add(realised, one.realised_pnl), add(unrealised, one.unrealised_pnl)
            exposure = add(exposure, multiply(one.quantity.copy_abs(), one.mark_price))
            fees = add(fees, one.fees)
        equity = CONTEXT.subtract(add(add(self.curve.capital, realised), unrealised), fees)
        self.curve.take(position.ts_event, equity, exposure)
        self.drawn.add(position.ts_event, float(equity))
        self.tables.equity.add((position.ts_event, equity, realised, unrealised, fees, exposure))

    def close(self) -> None:
        """Write the equity of each session day."""
        for row in self.curve.daily():
            self.tables.daily.add(row)

    def _end(self, order_id: str, status: str, ts_event: int, fill: Fill | None = None) -> None:
        decision = self._orders.pop(order_id, None)
        if decision is None:
            return
        self.tables.orders.add(
            (
                decision.order_id,
                decision.tenant_id,
                decision.account_id,
                decision.symbol,
                decision.venue,
                decision.strategy,
                decision.signal_id,
                decision.ts_event,
                decision.side,
                decision.order_type,
                decision.quantity,
                decision.limit_price,
                decision.quote_bid,
                decision.quote_ask,
                decision.outcome,
                " ".join(decision.codes),
                decision.reason,
                status,
                ts_event,
                None if fill is None else fill.price,
                None if fill is None else fill.fee,
                None if fill is None else fill.liquidity,
                None if fill is None else fill.quote_seq,
            )
        )


def _key(of: Fill | Position) -> str:
    return f"{of.tenant_id}/{of.account_id}/{instrument(of.symbol, of.venue)}"


HANDLERS: Final[Mapping[type[Event], Callable[[Ledger, Any], None]]] = {
    Signal: Ledger._on_signal,
    OrderRequest: Ledger._on_request,
    Decision: Ledger._on_decision,
    OrderEvent: Ledger._on_order_event,
    Fill: Ledger._on_fill,
    Position: Ledger._on_position,
    Alert: Ledger._on_alert,
}
