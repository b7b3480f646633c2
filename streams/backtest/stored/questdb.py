"""Copy the quotes of a range from QuestDB, where they lie by event time: late quotes are not late any more."""

from __future__ import annotations

from typing import Final

from tradewind.connectors.feeds.files.spool import Spool
from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.quotes import QuestDbQuotes
from tradewind.streams.backtest.ticks import Range

ORDER: Final = "QuestDB gives quotes in the order of event time, so quotes that were late live are on time here"


def copy_questdb(settings: Settings, within: Range, spool: Spool) -> list[str]:
    """Copy the quotes of a range to a spool; return what a reader of the result must know.

    Raises `NotReadable`.
    """
    quotes = QuestDbQuotes(settings, within.reads_from, within.stop)
    try:
        for name in quotes.instruments(within.symbols):
            for block in quotes.blocks(name):
                spool.add(block)
    finally:
        quotes.close()
    return [ORDER]
