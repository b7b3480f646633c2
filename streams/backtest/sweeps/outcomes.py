"""What became of each parameter set, and how they are run: one after the other, or in several processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tradewind.connectors.settings import Settings
from tradewind.processors.performance.deflated import daily_sharpe
from tradewind.processors.performance.ratios import returns_of
from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.backtest.checking.elsewhere import NotSent
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BacktestError, BadInput
from tradewind.streams.backtest.run import CAPITAL, Plan, Played, tenant_of
from tradewind.streams.backtest.sweeps.grid import Parameters
from tradewind.streams.backtest.sweeps.prepared import Prepared
from tradewind.streams.backtest.tables import Table, Tables
from tradewind.streams.backtest.ticks import Range

MOST_PROCESSES: Final = 256
DIED: Final = "a process of the sweep ended before its time; was memory short? Run again with fewer --processes"


@dataclass(frozen=True, slots=True)
class Job:
    """What all sets of a sweep share."""

    made: Made
    prepared: Prepared
    settings: Settings
    tenant: str
    within: Range
    capital: Decimal = CAPITAL
    warmup: int = 0

    def plan(self, strategy: Strategy, parameters: Mapping[str, Any]) -> Plan:
        """Return the plan of one set."""
        return Plan(
            strategy,
            parameters,
            (),
            self.settings,
            self.tenant,
            self.within,
            capital=self.capital,
            warmup=self.warmup,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One parameter set that was run, or that could not be run."""

    parameters: Mapping[str, Any]
    """As they were given."""
    failed: str = ""
    """Why the strategy refuses the set, or why it failed."""
    metrics: Mapping[str, float | int | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    equity: Decimal = Decimal(0)
    returns: Sequence[float] = ()
    """Of each session day."""

    @property
    def daily_sharpe(self) -> float | None:
        """The Sharpe ratio of a day; None where there is none."""
        return daily_sharpe(self.returns) if not self.failed else None

    def to_json(self) -> Mapping[str, Any]:
        """Return the outcome as JSON."""
        if self.failed:
            return {"parameters": self.parameters, "failed": self.failed}
        counts = {name: self.counts[name] for name in ("signals", "fills", "trades", "denied")}
        return {"parameters": self.parameters, "equity": str(self.equity), "counts": counts, "metrics": self.metrics}


def run_set(job: Job, parameters: Parameters) -> Outcome:
    """Run one set on the prepared quotes and bars."""
    try:
        strategy = job.made.with_parameters(parameters)()
        played = start(job, strategy, parameters)
        failed = played.play(job.prepared.quotes(), None)
    except BacktestError as error:
        return Outcome(parameters, str(error))
    if failed is not None:
        return Outcome(parameters, failed)
    told = played.told()
    amounts = [float(job.capital), *(equity for _, equity in played.curve.daily())]
    returns = returns_of(amounts) if min(amounts) > 0 else []
    return Outcome(parameters, "", told["metrics"], told["counts"], told["equity"], returns)


def start(job: Job, strategy: Strategy, parameters: Mapping[str, Any]) -> Played:
    """Return a run that is to play the prepared quotes: it gets their bars, and writes no tables."""
    plan = job.plan(strategy, parameters)
    played = Played(plan, tenant_of(plan), Tables(*(_Nowhere(Path(), {}) for _ in range(4))))
    played.engine.stages.market.processor = job.prepared.market()
    return played


class _Nowhere(Table):
    """A table that nobody reads."""

    def add(self, row: Sequence[Any]) -> None:
        """Forget a row."""

    def close(self) -> None:
        """Write nothing."""


def outcomes(job: Job, sets: Sequence[Parameters], processes: int) -> Iterator[tuple[int, Outcome]]:
    """Yield the outcome of each set with its number, as they are done.

    Raises `BadInput` for a number of processes that is out of range. If the iteration is broken off, the processes end.
    """
    if not 1 <= processes <= MOST_PROCESSES:
        raise BadInput(f"{processes} processes: give 1 to {MOST_PROCESSES}")
    if processes == 1 or len(sets) == 1:
        yield from ((number, run_set(job, parameters)) for number, parameters in enumerate(sets))
        return
    try:
        sent = pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotSent(
            f"the strategy cannot be built in other processes ({error}): give its name, or 1 process"
        ) from error
    spawning = multiprocessing.get_context("spawn")  # polars' threads do not survive a fork
    with ProcessPoolExecutor(min(processes, len(sets)), spawning, _begin, (sent,)) as pool:
        waiting = {pool.submit(_run, parameters): number for number, parameters in enumerate(sets)}
        try:
            for done in as_completed(waiting):
                number = waiting[done]
                try:
                    yield number, done.result()
                except BrokenProcessPool:
                    yield number, Outcome(sets[number], DIED)
        finally:
            if not all(one.done() for one in waiting):
                pool.shutdown(wait=False, cancel_futures=True)
                for process in multiprocessing.active_children():
                    process.terminate()


_jobs: list[Job] = []
"""The job of a worker process."""


def _begin(sent: bytes) -> None:
    """Take the job; Ctrl-C is for the process that started this one to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _jobs.append(pickle.loads(sent))  # noqa: S301 - of the process that started this one


def _run(parameters: Parameters) -> Outcome:
    return run_set(_jobs[0], parameters)


def default_processes() -> int:
    """Return how many processes a sweep has unless told otherwise: one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
