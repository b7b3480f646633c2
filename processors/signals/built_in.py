"""The strategies that the workers run beside those that packages offer."""

from __future__ import annotations

from typing import Final

from tradewind.processors.signals.ema import EmaCrossover, FastEmaCrossover
from tradewind.processors.signals.sentiment import NewsSentiment
from tradewind.processors.signals.strategy import Strategy

BUILT_IN: Final[tuple[Strategy, ...]] = (EmaCrossover(), FastEmaCrossover(), NewsSentiment())
