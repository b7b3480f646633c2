"""Walk-forward: the best set of each training window trades the test window that follows; the tests are one result.

Each test window begins with the equity of the last one, and without a position. What is open at its end is valued at
its last bar: leaving it costs nothing, and the next window does not know it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.joined import joined_curve, joined_sums
from tradewind.processors.performance.metrics import metrics
from tradewind.processors.performance.trades import Traded
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.identity import id_of
from tradewind.streams.backtest.report.thinning import Thinned
from tradewind.streams.backtest.report.walk_page import walk_page
from tradewind.streams.backtest.run import REPORT, Plan, check_plan, manifest_of, refuse_nothing, source_json, tenant_of
from tradewind.streams.backtest.sweeps.grid import Parameters
from tradewind.streams.backtest.sweeps.outcomes import Job, start
from tradewind.streams.backtest.sweeps.ranking import BY, ranked
from tradewind.streams.backtest.sweeps.spooled import Spooled
from tradewind.streams.backtest.sweeps.sweep import PREPARED, prepared_for, run_all
from tradewind.streams.backtest.sweeps.windows import Window, windows
from tradewind.streams.backtest.ticks import Ticks

SUMMARY: Final = "walk.json"
Progress = Callable[[int, int, int, int], None]
"""Gets the windows that are done, all windows, the sets of this one that are done, and all sets."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk-forward that is on disk."""

    folder: Path
    summary: Mapping[str, Any] = field(repr=False)
    """What `walk.json` holds."""
    interrupted: bool = False

    @property
    def report(self) -> Path:
        """The report, for a browser."""
        return self.folder / REPORT


@dataclass(slots=True)
class _Account:
    """The account over all test windows so far."""

    capital: Decimal
    peak: Decimal
    curves: list[Curve] = field(default_factory=list)
    sums: list[Traded] = field(default_factory=list)
    drawn: Thinned = field(default_factory=Thinned)
    windows: list[Mapping[str, Any]] = field(default_factory=list)


def walk(  # noqa: PLR0917 - a sweep's, and the windows
    plan: Plan,
    made: Made,
    sets: Sequence[Parameters],
    data: Path,
    train_us: int,
    test_us: int,
    *,
    by: str = BY,
    processes: int = 1,
    progress: Progress | None = None,
) -> Walk:
    """Walk forward over the range of a plan, and write the joined result of the test windows into a data folder.

    Ctrl-C keeps the test windows that are done. Raises `BacktestError` and `FeedError`; then nothing is written.
    """
    tenant = tenant_of(plan)
    check_plan(plan)
    ranked({}, by)  # refuses a metric before anything is run
    with folder.draft(data, PREPARED) as spool, folder.draft(data) as drafted:
        ticks = Ticks(plan.feeds, plan.within)
        spooled = Spooled(spool)
        spooled.add(ticks.blocks())
        refuse_nothing(plan, ticks, spooled.symbols)
        first = spooled.first if plan.within.start is None else max(spooled.first, plan.within.start)
        of = _Walking(plan, made, sets, spooled, by, processes)
        account = _Account(plan.capital, plan.capital)
        interrupted = _all(of, windows(first, spooled.last + 1, train_us, test_us), account, progress)
        manifest = {
            **manifest_of(plan, tenant),
            "sets": [*sets],
            "by": by,
            "train_us": train_us,
            "test_us": test_us,
            "done": len(account.windows),
        }
        summary = {
            "id": id_of(manifest),
            **manifest,
            "sources": [source_json(source) for source in ticks.sources],
            "interrupted": interrupted,
            "windows": account.windows,
            **_joined(account),
        }
        text = json.dumps(summary, indent=2, default=str, allow_nan=False)
        (drafted / SUMMARY).write_text(text + "\n", encoding="utf-8")
        read = json.loads(text)
        (drafted / REPORT).write_text(walk_page(read, account.drawn.points()), encoding="utf-8")
        path, _ = folder.publish(drafted, read["id"])
        return Walk(path, read, interrupted)


def _joined(account: _Account) -> Mapping[str, Any]:
    if not account.curves:
        raise BadInput("no test window had a set that was run to its end: see what the sets say by backtest sweep")
    curve = joined_curve(account.curves)
    measured = metrics(curve, joined_sums(account.sums))
    return {
        "equity": curve.equity,
        "session_days_end": curve.days.name,
        "metrics": measured.values,
        "without_value": measured.why,
    }


def _all(of: _Walking, steps: Sequence[Window], account: _Account, progress: Progress | None) -> bool:
    """Walk through all windows; return whether Ctrl-C ended it."""
    for number, window in enumerate(steps):

        def tell(done: int, sets: int, failed: int, number: int = number) -> None:  # noqa: ARG001 - a sweep's progress
            if progress is not None:
                progress(number, len(steps), done, sets)

        try:
            account.windows.append(of.step(window, account, tell))
        except KeyboardInterrupt:
            if not account.curves:
                raise
            return True
    return False


@dataclass(slots=True)
class _Walking:
    """What all windows share."""

    plan: Plan
    made: Made
    sets: Sequence[Parameters]
    spooled: Spooled
    by: str
    processes: int

    def step(self, window: Window, account: _Account, tell: Callable[[int, int, int], None]) -> Mapping[str, Any]:
        """Train on a window, and trade the following one; return what came of it."""
        noted: dict[str, Any] = {name: getattr(window, name) for name in window.__slots__}
        with folder.draft(self.spooled.folder, PREPARED) as place:
            job = self._job(window.train_start, window.test_start, place, self.plan.capital)
            if not job.prepared.ticks:
                return {**noted, "skipped": "the training window has no quotes"}
            found, interrupted = run_all(job, self.sets, self.processes, tell)
        if interrupted:
            raise KeyboardInterrupt
        ranking = ranked(found, self.by)
        if not ranking.numbers:
            first = next(iter(found.values())).failed
            return {**noted, "skipped": f"no set was run to its end in training; the first said: {first}"}
        best = found[ranking.numbers[0]]
        noted |= {"parameters": best.parameters, "by": ranking.by, "in_training": best.metrics[ranking.by]}
        return {**noted, **self._test(window, best.parameters, account)}

    def _test(self, window: Window, parameters: Parameters, account: _Account) -> Mapping[str, Any]:
        with folder.draft(self.spooled.folder, PREPARED) as place:
            job = self._job(window.test_start, window.test_stop, place, account.capital)
            if not job.prepared.ticks:
                return {"skipped": "the test window has no quotes"}
            played = start(job, self.made.with_parameters(parameters)(), parameters)
            played.curve.peak = max(account.peak, account.capital)
            failed = played.play(job.prepared.quotes(), None)
            if failed is not None:
                return {"skipped": failed}
        told = played.told()
        before, account.capital = account.capital, played.curve.equity
        account.peak = played.curve.peak
        account.curves.append(played.curve)
        account.sums.append(played.ledger.traded)
        for ts, amount in [(window.test_start, float(before)), *played.curves.equity.points()]:
            account.drawn.add(ts, amount)
        return {
            "equity": told["equity"],
            "return": float(account.capital / before - 1),
            "trades": told["counts"]["trades"],
            "fills": told["counts"]["fills"],
            "open": told["open"],
        }

    def _job(self, begin: int, stop: int, place: Path, capital: Decimal) -> Job:
        """Return the job of a part of time, with the warm-up before it."""
        within = replace(self.plan.within, start=begin, stop=stop)
        reads_from = within.reads_from
        assert reads_from is not None  # it begins
        plan = replace(self.plan, within=within)
        ready = prepared_for(plan, self.made, self.sets, self.spooled.between(reads_from, stop), place)
        return Job(self.made, ready, plan.settings, plan.tenant, within, capital, plan.warmup)
