"""The command `backtest`."""
