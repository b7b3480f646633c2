"""The same crossover on the same quotes, each engine in its own way; nothing here imports Tradewind."""
