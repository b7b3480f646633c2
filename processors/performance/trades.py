"""What fills and closed trades come to: profit factor, turnover, and what execution cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tradewind.processors.money import CONTEXT, ZERO


@dataclass(slots=True)
class Traded:
    """Sums over fills and closed trades, exact."""

    trades: int = 0
    wins: int = 0
    won: Decimal = ZERO
    """Sum of the profits of trades that won."""
    lost: Decimal = ZERO
    """Sum of the losses of trades that lost, above 0."""
    notional: Decimal = ZERO
    """Sum of |quantity| * price of all fills."""
    shortfall: Decimal = ZERO
    """Sum of what fills were worse than the mid of the quote on which they were decided: half the spread, and what the
    price did in the latency. Source: Andre F. Perold, The Implementation Shortfall, Journal of Portfolio Management 14
    (1988)."""
    fees: Decimal = ZERO

    def on_trade(self, profit: Decimal) -> None:
        """Take the profit of a closed trade."""
        self.trades += 1
        if profit > 0:
            self.wins += 1
            self.won = CONTEXT.add(self.won, profit)
        else:
            self.lost = CONTEXT.subtract(self.lost, profit)

    def on_fill(self, units: Decimal, price: Decimal, mid: Decimal, fee: Decimal = ZERO) -> None:
        """Take a fill; `units` are negative for a sell, and `mid` is that of the quote on which it was decided."""
        add, multiply = CONTEXT.add, CONTEXT.multiply
        self.notional = add(self.notional, multiply(units.copy_abs(), price))
        self.shortfall = add(self.shortfall, multiply(units, CONTEXT.subtract(price, mid)))
        self.fees = add(self.fees, fee)

    @property
    def profit_factor(self) -> float | None:
        """What trades won for each unit that trades lost; None if none lost."""
        return None if self.lost == 0 else float(self.won / self.lost)

    @property
    def win_rate(self) -> float | None:
        """The share of trades that won; None without trades."""
        return None if self.trades == 0 else self.wins / self.trades
