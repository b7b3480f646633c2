"""A strategy that can be built anew, in this process and in another one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.backtest.strategies import Value, built, choose


@dataclass(frozen=True, slots=True)
class Made:
    """How a strategy is built: by its name and parameters, or from one that was given."""

    named: str = ""
    """As `choose` takes it; empty if the strategy was given."""
    parameters: Mapping[str, str | Value] = field(default_factory=dict)
    given: Strategy | None = None

    @classmethod
    def of(cls, strategy: str | Strategy, parameters: Mapping[str, str | Value] | None = None) -> Made:
        """Return how to build a strategy that was named or given."""
        if isinstance(strategy, Strategy):
            return cls(given=copy.deepcopy(strategy))
        return cls(strategy, dict(parameters or {}))

    def __call__(self) -> Strategy:
        """Return a strategy that has not been called. The module of a file is run anew, as after a restart."""
        if self.given is None:
            return choose(self.named, self.parameters).strategy
        if self.parameters:
            return built(type(self.given), self.given.name, self.parameters).strategy
        return copy.deepcopy(self.given)

    def with_parameters(self, parameters: Mapping[str, Any]) -> Made:
        """Return how to build the same with other parameters."""
        return Made(self.named, parameters, self.given)
