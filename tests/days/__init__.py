"""Recorded market data, the day that the whole pipeline plays, and whether it balances."""
