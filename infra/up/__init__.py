"""`tradewind up`: services, workers and a feed under one supervisor, with one table of what flows."""
