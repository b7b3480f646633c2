"""From what a person types to a plan: times, symbols, sources, the tenant and the strategy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tradewind.connectors.feeds import Feed, Simulator, open_feed
from tradewind.connectors.feeds.simulator.models import ModelMarket
from tradewind.connectors.feeds.sources import SIMULATOR
from tradewind.connectors.settings import Settings
from tradewind.processors.execution.costs import Costs
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.simulation.paths import KINDS
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.run import CAPITAL, Plan
from tradewind.streams.backtest.strategies import Chosen, Value, choose
from tradewind.streams.backtest.ticks import Range
from tradewind.streams.backtest.warmup import MOST_BARS, SILENCE_US

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US: Final = 1_000_000
RATE: Final = 10.0  # quotes a second of the simulator: about as many as a busy currency pair has
MOST_SIMULATED: Final = 10**9
STORED: Final = ("kafka", "questdb", "archive")
"""Sources of a stack, whose quotes are copied before a run."""


def planned(
    strategy: str | Strategy,
    sources: Sequence[str],
    *,
    parameters: Mapping[str, str | Value] | None = None,
    symbols: Iterable[str] = (),
    start: str | int | None = None,
    stop: str | int | None = None,
    tenant: str | None = None,
    capital: str | Decimal | int = CAPITAL,
    latency_ms: int | None = None,
    slippage_ticks: int | None = None,
    fee_bps: str | Decimal | int | None = None,
    warmup: int = 0,
    seed: int = 1,
    rate: float = RATE,
    model: str | None = None,
    settings: Settings | None = None,
) -> Plan:
    """Return the plan of a backtest.

    `strategy` is a name, a file, or a strategy that was built already. `start` and `stop` are ISO 8601, in UTC unless
    they name a zone, or µs. `tenant` is the first of the settings unless given. `seed` and `rate` (quotes a second) are
    the simulator's, and so is `model`, by which its prices move (`gbm`, `merton` or `garch`). A latency, slippage or
    fee that is None is that of the settings. Raises `BadInput` and `FeedError`.
    """
    known = settings or Settings()
    chosen = (
        Chosen(strategy, parameters or {}) if isinstance(strategy, Strategy) else choose(strategy, parameters or {})
    )
    begins = moment(start, "--from")
    warmup_us = _warmup_us(warmup, begins, chosen.strategy.interval_s)
    within = Range(begins, moment(stop, "--to"), frozenset(symbol.upper() for symbol in symbols), warmup_us)
    allowed = {**INSTRUMENTS, **known.instruments}
    strange = sorted(within.symbols - allowed.keys())
    if strange:
        raise BadInput(
            f"unknown symbol {strange[0]}; known are {', '.join(sorted(allowed))}. Add it to TRADEWIND_INSTRUMENTS, "
            "with its tick and lot size"
        )
    if model is not None and SIMULATOR not in sources:
        raise BadInput("--model is the simulator's: give --source simulator with it")
    return Plan(
        strategy=chosen.strategy,
        parameters=chosen.parameters,
        feeds=[_feed(source, within, seed, rate, model, known) for source in sources if source not in STORED],
        stored=_stored(sources),
        settings=_at_venue(known, latency_ms, slippage_ticks, fee_bps),
        tenant=tenant or known.tenants[0].tenant_id,
        within=within,
        capital=_decimal(capital, "the capital", "100000"),
        seed=seed,
        warmup=warmup,
    )


def moment(given: str | int | None, named: str) -> int | None:
    """Return a time as µs since 1970; raises `BadInput` for a text that is no time."""
    if given is None or isinstance(given, int):
        return given
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise BadInput(
            f"{named} is {given!r}, no time: write 2014-05-01, or 2014-05-01T09:30:00, or with a zone "
            "2014-05-01T09:30:00-04:00"
        ) from None
    passed = (found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH
    return (passed.days * 86_400 + passed.seconds) * SECOND_US + passed.microseconds


def _stored(sources: Sequence[str]) -> Sequence[str]:
    found = tuple(source for source in sources if source in STORED)
    if found and len(sources) > 1:
        raise BadInput(f"--source {found[0]} stands alone: the same quotes from two sources would count twice")
    return found


def _feed(  # noqa: PLR0917 - what a source may need
    source: str, within: Range, seed: int, rate: float, model: str | None, settings: Settings
) -> Feed:
    if source != SIMULATOR:
        return open_feed(source, symbols=settings.instruments)
    start, stop = within.reads_from, within.stop
    if start is None or stop is None:
        raise BadInput("the simulator needs --from and --to: it makes quotes for any time")
    count = int(max(stop - start, 0) * rate / SECOND_US)
    if count > MOST_SIMULATED:
        raise BadInput(f"the simulator would make {count:,} quotes; the limit is {MOST_SIMULATED:,}: lower --rate")
    if model is None:
        return Simulator(seed=seed, rate=rate, start_us=start, count=count)
    kind = next((kind for kind in KINDS if kind == model), None)
    if kind is None:
        raise BadInput(f"the simulator has no model {model!r}; it has: {', '.join(KINDS)}")
    return ModelMarket(kind, seed, rate, start, stop)


def _warmup_us(bars: int, begins: int | None, interval_s: int) -> int:
    if not 0 <= bars <= MOST_BARS:
        raise BadInput(f"a warm-up of {bars} bars: give 0 to {MOST_BARS:,}")
    if bars and begins is None:
        raise BadInput("--warmup needs --from: its bars come before that time")
    return bars * interval_s * SECOND_US + SILENCE_US if bars else 0


def _at_venue(
    settings: Settings, latency_ms: int | None, slippage_ticks: int | None, fee_bps: str | Decimal | int | None
) -> Settings:
    given: dict[str, Any] = {"venue_latency_ms": latency_ms, "venue_slippage_ticks": slippage_ticks}
    if fee_bps is not None:
        given["venue_fee_bps"] = _decimal(fee_bps, "the fee", "2.5, in hundredths of a percent")
    changed = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    if changed.venue_latency_ms < 1:
        raise BadInput(f"a latency of {latency_ms} ms: give 1 or more")
    try:
        Costs(changed.venue_slippage_ticks, changed.venue_fee_bps)
    except ValueError as error:
        raise BadInput(str(error)) from error
    return changed


def _decimal(given: str | Decimal | int, named: str, example: str) -> Decimal:
    try:
        return Decimal(given)
    except InvalidOperation:
        raise BadInput(f"{named} is {given!r}: give a number, such as {example}") from None
