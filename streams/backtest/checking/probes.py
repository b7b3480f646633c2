"""The probes of `backtest check`: each changes what must not matter, and compares what the strategy decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.checking.decisions import Decisions, Difference, run_on
from tradewind.streams.backtest.checking.elsewhere import Job, NotSent, blocks_of, decided_elsewhere
from tradewind.streams.backtest.checking.futures import KINDS, Kind, other_after
from tradewind.streams.backtest.checking.guard import guarding
from tradewind.streams.backtest.checking.made import Made
from tradewind.streams.backtest.errors import BadInput, NoTicks
from tradewind.streams.backtest.run import Plan
from tradewind.streams.backtest.ticks import Ticks
from tradewind.streams.backtest.warmup import MOST_BARS, SILENCE_US

TIMES: Final = 50  # at which the future is replaced
MOST_TIMES: Final = 10_000
STARTS: Final = 5  # at which a run begins later
CUT_RUNS: Final = 3
CUTS: Final = 40  # of such a run: restarts of the strategy
MOST_QUOTES: Final = 10_000_000
"""Of the range, which stays in memory: some 700 MB."""
AFTER: Final = 20_000
"""Quotes after a replaced one that are fed, where one instrument is quoted: no decision before them needs more."""
TOLERANCE: Final = 1e-9
MINUTE_S: Final = 60
SECOND_US: Final = 1_000_000
FORBIDDEN, FUTURE, CUT, HASH, LATER = (
    "clock, randomness, files and network",
    "other data after a time",
    "cut elsewhere, restarted at each cut",
    "another process and hash seed",
    "begun later",
)
Progress = Callable[[str, int, int], None]
"""Gets the name of a probe, its runs so far, and all of its runs."""


@dataclass(slots=True)
class Probe:
    """What one probe found."""

    name: str
    runs: int = 0
    compared: int = 0
    """Decisions, over all runs."""
    failed: int = 0
    """Runs in which a decision differed, or calls that were refused."""
    first: str = ""
    """The first difference in event time, or the first refused call."""
    at: int | None = None
    """The time from which on the data of that run were others, µs."""
    difference: Difference | None = None
    skipped: str = ""
    """Why the probe was not made."""

    def note(self, compared: int, difference: Difference | None, at: int | None = None) -> None:
        """Take a run into account."""
        self.runs += 1
        self.compared += compared
        if difference is None:
            return
        self.failed += 1
        if self.difference is None or difference.ts_event < self.difference.ts_event:
            self.difference, self.at, self.first = difference, at, str(difference)

    @property
    def said(self) -> str:
        """What it found, in a sentence."""
        if self.skipped:
            return f"not checked: {self.skipped}"
        if not self.failed:
            return f"{self.runs:,} runs, {self.compared:,} decisions, nothing found"
        times = f" ({self.failed:,} of {self.runs:,} runs differ)" if self.difference is not None else ""
        since = "" if self.at is None else f" Its data are others after {time_to_json(self.at)}."
        return f"{self.first}.{since}{times}"

    def to_json(self) -> Mapping[str, Any]:
        """Return the probe as JSON."""
        of = self.difference
        event = None if of is None else {name: getattr(of, name) for name in of.__slots__}
        names = ("name", "runs", "compared", "failed", "first", "at", "skipped")
        return {**{name: getattr(self, name) for name in names}, "event": event}


@dataclass(slots=True)
class Checked:
    """What a check found."""

    strategy: str
    quotes: int
    decisions: int
    failed: str = ""
    """Why the strategy failed on the unchanged data, if it did."""
    probes: list[Probe] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether there was something to compare, and nothing was found."""
        return not self.failed and self.decisions > 0 and not any(probe.failed for probe in self.probes)

    @property
    def first(self) -> str:
        """What was found first; empty if nothing was."""
        if self.failed:
            return self.failed
        if not self.decisions:
            return "the strategy decided nothing in this range, so there is nothing to compare: give a longer one"
        return next((f"{probe.name}: {probe.first}" for probe in self.probes if probe.failed), "")

    def to_json(self) -> Mapping[str, Any]:
        """Return what was found as JSON."""
        names = ("strategy", "quotes", "decisions", "failed", "holds", "first")
        return {**{name: getattr(self, name) for name in names}, "probes": [probe.to_json() for probe in self.probes]}


def check(
    plan: Plan,
    made: Made,
    data: Path,
    *,
    times: int = TIMES,
    warmup: int = 0,
    seed: int = 1,
    elsewhere: bool = True,
    progress: Progress | None = None,
) -> Checked:
    """Check the strategy of a plan; `made` builds it.

    The future is replaced at `times` times, drawn with `seed`. After `warmup` bars, the strategy's signals must not
    depend on where its data begin; 0 leaves that probe out. Without `elsewhere`, no other process is started. Quotes
    for it are put in the data folder for the time of the check. Raises `BacktestError` and `FeedError`.
    """
    if not 1 <= times <= MOST_TIMES:
        raise BadInput(f"the future would be replaced at {times:,} times: give 1 to {MOST_TIMES:,}")
    if not 0 <= warmup <= MOST_BARS:
        raise BadInput(f"a warm-up of {warmup:,} bars: give 0 to {MOST_BARS:,}")
    ticks = _read(plan)
    base = Decisions()
    run_on(plan, made(), blocks_of(ticks), base.take)
    found = Checked(plan.strategy.name, ticks.height, len(base.events))
    found.probes.append(_forbidden(plan, made, ticks))
    if base.failed is not None:
        found.failed = base.failed.message
        return found
    of = _Probing(plan, made, ticks, base, np.random.default_rng(seed), progress or _silent)
    found.probes += [of.future(times), of.cut(), of.hashed(data) if elsewhere else _not_hashed(), of.later(warmup)]
    return found


def _not_hashed() -> Probe:
    return Probe(HASH, skipped="another process is not wanted")


def _silent(name: str, done: int, of: int) -> None:
    """Tell nobody."""


def _read(plan: Plan) -> pl.DataFrame:
    """Return all quotes of a plan, in the order of their arrival."""
    blocks, rows = [], 0
    for block in Ticks(plan.feeds, plan.within).blocks():
        blocks.append(block.select(*TICK_COLUMNS))
        rows += block.height
        if rows > MOST_QUOTES:
            raise BadInput(
                f"the range has over {MOST_QUOTES:,} quotes, and a check keeps them in memory: give a shorter one by "
                "--from and --to, or fewer --symbols"
            )
    if not rows:
        raise NoTicks("there is no quote in the range: choose another --from, --to, --symbols or --source")
    return pl.concat(blocks)


def _forbidden(plan: Plan, made: Made, ticks: pl.DataFrame) -> Probe:
    """Run the strategy under a guard."""
    probe = Probe(FORBIDDEN, runs=1)
    told = Decisions()
    with guarding() as guard:
        run_on(plan, guard.over(made()), blocks_of(ticks), told.take)
    probe.compared = len(told.events)
    probe.failed = sum(guard.refused.values())
    if guard.refused:
        refused = [str(refusal) for refusal in guard.refused]
        probe.first = refused[0] if len(refused) == 1 else f"{refused[0]} (and {len(refused) - 1} other calls)"
    return probe


@dataclass(slots=True)
class _Probing:
    """The probes that compare runs with the unchanged one."""

    plan: Plan
    made: Made
    ticks: pl.DataFrame
    base: Decisions
    draws: np.random.Generator
    progress: Progress

    def future(self, times: int) -> Probe:
        """Replace everything after a time, again and again: no decision up to that time may change."""
        probe = Probe(FUTURE)
        kinds = self._kinds()
        for number, at in enumerate(self._times(times)):
            self.progress(FUTURE, number, times)
            told: list[Event] = []
            blocks = blocks_of(self._changed(at, kinds[number // 2 % len(kinds)]))
            run_on(self.plan, self.made(), blocks, told.append)
            probe.note(*self.base.first_difference(told, at, ingested=False), at)
        return probe

    def cut(self) -> Probe:
        """Cut the quotes into other blocks, and build the strategy anew at each cut: bytes stay equal."""
        probe = Probe(CUT)
        for number in range(CUT_RUNS):
            self.progress(CUT, number, CUT_RUNS)
            told: list[Event] = []
            run_on(self.plan, self.made(), self._cut(), told.append, self.made)
            probe.note(*self.base.first_difference(told))
        return probe

    def hashed(self, data: Path) -> Probe:
        """Run in another process, with another hash seed: bytes stay equal."""
        probe = Probe(HASH)
        self.progress(HASH, 0, 1)
        with folder.draft(data, folder.COPY) as drafted:
            quotes = drafted / "quotes.parquet"
            self.ticks.write_parquet(quotes, compression="zstd", compression_level=1)
            try:
                told = decided_elsewhere(Job.of(self.plan, self.made, quotes))
            except NotSent as error:
                probe.skipped = f"the strategy cannot be built in another process ({error}): name its file or module"
                return probe
        probe.note(*self.base.first_difference(told))
        return probe

    def later(self, warmup: int) -> Probe:
        """Begin later: after the warm-up, the strategy says the same."""
        probe = Probe(LATER)
        if not warmup:
            probe.skipped = "no warm-up is declared: give --warmup BARS"
            return probe
        reached = self.ticks["ts_event"].cum_max().to_numpy()
        enough = reached[0] + warmup * self.plan.strategy.interval_s * SECOND_US
        roomy = reached[(reached >= enough) & (reached < reached[-1])]
        starts = self.draws.choice(roomy, STARTS if len(roomy) else 0)
        for number, start in enumerate(sorted(starts.tolist())):
            self.progress(LATER, number, STARTS)
            self._begun_at(probe, int(start), warmup)
        if not probe.compared:
            told = f"no signal came after a start with {warmup:,} bars before it"
            probe.skipped = f"{told}: give a longer range, or a shorter warm-up"
        return probe

    def _kinds(self) -> Sequence[Kind]:
        """Return how the future can be replaced without a change of what is known.

        If there are several instruments, a silent one would close its bars earlier where the quotes end, and its orders
        expire. Bars that end within a minute would close at its end.
        """
        whole = MINUTE_S % self.plan.strategy.interval_s == 0
        return KINDS if whole and self._is_alone else KINDS[:-1]

    @property
    def _is_alone(self) -> bool:
        """Whether one instrument is quoted."""
        return self.ticks.select("symbol", "venue").n_unique() == 1

    def _times(self, count: int) -> Iterator[int]:
        """Yield times, each second one that of a signal, where a look ahead is seen best."""
        quoted = self.ticks["ts_event"].to_numpy()
        decided = [signal.ts_event for signal in self.base.of(Signal)]
        for number in range(count):
            among = decided if number % 2 and decided else quoted
            yield int(among[int(self.draws.integers(len(among)))])

    def _changed(self, at: int, kind: Kind) -> pl.DataFrame:
        ticks = self.ticks
        if self._is_alone:
            later = np.flatnonzero(ticks["ts_event"].to_numpy() > at)
            if len(later):
                ticks = ticks[: int(later[0]) + AFTER]
        return other_after(ticks, at, kind)

    def _cut(self) -> Iterator[pl.DataFrame]:
        places = sorted({0, *self.draws.integers(1, max(self.ticks.height, 2), CUTS).tolist()})
        for start, stop in zip(places, [*places[1:], self.ticks.height], strict=True):
            yield from blocks_of(self.ticks[start:stop])

    def _begun_at(self, probe: Probe, start: int, warmup: int) -> None:
        plan = self.plan
        begins = start - warmup * plan.strategy.interval_s * SECOND_US - SILENCE_US
        ticks = self.ticks.filter(pl.col("ts_event") >= begins)
        told = Decisions()
        within = replace(plan.within, start=start, warmup_us=start - begins)
        engine = run_on(replace(plan, within=within, warmup=warmup), self.made(), blocks_of(ticks), told.take)
        warm = {name for name, bars in engine.warmed.items() if bars >= warmup}
        # Bars that end by the start belong to the warm-up.
        after = start + plan.settings.bar_grace_ms * US_PER_MS
        probe.note(*_same_views(self.base.of(Signal), told.of(Signal), warm, after), start)


def _same_views(
    own: Sequence[Signal], others: Sequence[Signal], warm: set[tuple[str, str]], after: int
) -> tuple[int, Difference | None]:
    """Compare the signals of instruments that were warm, by time: direction, and strength within `TOLERANCE`."""
    one, two = (
        {(of.ts_event, of.symbol, of.venue, of.account_id): of for of in signals}
        for signals in (
            [of for of in own if of.ts_event > after and (of.symbol, of.venue) in warm],
            [of for of in others if of.ts_event > after and (of.symbol, of.venue) in warm],
        )
    )
    for key in sorted(one.keys() | two.keys()):
        ours, theirs = one.get(key), two.get(key)
        known = ours or theirs
        assert known is not None  # the key is of one of them
        text = ""
        if ours is None or theirs is None:
            text = f"only the {'later' if ours is None else 'earlier'} run decides it: {known.direction}"
        elif ours.direction != theirs.direction or abs(ours.strength - theirs.strength) > TOLERANCE:
            text = f"{ours.direction} {ours.strength!r} became {theirs.direction} {theirs.strength!r}"
        if text:
            of = f"{known.symbol}.{known.venue}"
            return len(one), Difference("Signal", known.event_id, known.ts_event, of, text)
    return len(one), None
