"""What a sudden move would have cost: the account's largest and average exposure, hit from the wrong side.

No stop and no order helps: the price is there at once. If several instruments were held, each of them moves against
its position at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

MOVES: Final = (0.01, 0.02, 0.05, 0.10, 0.20)
"""What-if moves, as fractions of the price."""
SHOCKS: Final = {
    "GBPUSD": ("24 June 2016, after the vote to leave the European Union", 0.08),
    "XAUUSD": ("15 April 2013, the fall of gold", 0.09),
    "BTCUSDT": ("12 March 2020, the fall of all markets", 0.37),
}
"""Symbol -> one of its worst days, and about how far the price went on it, from close to close."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One move."""

    name: str
    move: float
    at_largest: float
    """Loss at the largest exposure, by the capital: 0.5 is half of it."""
    at_average: float
    """Loss at the average of the exposures above 0, by the capital."""


def hits(exposures: npt.NDArray[np.float64], capital: float, symbols: Sequence[str]) -> list[Hit]:
    """Return what moves would cost; `exposures` (n,) are values of the position, at its price.

    A worst day counts if its instrument was the only one. Empty if there was no position.
    """
    held = exposures[exposures > 0]
    if not len(held):
        return []
    moves = [(f"{move:.0%} against the position", move) for move in MOVES]
    if len(symbols) == 1 and symbols[0] in SHOCKS:
        moves.append(SHOCKS[symbols[0]])
    largest, average = float(held.max()), float(held.mean())
    return [Hit(name, move, move * largest / capital, move * average / capital) for name, move in moves]
