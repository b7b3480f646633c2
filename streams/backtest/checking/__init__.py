"""Checks that a strategy is a function of its bars and its memory, and does not know the future.

    from tradewind.backtest import check

    found = check("my_own.py", ["quotes.zip"])
    assert found.holds, found.first

`probes.py` runs the strategy on changed data, in other parts and in another process, and compares each decision
(docs/backtesting.md).
"""
