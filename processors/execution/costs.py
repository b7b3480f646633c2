"""What a simulated venue charges besides the spread (`costly_venue.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MOST_SLIPPAGE_TICKS: Final = 1_000_000  # a tick of USD 0.00001 times this is ten dollars: beyond it, a price is made up
MOST_FEE_BPS: Final = Decimal(1_000)  # a tenth of the order's worth: more is a mistake of units


@dataclass(frozen=True, slots=True)
class Costs:
    """What a simulated venue charges. Raises `ValueError` for costs that are negative or above the limits."""

    slippage_ticks: int = 0
    """By how many ticks an order that takes liquidity fills worse than the quote."""
    fee_bps: Decimal = Decimal(0)
    """Of the worth of each fill, in hundredths of a percent."""

    def __post_init__(self) -> None:
        if not 0 <= self.slippage_ticks <= MOST_SLIPPAGE_TICKS:
            raise ValueError(f"slippage of {self.slippage_ticks} ticks: use 0 to {MOST_SLIPPAGE_TICKS:,}")
        if not (self.fee_bps.is_finite() and 0 <= self.fee_bps <= MOST_FEE_BPS):
            raise ValueError(f"a fee of {self.fee_bps} bps: use 0 to {MOST_FEE_BPS:,}")
