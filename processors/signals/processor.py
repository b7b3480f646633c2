"""Call every strategy with every bar. A strategy that fails is quarantined; the other strategies continue.

The quarantine concerns one version of a strategy, in all instruments of the task, because its code has failed. The
processor drops the half-written memory and sends one alert with the reason. Raising `version` ends the quarantine.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Iterable

from tradewind.processors.batch import Processor, Segment, State, rows_of
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.signals.strategy import JSON, NAME_CHARACTERS, Strategy, View, flaw_of
from tradewind.processors.signals.volatility import next_variance
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import QuarantineState, Signal, StrategyState, VolatilityState

MEMORY_BYTES = 65_536  # of JSON: it is written to the changelog with each batch of bars
MINUTE_S = 60
FRAMES = 3  # innermost frames of a traceback that an alert quotes: where it failed, and who called
ALERT_CHARACTERS = 2_000  # an exception's text may be of any length


class _Failed(Exception):
    """A strategy did not answer as it must; the message says how."""


def signals(strategies: Iterable[Strategy]) -> Processor:
    """Return the signals agent's processor: bars and heartbeats -> signals, alerts and heartbeats.

    Passes heartbeats on. For a bar at time t, emits a heartbeat at t - 1 µs.

    Raises `ValueError` where two strategies share a name, or where a name or an interval is unusable.
    """
    asked = tuple(sorted(strategies, key=lambda strategy: strategy.name))
    names = [strategy.name for strategy in asked]
    for strategy in asked:
        name = strategy.name
        if names.count(name) > 1 or not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS or "/" in name:
            raise ValueError(
                f"strategy {name!r}: give it a name of its own, 1 to {NAME_CHARACTERS} characters without a slash"
            )
        if strategy.interval_s < 1:
            raise ValueError(
                f"strategy {name!r}: interval_s is {strategy.interval_s}; it is the length of bars in seconds"
            )

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        if segment.model not in (Bar, Heartbeat):
            raise TypeError(
                f"signals are made of bars and heartbeats, not of {segment.model.__name__} ({segment.topic})"
            )
        sent: list[Event] = []
        for event, ts_ingest in zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True):
            if isinstance(event, Bar):
                # No bar of the instrument that follows is earlier, and so nothing that this agent sends after it.
                time = event.ts_event - 1
                sent.append(Heartbeat(symbol=event.symbol, venue=event.venue, ts_event=time, ts_ingest=ts_ingest))
                sent += _on_bar(state, asked, event, ts_ingest)
            else:
                sent.append(event)
        return sent

    return process


def _on_bar(state: State, strategies: tuple[Strategy, ...], bar: Bar, ts_ingest: int) -> list[Event]:
    asked = [strategy for strategy in strategies if strategy.interval_s == bar.interval_s]
    if not asked:
        return []
    volatility = _volatility(state, bar)
    sent: list[Event] = []
    for strategy in asked:
        quarantine = f"quarantine/{strategy.name}/{strategy.version}"
        if state.get(quarantine, QuarantineState) is not None:
            continue
        try:
            view = _ask(state, strategy, bar)
        except _Failed as failed:
            reason = str(failed)
            kept = QuarantineState(
                strategy=strategy.name, version=strategy.version, ts_event=bar.ts_event, reason=reason
            )
            state.put(quarantine, kept)
            sent.append(_alert(strategy, bar, ts_ingest, reason))
            continue
        if view is not None:
            sent.append(_signal(strategy, view, volatility, bar, ts_ingest))
    return sent


def _volatility(state: State, bar: Bar) -> float:
    """Return the standard deviation of returns per minute after this bar; 0 before the second bar.

    Returns of bars of different lengths are compared by the square root of time, so that a signal's volatility means
    the same whatever bars it was made on.
    """
    key = f"volatility/{instrument(bar.symbol, bar.venue)}/{bar.interval_s}"
    before = state.get(key, VolatilityState)
    variance = 0.0 if before is None else next_variance(before.variance, before.mid_close, bar.mid_close)
    after = VolatilityState(
        symbol=bar.symbol, venue=bar.venue, interval_s=bar.interval_s, mid_close=bar.mid_close, variance=variance
    )
    state.put(key, after)
    return math.sqrt(variance * MINUTE_S / bar.interval_s)


def _ask(state: State, strategy: Strategy, bar: Bar) -> View | None:
    """Return a strategy's view and store its memory. If either is unsound, raises `_Failed` and stores nothing."""
    key = f"memory/{strategy.name}/{strategy.version}/{instrument(bar.symbol, bar.venue)}"
    before = state.get(key, StrategyState)
    memory: dict[str, JSON] = {} if before is None else json.loads(before.memory)
    try:
        view = strategy.on_bar(memory, bar)
        flaw = flaw_of(view)
        text = _stored(memory)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of polars and sys.exit() are no reason to stop its neighbours
        raise _Failed(_summary(error)) from error
    if flaw is not None:
        raise _Failed(flaw)
    if before is None or text != before.memory:
        kept = StrategyState(strategy=strategy.name, symbol=bar.symbol, venue=bar.venue, memory=text)
        state.put(key, kept)
    return view


def _stored(memory: dict[str, JSON]) -> str:
    """Return memory as JSON; raises `ValueError` or `TypeError` if JSON would not restore it exactly."""
    text = json.dumps(memory, allow_nan=False)
    if len(text) > MEMORY_BYTES:  # ASCII: a character is a byte
        raise ValueError(f"memory takes {len(text):,} bytes of JSON; the limit is {MEMORY_BYTES:,}")
    if json.loads(text) != memory:
        raise ValueError("memory is not what JSON restores: use lists for tuples, and str for the keys of dicts")
    return text


def _summary(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    # Names of files without folders: the same text, and so the same state, wherever it is installed.
    where = " > ".join(
        f"{frame.filename.replace(chr(92), '/').rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames
    )
    try:
        what = str(error)
    except Exception as unsaid:  # noqa: BLE001 - a strategy's own exception may fail at this too
        what = f"(its text cannot be had: {type(unsaid).__name__})"
    shown = f"{type(error).__name__}: {what} at {where}"[:ALERT_CHARACTERS]
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _alert(strategy: Strategy, bar: Bar, ts_ingest: int, reason: str) -> Alert:
    return Alert(
        event_id=derive_id("Alert", "STRATEGY_QUARANTINED", strategy.name, strategy.version, bar.event_id),
        ts_event=bar.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=bar.correlation_id,
        causation_id=bar.event_id,
        severity="CRITICAL",
        source=strategy.name,
        code="STRATEGY_QUARANTINED",
        message=(
            f"strategy {strategy.name} (version {strategy.version}) failed on {instrument(bar.symbol, bar.venue)} "
            f"and is not asked again: {reason}. Mend it and raise its version."
        ),
    )


def _signal(strategy: Strategy, view: View, volatility: float, bar: Bar, ts_ingest: int) -> Signal:
    return Signal(
        event_id=derive_id("Signal", strategy.name, bar.event_id),
        ts_event=bar.ts_event,
        ts_ingest=ts_ingest,
        correlation_id=bar.correlation_id,
        causation_id=bar.event_id,
        symbol=bar.symbol,
        venue=bar.venue,
        strategy=strategy.name,
        direction=view.direction,
        strength=float(view.strength),
        volatility=volatility,
        quote_bid=bar.bid_close,
        quote_ask=bar.ask_close,
        quote_ts=bar.quote_ts,
        reason=view.reason,
    )
