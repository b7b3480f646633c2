"""Call every deployment with bars, news, and the answers to what it asked; send signals, questions and alerts.

The quarantine concerns one deployment, in all instruments of the task, because its code has failed. The processor drops
the half-written memory and sends one alert with the reason. Another version of the strategy, or other parameters, end
the quarantine. A deployment that is retired, or trades an instrument no more, sends a FLAT signal where it had a view.

What a strategy decides on a bar has the time of the bar. What it decides on news, on an answer, or on the end of a
question, has the first time that no heartbeat has promised yet, which is the time of the next possible bar. It carries
the closing quote of the last bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from tradewind.processors.batch import Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.market.bar_rows import read
from tradewind.processors.signals.answers import closed
from tradewind.processors.signals.bars import on_bars
from tradewind.processors.signals.called import Asked, called, ended, on_time, signal_of, sound
from tradewind.processors.signals.calling import call
from tradewind.processors.signals.deployed import Deployments, note
from tradewind.processors.signals.memories import Memories
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.questions import Asker, Cause
from tradewind.processors.signals.strategy import Strategy, View
from tradewind.processors.signals.tracked import Instruments, no_bar
from tradewind.processors.tenancy.known import note_seeded
from tradewind.schemas.ai import AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, News
from tradewind.schemas.signals import Deployment, Signal, ViewState
from tradewind.schemas.tenancy import Seeded

MADE_OF: Final = (Bar, Heartbeat, News, AiResponse)
TOLD: Final = (Deployment, Seeded)


def signals(strategies: Iterable[Strategy], asker: Asker | None = None, *, beats: bool = True) -> Processor:
    """Return the signals agent's processor: deployments, bars, news, responses -> signals, requests, alerts.

    Passes heartbeats on. A bar that promises something (`reached_ts`) becomes a heartbeat behind its signals; without
    `beats`, for a reader that waits for nobody, it does not. Without an `asker`, strategies that ask find no prompt.
    Strategies that no deployment runs are not called.

    Raises `PoisonRecord` for a record that leads to a signal or request out of range, such as in the year 10000.

    Raises `ValueError` where two strategies share a name, or where a name or an interval is unusable.
    """
    known, asks = by_name(strategies), asker or Asker()
    lengths = frozenset(strategy.interval_s for strategy in known.values())

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        if segment.model in TOLD:
            return _on_changes(state, segment)
        if segment.model not in MADE_OF:
            raise TypeError(
                f"signals are made of bars, news and responses, not of {segment.model.__name__} ({segment.topic})"
            )
        is_bars = segment.model is Bar
        bar_at, values = read(segment) if is_bars else (no_bar, ())
        of = Asked(state, Deployments(state, known), lengths, asks, beats, Instruments(state), Memories(state), bar_at)
        sent = on_bars(of, values, segment.ts_ingest.tolist()) if is_bars else _on_events(of, segment)
        of.instruments.close(bar_at)
        of.memories.close()
        return sent

    return process


def _on_changes(state: State, segment: Segment) -> list[Event]:
    """Note what changes deployments; return the FLAT signals of those that leave an instrument."""
    sent: list[Event] = []
    changes = zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
    for index, (event, ts_ingest) in enumerate(changes):
        match event:
            case Seeded():
                note_seeded(state, event)
            case Deployment():
                left = note(state, index, event)
                sent += [checked(_left(state, event, view, ts_ingest), index) for view in left]
    return sent


def _left(state: State, deployment: Deployment, view: ViewState, ts_ingest: int) -> Signal:
    known = Instruments(state).of(view.symbol, view.venue)
    assert known.known  # a view was on its quote
    key = f"{deployment.event_id}/{known.name}"
    cause = Cause(key, deployment.event_id, deployment.correlation_id, known.reached + 1, ts_ingest)
    reason = "the deployment is retired" if deployment.status == "RETIRED" else f"{view.symbol} is traded no more"
    return signal_of(deployment, View("FLAT", 0.0, reason), cause, known)


def _on_events(of: Asked, segment: Segment) -> list[Event]:
    sent: list[Event] = []
    events = zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
    for index, (event, ts_ingest) in enumerate(events):
        match event:
            case AiResponse():
                require_known(event, index, "status")
                made = _on_response(of, event, ts_ingest)
            case News():
                made = _on_news(of, event, ts_ingest)
            case Heartbeat():
                sent.append(event)
                on = of.instruments.of(event.symbol, event.venue)
                made = on_time(of, on, event.ts_event, ts_ingest)
            case _:
                raise TypeError(f"signals are not made of a {type(event).__name__}")
        sent += sound(made, index)
    return sent


def _overrides(strategy: Strategy, method: str) -> bool:
    return getattr(type(strategy), method) is not getattr(Strategy, method)


def _on_news(of: Asked, news: News, ts_ingest: int) -> list[Event]:
    known = of.instruments.of(news.symbol, news.venue)
    if not known.known:
        return []  # no bar yet, and so no quote to trade at
    cause = Cause(news.event_id, news.event_id, news.correlation_id, known.reached + 1, ts_ingest)
    sent: list[Event] = []
    for one in of.deployments.about(news.symbol):
        if _overrides(one.strategy, "on_news"):
            memory = of.memories.of(one, known)
            sent += called(of, one, known, cause, partial(call, memory, one.strategy.on_news, news))
    return sent


def _on_response(of: Asked, response: AiResponse, ts_ingest: int) -> list[Event]:
    found = closed(of.state, response, of.asker.tenant_id)
    if found is None:
        return []
    questions, question, answer = found
    known = of.instruments.of(questions.symbol, questions.venue)
    assert known.known  # questions are asked about instruments that have had a bar
    return ended(of, known, question, answer=answer, ts_ingest=ts_ingest)
