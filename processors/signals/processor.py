"""Call every strategy with bars, news, and the answers to what it asked; send signals, questions and alerts.

The quarantine concerns one version of a strategy, in all instruments of the task, because its code has failed. The
processor drops the half-written memory and sends one alert with the reason. Raising `version` ends the quarantine.

What a strategy decides on a bar has the time of the bar. What it decides on news, on an answer, or on the end of a
question, has the first time that no heartbeat has promised yet, which is the time of the next possible bar. It carries
the closing quote of the last bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from tradewind.processors.batch import Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.signals.answers import Question, closed, expired, keep
from tradewind.processors.signals.calling import Failed, call
from tradewind.processors.signals.questions import Asker, Cause, explanation
from tradewind.processors.signals.strategy import JSON, NAME_CHARACTERS, Answer, Strategy, View
from tradewind.processors.signals.volatility import next_variance
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, News
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import InstrumentState, QuarantineState, Signal, VolatilityState

MINUTE_S: Final = 60
INSTRUMENT: Final = "instrument/"
MADE_OF: Final = (Bar, Heartbeat, News, AiResponse)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The strategies of an agent, and as whom they ask models."""

    strategies: tuple[Strategy, ...]
    asker: Asker
    by_name: dict[str, Strategy]
    dated: bool
    """Whether any of them takes answers or news: then instruments have a state."""


def signals(strategies: Iterable[Strategy], asker: Asker | None = None) -> Processor:
    """Return the signals agent's processor: bars, news, responses -> signals, requests, alerts and heartbeats.

    Passes heartbeats on. A bar that promises something (`reached_ts`) becomes a heartbeat behind its signals. Without
    an `asker`, strategies that ask find no prompt.

    Raises `PoisonRecord` for a record that leads to a signal or request out of range, such as in the year 10000.

    Raises `ValueError` where two strategies share a name, or where a name or an interval is unusable.
    """
    asked = _checked(strategies)
    dated = any(_overrides(strategy, "on_answer") or _overrides(strategy, "on_news") for strategy in asked)
    of = _Asked(asked, asker or Asker(), {strategy.name: strategy for strategy in asked}, dated)

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        if segment.model not in MADE_OF:
            raise TypeError(
                f"signals are made of bars, news and responses, not of {segment.model.__name__} ({segment.topic})"
            )
        sent: list[Event] = []
        for index, (event, ts_ingest) in enumerate(
            zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
        ):
            if isinstance(event, AiResponse):
                require_known(event, index, "status")
            made = _on_event(state, of, event, ts_ingest)
            sent += (checked(one, index) if isinstance(one, Signal | AiRequest) else one for one in made)
        return sent

    return process


def _on_event(state: State, of: _Asked, event: Event, ts_ingest: int) -> list[Event]:
    match event:
        case Bar():
            return _on_bar(state, of, event, ts_ingest)
        case AiResponse():
            return _on_response(state, of, event, ts_ingest)
        case News():
            return _on_news(state, of, event, ts_ingest)
        case Heartbeat():
            return [event, *_on_time(state, of, (event.symbol, event.venue), event.ts_event, ts_ingest)]
    raise TypeError(f"signals are not made of a {type(event).__name__}")


def _checked(strategies: Iterable[Strategy]) -> tuple[Strategy, ...]:
    """Return strategies by name; raises `ValueError`."""
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
    return asked


def _on_bar(state: State, of: _Asked, bar: Bar, ts_ingest: int) -> list[Event]:
    sent: list[Event] = []
    asked = [strategy for strategy in of.strategies if strategy.interval_s == bar.interval_s]
    volatility = _volatility(state, bar) if asked else None
    if of.dated:
        _note_quote(state, bar, volatility)
        # No bar of the instrument that follows is earlier.
        sent += _on_time(state, of, (bar.symbol, bar.venue), bar.ts_event - 1, ts_ingest)
    cause = Cause(bar.event_id, bar.event_id, bar.correlation_id, bar.ts_event, ts_ingest)
    on = _Quoted(bar.symbol, bar.venue, volatility or 0.0, bar.bid_close, bar.ask_close, bar.quote_ts)
    for strategy in asked:
        sent += _called(state, of, strategy, cause=cause, on=on, method=partial(_seen, strategy, bar))
    if bar.reached_ts < bar.ts_event:
        return sent  # another bar of this time may follow
    beat = Heartbeat(symbol=bar.symbol, venue=bar.venue, ts_event=bar.reached_ts, ts_ingest=ts_ingest)
    return [*sent, beat, *_on_time(state, of, (bar.symbol, bar.venue), beat.ts_event, ts_ingest)]


def _seen(strategy: Strategy, bar: Bar, memory: dict[str, JSON]) -> View | None:
    return strategy.on_bar(memory, bar)


def _heard(strategy: Strategy, news: News, memory: dict[str, JSON]) -> View | None:
    return strategy.on_news(memory, news)


def _overrides(strategy: Strategy, method: str) -> bool:
    return getattr(type(strategy), method) is not getattr(Strategy, method)


def _told(strategy: Strategy, answer: Answer | None, memory: dict[str, JSON]) -> View | None:
    return strategy.on_answer(memory, answer)


def _on_time(state: State, of: _Asked, place: tuple[str, str], reached: int, ts_ingest: int) -> list[Event]:
    """Note how far the time of an instrument has come, and end the questions whose validity it has passed."""
    if not of.dated:
        return []
    name = instrument(*place)
    known = state.get(f"{INSTRUMENT}{name}", InstrumentState)
    if known is None:
        return []  # no bar yet, and so no question
    if reached > known.reached:
        known = replace(known, reached=reached)
        state.put(f"{INSTRUMENT}{name}", known)
    sent: list[Event] = []
    for question in expired(state, name, known.reached):
        sent += _ended(state, of, known, question, answer=None, ts_ingest=ts_ingest)
    return sent


def _on_news(state: State, of: _Asked, news: News, ts_ingest: int) -> list[Event]:
    known = state.get(f"{INSTRUMENT}{instrument(news.symbol, news.venue)}", InstrumentState)
    if known is None:
        return []  # no bar yet, and so no quote to trade at
    cause = Cause(news.event_id, news.event_id, news.correlation_id, known.reached + 1, ts_ingest)
    sent: list[Event] = []
    for strategy in of.strategies:
        if _overrides(strategy, "on_news"):
            method = partial(_heard, strategy, news)
            sent += _called(state, of, strategy, cause=cause, on=_last_quote(known), method=method)
    return sent


def _on_response(state: State, of: _Asked, response: AiResponse, ts_ingest: int) -> list[Event]:
    found = closed(state, response, of.asker.tenant_id)
    if found is None:
        return []
    questions, question, answer = found
    known = state.get(f"{INSTRUMENT}{instrument(questions.symbol, questions.venue)}", InstrumentState)
    assert known is not None  # questions are asked about instruments that have had a bar
    return _ended(state, of, known, question, answer=answer, ts_ingest=ts_ingest)


def _ended(
    state: State,
    of: _Asked,
    known: InstrumentState,
    question: Question,
    *,
    answer: Answer | None,
    ts_ingest: int,
) -> list[Event]:
    """Call the strategy that asked a question, if it is still there."""
    strategy = of.by_name.get(str(question["strategy"]))
    if strategy is None or strategy.version != question["version"]:
        return []
    request_id = str(question["request_id"])
    cause = Cause(request_id, request_id, str(question["correlation_id"]), known.reached + 1, ts_ingest)
    method = partial(_told, strategy, answer)
    return _called(state, of, strategy, cause=cause, on=_last_quote(known), method=method)


def _last_quote(known: InstrumentState) -> _Quoted:
    return _Quoted(known.symbol, known.venue, known.volatility, known.quote_bid, known.quote_ask, known.quote_ts)


@dataclass(frozen=True, slots=True)
class _Quoted:
    """What a signal carries of its instrument."""

    symbol: str
    venue: str
    volatility: float
    bid: float
    ask: float
    ts: int


def _called(
    state: State,
    of: _Asked,
    strategy: Strategy,
    *,
    cause: Cause,
    on: _Quoted,
    method: Callable[[dict[str, JSON]], View | None],
) -> list[Event]:
    """Call a strategy; return its signal and questions, or the alert that it is quarantined."""
    quarantine = f"quarantine/{strategy.name}/{strategy.version}"
    if state.get(quarantine, QuarantineState) is not None:
        return []
    place = (on.symbol, on.venue)
    try:
        view, asked = call(state, strategy, place, of.asker, cause=cause, method=method)
    except Failed as failed:
        reason = str(failed)
        kept = QuarantineState(strategy=strategy.name, version=strategy.version, ts_event=cause.at, reason=reason)
        state.put(quarantine, kept)
        return [_alert(strategy, cause, instrument(*place), reason)]
    keep(state, place, strategy.name, strategy.version, asked)
    if view is None:
        return [*asked]
    signal = _signal(strategy, view, cause, on)
    return [*asked, signal, *([explanation(of.asker, signal)] if of.asker.explains else [])]


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


def _note_quote(state: State, bar: Bar, volatility: float | None) -> None:
    """Remember what a signal carries that is made before the next bar."""
    key = f"{INSTRUMENT}{instrument(bar.symbol, bar.venue)}"
    before = state.get(key, InstrumentState)
    reached, known = (bar.ts_event - 1, 0.0) if before is None else (before.reached, before.volatility)
    after = InstrumentState(
        symbol=bar.symbol,
        venue=bar.venue,
        reached=reached,
        volatility=known if volatility is None else volatility,
        quote_bid=bar.bid_close,
        quote_ask=bar.ask_close,
        quote_ts=bar.quote_ts,
    )
    state.put(key, after)


def _alert(strategy: Strategy, cause: Cause, name: str, reason: str) -> Alert:
    return Alert(
        event_id=derive_id("Alert", "STRATEGY_QUARANTINED", strategy.name, strategy.version, cause.key),
        ts_event=cause.at,
        ts_ingest=cause.ts_ingest,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        severity="CRITICAL",
        source=strategy.name,
        code="STRATEGY_QUARANTINED",
        message=(
            f"strategy {strategy.name} (version {strategy.version}) failed on {name} and is not asked again: {reason}. "
            "Mend it and raise its version."
        ),
    )


def _signal(strategy: Strategy, view: View, cause: Cause, on: _Quoted) -> Signal:
    return Signal(
        event_id=derive_id("Signal", strategy.name, cause.key),
        ts_event=cause.at,
        ts_ingest=cause.ts_ingest,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        symbol=on.symbol,
        venue=on.venue,
        strategy=strategy.name,
        direction=view.direction,
        strength=float(view.strength),
        volatility=on.volatility,
        quote_bid=on.bid,
        quote_ask=on.ask,
        quote_ts=on.ts,
        reason=view.reason,
    )
