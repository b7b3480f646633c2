"""A sweep: every set of a grid on the same quotes, ranked, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tradewind.processors.signals.strategy import Strategy
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BacktestError
from tradewind.streams.backtest.identity import id_of
from tradewind.streams.backtest.report.sweep_page import sweep_page
from tradewind.streams.backtest.run import REPORT, Plan, check_plan, manifest_of, refuse_nothing, source_json, tenant_of
from tradewind.streams.backtest.sweeps.grid import Parameters
from tradewind.streams.backtest.sweeps.outcomes import Job, Outcome, outcomes
from tradewind.streams.backtest.sweeps.prepared import Prepared, prepare
from tradewind.streams.backtest.sweeps.ranking import BY, Ranking, ranked
from tradewind.streams.backtest.ticks import Ticks

SUMMARY: Final = "sweep.json"
PREPARED: Final = ".prepared-"
"""Beginning of the names of folders of quotes and bars, which go with the sweep."""
Progress = Callable[[int, int, int], None]
"""Gets how many sets are done, how many there are, and how many failed."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that is on disk."""

    folder: Path
    summary: Mapping[str, Any] = field(repr=False)
    """What `sweep.json` holds."""
    interrupted: bool = False

    @property
    def report(self) -> Path:
        """The report, for a browser."""
        return self.folder / REPORT


def sweep(
    plan: Plan,
    made: Made,
    sets: Sequence[Parameters],
    data: Path,
    *,
    by: str = BY,
    processes: int = 1,
    progress: Progress | None = None,
) -> Sweep:
    """Run all sets, and write what came of them into a data folder.

    A set that the strategy refuses, or on which it fails, is reported, and the others go on. Ctrl-C ends the sweep and
    keeps the sets that are done. Raises `BacktestError` and `FeedError`; then nothing is written.
    """
    tenant = tenant_of(plan)
    check_plan(plan)
    ranked({}, by)  # refuses a metric before anything is run
    with folder.draft(data, PREPARED) as spool, folder.draft(data) as drafted:
        ticks = Ticks(plan.feeds, plan.within)
        ready = prepared_for(plan, made, sets, ticks.blocks(), spool)
        refuse_nothing(plan, ticks, ready.symbols(plan.within.start))
        job = Job(made, ready, plan.settings, plan.tenant, plan.within, plan.capital, plan.warmup)
        found, interrupted = run_all(job, sets, processes, progress)
        ranking = ranked(found, by)
        manifest = {**manifest_of(plan, tenant), "sets": [*sets], "by": by, "done": sorted(found)}
        summary = {
            "id": id_of(manifest),
            **manifest,
            "sources": [source_json(source) for source in ticks.sources],
            "quotes": ready.ticks,
            "interrupted": interrupted,
            "outcomes": [{"set": number, **of.to_json()} for number, of in sorted(found.items())],
            "ranking": ranking.to_json(),
        }
        return _written(drafted, summary, interrupted)


def _written(drafted: Path, summary: Mapping[str, Any], interrupted: bool) -> Sweep:  # noqa: FBT001 - of a result
    text = json.dumps(summary, indent=2, default=str, allow_nan=False)
    (drafted / SUMMARY).write_text(text + "\n", encoding="utf-8")
    read = json.loads(text)
    (drafted / REPORT).write_text(sweep_page(read), encoding="utf-8")
    path, _ = folder.publish(drafted, read["id"])
    return Sweep(path, read, interrupted)


def prepared_for(plan: Plan, made: Made, sets: Sequence[Parameters], blocks: Iterable[Any], spool: Path) -> Prepared:
    """Read the quotes of a plan once, and make the bars that any of its sets looks at."""
    lengths, beats = {plan.strategy.interval_s}, False
    for strategy in _sound(made, sets):
        lengths.add(strategy.interval_s)
        beats = beats or type(strategy).on_answer is not Strategy.on_answer
    return prepare(blocks, spool, plan.settings, lengths, beats=beats)


def _sound(made: Made, sets: Iterable[Parameters]) -> Iterable[Strategy]:
    for parameters in sets:
        try:
            yield made.with_parameters(parameters)()
        except BacktestError:
            continue  # it is reported when it is run


def first_sound(made: Made, sets: Sequence[Parameters]) -> Parameters:
    """Return the first set that the strategy takes; raises `BacktestError` where it takes none, for the first one."""
    refusal: BacktestError | None = None
    for parameters in sets:
        try:
            made.with_parameters(parameters)()
        except BacktestError as error:
            refusal = refusal or error
        else:
            return parameters
    assert refusal is not None  # a grid has a set
    raise refusal


def run_all(
    job: Job, sets: Sequence[Parameters], processes: int, progress: Progress | None
) -> tuple[dict[int, Outcome], bool]:
    """Return the outcomes by the number of their set, and whether Ctrl-C ended it."""
    found: dict[int, Outcome] = {}
    running = outcomes(job, sets, processes)
    try:
        for number, outcome in running:
            found[number] = outcome
            if progress is not None:
                progress(len(found), len(sets), sum(bool(one.failed) for one in found.values()))
    except KeyboardInterrupt:
        running.close()  # type: ignore[attr-defined]  # a generator
        if not found:
            raise
        return found, True
    return found, False


__all__ = ["Ranking", "Sweep", "sweep"]
