"""Backtests: the agents' own processors on recorded quotes, in one process and in event time.

    from tradewind.backtest import run

    result = run("ema_crossover", ["quotes.zip"])
    print(result.summary["counts"])

Nothing here decides on a bar, a signal, an order or a fill: `stages.py` calls the processors of the agents
(docs/backtesting.md).
"""
