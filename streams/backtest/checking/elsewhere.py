"""The same run in another process, whose sets have another order: PYTHONHASHSEED is another one."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.streams.backtest.checking.decisions import Decisions, run_on
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BacktestError
from tradewind.streams.backtest.run import Plan
from tradewind.streams.backtest.ticks import BLOCK, Range

HASH_SEED: Final = "PYTHONHASHSEED"
SEEDS: Final = ("20140501", "19700101")
"""Of the other process: the first that is not this process's own."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the other process runs: a plan without its feeds, since the quotes are in a file."""

    settings: Settings
    tenant: str
    within: Range
    warmup: int
    quotes: Path
    """Parquet file."""
    made: bytes
    """What builds the strategy, pickled by itself: if that cannot be read, the job says so."""

    @classmethod
    def of(cls, plan: Plan, made: Made, quotes: Path) -> Job:
        """Return the job; raises `NotSent` where the strategy cannot be sent."""
        try:
            sent = pickle.dumps(made)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise NotSent(str(error)) from error
        return cls(plan.settings, plan.tenant, plan.within, plan.warmup, quotes, sent)


class NotSent(BacktestError):
    """A strategy cannot be built in another process; the message says why."""


def decided_elsewhere(job: Job) -> list[Event]:
    """Return what the job decides in a process of its own. Raises `NotSent`."""
    seed = next(seed for seed in SEEDS if seed != os.environ.get(HASH_SEED))
    with _hash_seed(seed), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_decided, job).result()


def _decided(job: Job) -> list[Event]:
    try:
        made: Made = pickle.loads(job.made)  # noqa: S301 - of the process that started this one
    except (ImportError, AttributeError) as error:
        raise NotSent(str(error)) from error
    strategy = made()
    found = Decisions()
    plan = Plan(strategy, {}, (), job.settings, job.tenant, job.within, warmup=job.warmup)
    run_on(plan, strategy, blocks_of(pl.read_parquet(job.quotes)), found.take)
    return [*found.events.values()]


def blocks_of(ticks: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield quotes in blocks of the usual length."""
    yield from ticks.iter_slices(BLOCK.records)


@contextmanager
def _hash_seed(seed: str) -> Iterator[None]:
    """Set the variable for processes that are started in this block."""
    before = os.environ.get(HASH_SEED)
    os.environ[HASH_SEED] = seed
    try:
        yield
    finally:
        if before is None:
            del os.environ[HASH_SEED]
        else:
            os.environ[HASH_SEED] = before
