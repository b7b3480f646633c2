"""Benches: a peer and Tradewind in one run, on the same data."""
