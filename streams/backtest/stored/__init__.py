"""Quotes that a stack keeps, in Kafka, QuestDB or the archive: copied once, then read as feeds.

A topic has the quotes of several instruments in one partition, in the order in which they came in. A backtest merges
instruments by event time. So the quotes of a range go to disk first, each instrument's to files of its own. Memory does
not grow with the range, and the digest of what was copied is part of the result's id.
"""

from tradewind.streams.backtest.stored.opened import opened

__all__ = ["opened"]
