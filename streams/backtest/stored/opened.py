"""Copy what a plan reads from a stack, so that the plan can be run, and compared, any number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from tradewind.connectors.feeds.files.spool import Spool
from tradewind.connectors.settings import Settings
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.run import Plan
from tradewind.streams.backtest.stored.archive import copy_archive
from tradewind.streams.backtest.stored.kafka import copy_kafka
from tradewind.streams.backtest.stored.questdb import copy_questdb
from tradewind.streams.backtest.ticks import Range

Copy = Callable[[Settings, Range, Spool], list[str]]
COPIES: Final[Mapping[str, Copy]] = {"kafka": copy_kafka, "questdb": copy_questdb, "archive": copy_archive}
"""Source -> what copies its quotes."""


@contextmanager
def opened(plan: Plan, data: Path) -> Iterator[Plan]:
    """Return a plan whose quotes are all in feeds; copies of them lie in a data folder until the end.

    Raises `BacktestError`, `StreamError`, `NotReadable` and `ArchiveError`.
    """
    if not plan.stored:
        if not plan.feeds:
            raise BadInput("no source is given: name files of quotes by --source FILE")
        yield plan
        return
    with folder.draft(data, folder.COPY) as drafted:
        feeds, notes = [*plan.feeds], [*plan.notes]
        for kind in plan.stored:
            spool = Spool(drafted / kind)
            notes += COPIES[kind](plan.settings, plan.within, spool)
            feeds += spool.feeds(kind)
        yield replace(plan, feeds=feeds, stored=(), notes=tuple(notes))
