"""Why a backtest gives no result.

BacktestError
├── BadInput           what was asked for cannot be run: nothing was computed
├── NoTicks            the sources have no quote in the range
├── DamagedSource      a source has more that is no quote than quotes
├── Gone               retention has removed the beginning of the range
├── Refused            an agent cannot process a record that the run led to
└── UnknownResult      there is no result of that id
"""

from __future__ import annotations


class BacktestError(ValueError):
    """A backtest that cannot be run; the message says what, where and what to do."""


class BadInput(BacktestError):
    """What was asked for cannot be run: a strategy, parameter, tenant, symbol, time or capital."""


class NoTicks(BacktestError):
    """The sources have no quote in the range."""


class DamagedSource(BacktestError):
    """More of a source was rejected than read, or nothing of it is a quote or a trade. Live, its feed fails as well."""


class Gone(BacktestError):
    """Retention has removed the beginning of the range; the message names the first offset that is left."""


class Refused(BacktestError):
    """An agent cannot process a record that the run led to. Live, the record would be a dead letter."""


class UnknownResult(BacktestError):
    """There is no result of that id."""
