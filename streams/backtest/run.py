"""One backtest: from what was asked for to a result in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl

from tradewind.connectors.feeds import Feed
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.settings import Settings
from tradewind.processors.performance.curve import Curve
from tradewind.processors.performance.days import NEW_YORK_DAYS, UTC_DAYS
from tradewind.processors.performance.metrics import metrics
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.tenant import Tenant
from tradewind.schemas.event import Event
from tradewind.streams.backtest import folder
from tradewind.streams.backtest.engine import Engine, quoted
from tradewind.streams.backtest.errors import BadInput, NoTicks
from tradewind.streams.backtest.gaps import Gaps
from tradewind.streams.backtest.identity import code_of, id_of
from tradewind.streams.backtest.ledger import DAILY, EQUITY, ORDERS, TRADES, Ledger, StrategyFailed
from tradewind.streams.backtest.luck import luck
from tradewind.streams.backtest.report.curves import Curves
from tradewind.streams.backtest.report.figures import figures
from tradewind.streams.backtest.report.page import page
from tradewind.streams.backtest.stages import stages
from tradewind.streams.backtest.tables import Table, Tables
from tradewind.streams.backtest.ticks import Range, Ticks

CAPITAL: Final = Decimal(100_000)
LARGEST_CAPITAL: Final = Decimal(10) ** 15  # of the range of amounts, so that every sum fits its columns


COUNTED: Final = ("signals", "requests", "approved", "denied", "fills", "expired", "canceled", "trades")
REPORT: Final = "report.html"
STABLE: Final = ("USDT", "USDC")
CODE: Final = 3  # letters of a currency (ISO 4217)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    strategy: Strategy
    parameters: Mapping[str, Any]
    feeds: Sequence[Feed]
    settings: Settings
    """Grace, leap and latency of the run; the tenants and the instruments."""
    tenant: str
    within: Range = field(default_factory=Range)
    capital: Decimal = CAPITAL
    seed: int = 1
    warmup: int = 0
    """Bars of each instrument before the range that the strategy sees, and on which nothing is ordered."""
    stored: Sequence[str] = ()
    """Sources of a stack whose quotes are not in `feeds` yet (`stored`)."""
    notes: Sequence[str] = ()
    """What a reader of the result must know of the sources."""


@dataclass(frozen=True, slots=True)
class Result:
    """A result that is on disk."""

    folder: Path
    summary: Mapping[str, Any] = field(repr=False)
    """What `result.json` holds."""
    known: bool = False
    """Whether the same result was there before."""

    def _table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")

    @property
    def orders(self) -> pl.DataFrame:
        """A row for each order request."""
        return self._table("orders")

    @property
    def trades(self) -> pl.DataFrame:
        """A row for each part of a position that was closed."""
        return self._table("trades")

    @property
    def equity(self) -> pl.DataFrame:
        """A row for each new version of a position."""
        return self._table("equity")

    @property
    def daily(self) -> pl.DataFrame:
        """A row for each session day."""
        return self._table("daily")

    @property
    def report(self) -> Path:
        """The report, for a browser."""
        return self.folder / REPORT

    @property
    def failed(self) -> str | None:
        """Why the strategy failed; None if it did not."""
        failed: str | None = self.summary["failed"]
        return failed


def run(plan: Plan, data: Path, progress: Callable[[int, int], None] | None = None) -> Result:
    """Run a backtest and write its result into a data folder.

    `progress` gets the quotes so far, and the event time that is reached, µs. If the strategy fails, the result holds
    what was decided before, and says why. Raises `BacktestError` and `FeedError`; then nothing is written.
    """
    tenant = tenant_of(plan)
    check_plan(plan)
    manifest = manifest_of(plan, tenant)
    with folder.draft(data) as drafted:
        done, told = _run(plan, tenant, drafted, progress)
        text = json.dumps({"id": id_of(manifest), **manifest, **told}, indent=2, default=str, allow_nan=False)
        (drafted / folder.SUMMARY).write_text(text + "\n", encoding="utf-8")
        summary = json.loads(text)
        _report(drafted, summary, done.curves)
        path, known = folder.publish(drafted, summary["id"])
    return Result(path, summary, known)


def _report(drafted: Path, summary: Mapping[str, Any], curves: Curves) -> None:
    trades, daily, equity = (pl.read_parquet(drafted / f"{name}.parquet") for name in ("trades", "daily", "equity"))
    drawn_again = luck(summary, trades, equity, daily)
    text = page(summary, figures(summary, curves, trades, daily, drawn_again), curves.left_out)
    (drafted / REPORT).write_text(text, encoding="utf-8")


def load(data: Path, wanted: str) -> Result:
    """Return a result by its id, or by the beginning of its id. Raises `UnknownResult`."""
    path = folder.find(data, wanted)
    return Result(path, json.loads((path / folder.SUMMARY).read_bytes()), known=True)


def played(plan: Plan, blocks: Iterable[pl.DataFrame], folder_: Path) -> Mapping[str, Any]:
    """Run a plan on quotes in memory, and write its tables; return what its summary says of the run."""
    found = Played(plan, tenant_of(plan), _tables(folder_))
    found.play(blocks, None)
    found.ledger.close()
    found.ledger.tables.close()
    return found.told()


def _tables(drafted: Path) -> Tables:
    schemas = {"orders": ORDERS, "trades": TRADES, "equity": EQUITY, "daily": DAILY}
    return Tables(**{name: Table(drafted / f"{name}.parquet", schema) for name, schema in schemas.items()})


def _run(
    plan: Plan, tenant: Tenant, drafted: Path, progress: Callable[[int, int], None] | None
) -> tuple[Played, Mapping[str, Any]]:
    tables = _tables(drafted)
    ticks = Ticks(plan.feeds, plan.within)
    with ExitStack() as stack:
        blocks = ticks.blocks()
        stack.callback(blocks.close)
        done = Played(plan, tenant, tables)
        failed = done.play(blocks, progress)
    if failed is None:
        refuse_nothing(plan, ticks, {symbol for symbol, _ in done.gaps.instruments})
    done.ledger.close()
    tables.close()
    return done, {"failed": failed, "sources": [source_json(source) for source in ticks.sources], **done.told()}


class Played:
    """A run while it runs: the engine, what is written of it, and the gaps in its quotes."""

    def __init__(self, plan: Plan, tenant: Tenant, tables: Tables) -> None:
        self.gaps, self.curves = Gaps(plan.within.start, plan.within.stop), Curves()
        self.curve = Curve(plan.capital, UTC_DAYS)
        self.ledger = Ledger(tables, self.curve, self.curves.equity)
        agents = stages(plan.settings, plan.strategy, tenant)
        self.engine = Engine(agents, self._take, plan.within.start, plan.warmup)
        self._within = plan.within

    def play(self, blocks: Iterable[pl.DataFrame], progress: Callable[[int, int], None] | None) -> str | None:
        """Run all quotes; return why the strategy failed, None if it did not."""
        try:
            for block in blocks:
                segment, counted = quoted(block), self._within.counted(block)
                if counted.height:
                    self._begin(counted)
                    self.gaps.take(segment.quotes if counted is block else quoted(counted).quotes)
                self.engine.feed(segment)
                _one_currency(self.engine)
                if progress is not None:
                    progress(self.engine.counts.ticks, int(block["ts_event"][-1]))
            self.engine.close()
            self.gaps.close()
        except StrategyFailed as error:
            return str(error)
        self.curve.reach(max(self.engine.ends.values(), default=0))
        return None

    def _take(self, event: Event) -> None:
        self.ledger.take(event)
        self.curves.take(event)

    def _begin(self, block: pl.DataFrame) -> None:
        if self.curve.first is None:
            crypto = block["symbol"][0].endswith(STABLE)
            self.curve.days = UTC_DAYS if crypto else NEW_YORK_DAYS
            self.curve.begin(int(block["ts_event"][0]))

    def told(self) -> Mapping[str, Any]:
        """Return what the summary says of the run."""
        ledger, counts, names = self.ledger, self.engine.counts, self.gaps.instruments
        measured = metrics(self.curve, ledger.traded)
        return {
            "instruments": [".".join(name) for name in names],
            "counts": {
                **{name: getattr(counts, name) for name in counts.__slots__},
                **{name: ledger.counts[name] for name in COUNTED},
            },
            "currency": currency_of(names[0][0]) if names else None,
            "denials": dict(sorted(ledger.denials.items())),
            "gaps": self.gaps.to_json(),
            "warmup_seen": {".".join(name): bars for name, bars in sorted(self.engine.warmed.items())},
            "equity": self.curve.equity,
            "account": ledger.account,
            "open": ledger.open_quantity,
            "session_days_end": self.curve.days.name,
            "metrics": measured.values,
            "without_value": measured.why,
        }


def source_json(source: Any) -> Mapping[str, Any]:
    """Return what was read of a source as JSON."""
    return {name: getattr(source, name) for name in source.__slots__}


def tenant_of(plan: Plan) -> Tenant:
    """Return the tenant that trades; raises `BadInput` if the settings have none of this name."""
    known = {tenant.tenant_id: tenant for tenant in plan.settings.tenants}
    if plan.tenant not in known:
        raise BadInput(
            f"there is no tenant {plan.tenant!r}; the tenants of the settings are: {', '.join(known)}. "
            "Others stand in TRADEWIND_TENANTS"
        )
    return known[plan.tenant]


def check_plan(plan: Plan) -> None:
    """Raise `BadInput` for a capital or a range that no run can have."""
    if not (plan.capital.is_finite() and 0 < plan.capital <= LARGEST_CAPITAL):
        raise BadInput(f"the capital is {plan.capital}: give an amount above 0, at most {LARGEST_CAPITAL:,}")
    start, stop = plan.within.start, plan.within.stop
    if start is not None and stop is not None and start >= stop:
        raise BadInput(f"the range ends at {time_to_json(stop)}, and begins at {time_to_json(start)}: give a later end")
    assert not plan.stored, "a plan is opened before it is run"


def _one_currency(engine: Engine) -> None:
    """Raise `BadInput` where instruments are quoted in several currencies: their profits have no sum."""
    found = {currency_of(symbol): symbol for symbol, _ in engine.instruments}
    if len(found) > 1:
        told = ", ".join(f"{symbol} in {currency}" for currency, symbol in sorted(found.items()))
        raise BadInput(f"the quotes are in several currencies ({told}), and profits are not converted: name --symbols")


def currency_of(symbol: str) -> str:
    """Return the currency that a symbol's prices are in, as venues write it at the symbol's end."""
    return next((stable for stable in STABLE if symbol.endswith(stable)), symbol[-CODE:])


def refuse_nothing(plan: Plan, ticks: Ticks, seen: set[str]) -> None:
    """Raise `NoTicks` where nothing, or nothing of a symbol, was in the range; says what there is."""
    missing = sorted(plan.within.symbols - seen)
    if seen and not missing:
        return
    found = [
        f"{source.name} has {source.ticks + source.outside:,} quotes"
        + ("" if source.first is None else f" from {time_to_json(source.first)} to {time_to_json(source.last or 0)}")
        + "".join(f", and {told}" for told in source.beside())
        for source in ticks.sources
    ]
    told = "; ".join([*found, *plan.notes]) or "the source has none"
    what = f"no quote of {', '.join(missing)}" if missing else "no quote"
    raise NoTicks(f"there is {what} in the range: {told}. Choose another --from, --to, --symbols or --source")


def manifest_of(plan: Plan, tenant: Tenant) -> Mapping[str, Any]:
    """Return what a result is made of."""
    strategy, settings, within = plan.strategy, plan.settings, plan.within
    return {
        "strategy": {
            "name": strategy.name,
            "version": strategy.version,
            "interval_s": strategy.interval_s,
            "parameters": dict(sorted(plan.parameters.items())),
        },
        "code": code_of(settings, strategy),
        "data": {
            "sources": sorted(feed.source for feed in plan.feeds),
            "from": within.start,
            "to": within.stop,
            "symbols": sorted(within.symbols),
            "notes": [*plan.notes],
        },
        "tenant": _plain(tenant),
        "capital": plan.capital,
        "venue_latency_ms": settings.venue_latency_ms,
        "venue_slippage_ticks": settings.venue_slippage_ticks,
        "venue_fee_bps": settings.venue_fee_bps,
        "bar_grace_ms": settings.bar_grace_ms,
        "tick_leap_s": settings.tick_leap_s,
        "instruments_given": {name: _plain(one) for name, one in sorted(settings.instruments.items())},
        "warmup_bars": plan.warmup,
        "seed": plan.seed,
    }


def _plain(value: Any) -> Any:
    """Return a value object as JSON has it."""
    slots = getattr(value, "__slots__", None)
    return (
        value if slots is None or isinstance(value, str | Decimal) else {of: _plain(getattr(value, of)) for of in slots}
    )
