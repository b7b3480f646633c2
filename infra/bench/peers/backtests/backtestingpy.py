"""backtesting.py on bars that pandas makes of mids; arguments: QUOTES INTERVAL_S RUNS."""

from __future__ import annotations

import pandas as pd
from backtesting import Backtest, Strategy, backtesting
from measured import FAST, SLOW, measure, quotes

UNITS = 1
CASH = 10_000_000


class Cross(Strategy):
    """Turns around at each turn of the averages; orders fill at the next bar's open."""

    def init(self) -> None:
        """Compute both averages at once, as its users do."""
        close = pd.Series(self.data.Close)
        self.fast = self.I(lambda: close.ewm(span=FAST, adjust=False).mean())
        self.slow = self.I(lambda: close.ewm(span=SLOW, adjust=False).mean())
        self.side = 0

    def next(self) -> None:
        """Look at the newest bar."""
        if len(self.data) < SLOW:
            return
        side = 1 if self.fast[-1] > self.slow[-1] else -1
        if side != self.side:
            self.side = side
            (self.buy if side > 0 else self.sell)(size=UNITS)


def main() -> None:
    """Measure."""
    frame, interval_s, runs = quotes()
    backtesting._tqdm = lambda bars, **_: bars  # no progress bar
    index = pd.to_datetime(frame["ts_event"].to_numpy(), unit="us")
    mid = pd.Series(((frame["bid"] + frame["ask"]) / 2).to_numpy(), index=index)

    def run() -> int:
        bars = mid.resample(f"{interval_s}s").ohlc().dropna()
        bars.columns = pd.Index(["Open", "High", "Low", "Close"])
        test = Backtest(bars, Cross, cash=CASH, exclusive_orders=True, finalize_trades=True)
        return len(test.run()["_trades"])

    measure(run, runs)


if __name__ == "__main__":
    main()
