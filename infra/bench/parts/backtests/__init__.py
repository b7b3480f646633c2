"""Parts of the bench of backtests."""
