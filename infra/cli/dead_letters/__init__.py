"""`tradewind dlq` and what is under it."""
