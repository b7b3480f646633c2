"""Call every deployment with bars, news, and the answers to what it asked; send signals, questions and alerts.

The quarantine concerns one deployment, in all instruments of the task, because its code has failed. The processor drops
the half-written memory and sends one alert with the reason. Another version of the strategy, or other parameters, end
the quarantine. A deployment that is retired, or trades an instrument no more, sends a FLAT signal where it had a view.

What a strategy decides on a bar has the time of the bar. What it decides on news, on an answer, or on the end of a
question, has the first time that no heartbeat has promised yet, which is the time of the next possible bar. It carries
the closing quote of the last bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tradewind.processors.batch import Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id, instrument
from tradewind.processors.signals.answers import Question, closed, expired, keep
from tradewind.processors.signals.calling import Failed, call
from tradewind.processors.signals.deployed import QUARANTINE, VIEW, Deployed, Deployments, note, place
from tradewind.processors.signals.deployments import place_of
from tradewind.processors.signals.memories import Memories
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.questions import Asker, Cause, explanation
from tradewind.processors.signals.strategy import JSON, Answer, Strategy, View
from tradewind.processors.signals.tracked import Instruments, Tracked
from tradewind.processors.tenancy.known import note_seeded
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, News
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Deployment, QuarantineState, Signal, ViewState
from tradewind.schemas.tenancy import Seeded

MADE_OF: Final = (Bar, Heartbeat, News, AiResponse)
TOLD: Final = (Deployment, Seeded)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The active deployments while a segment is processed, and as whom they ask models."""

    deployments: Deployments
    lengths: frozenset[int]
    """Lengths of the bars that the installed strategies look at, seconds."""
    asker: Asker
    instruments: Instruments
    memories: Memories


def signals(strategies: Iterable[Strategy], asker: Asker | None = None) -> Processor:
    """Return the signals agent's processor: deployments, bars, news, responses -> signals, requests, alerts.

    Passes heartbeats on. A bar that promises something (`reached_ts`) becomes a heartbeat behind its signals. Without
    an `asker`, strategies that ask find no prompt. Strategies that no deployment runs are not called.

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
        of = _Asked(Deployments(state, known), lengths, asks, Instruments(state), Memories(state))
        sent: list[Event] = []
        for index, (event, ts_ingest) in enumerate(
            zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
        ):
            if isinstance(event, AiResponse):
                require_known(event, index, "status")
            made = _on_event(state, of, event, ts_ingest)
            sent += (checked(one, index) if isinstance(one, Signal | AiRequest) else one for one in made)
        of.instruments.close()
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
    return _signal(deployment, View("FLAT", 0.0, reason), cause, known)


def _on_event(state: State, of: _Asked, event: Event, ts_ingest: int) -> list[Event]:
    match event:
        case Bar():
            return _on_bar(state, of, event, ts_ingest)
        case AiResponse():
            return _on_response(state, of, event, ts_ingest)
        case News():
            return _on_news(state, of, event, ts_ingest)
        case Heartbeat():
            on = of.instruments.of(event.symbol, event.venue)
            return [event, *_on_time(state, of, on, event.ts_event, ts_ingest)]
    raise TypeError(f"signals are not made of a {type(event).__name__}")


def _on_bar(state: State, of: _Asked, bar: Bar, ts_ingest: int) -> list[Event]:
    on = of.instruments.of(bar.symbol, bar.venue)
    on.on_bar(bar, of.instruments.volatility(on, bar) if bar.interval_s in of.lengths else None)
    # No bar of the instrument that follows is earlier.
    sent = _on_time(state, of, on, bar.ts_event - 1, ts_ingest)
    broken, asked = of.deployments.broken_about(bar.symbol), of.deployments.about(bar.symbol)
    if broken or asked:
        cause = Cause(bar.event_id, bar.event_id, bar.correlation_id, bar.ts_event, ts_ingest)
        for deployment, reason in broken:
            run = f"{place(deployment)}/{deployment.since}/0"
            sent += _quarantined(state, run, _failure(deployment, 0, cause, reason), cause, on.name)
        for one in asked:
            if one.strategy.interval_s == bar.interval_s:
                sent += _called(state, of, one, cause=cause, on=on, method=partial(_seen, one.strategy, bar))
    if bar.reached_ts < bar.ts_event:
        return sent  # another bar of this time may follow
    sent.append(Heartbeat(symbol=bar.symbol, venue=bar.venue, ts_event=bar.reached_ts, ts_ingest=ts_ingest))
    sent += _on_time(state, of, on, bar.reached_ts, ts_ingest)
    return sent


def _seen(strategy: Strategy, bar: Bar, memory: dict[str, JSON]) -> View | None:
    return strategy.on_bar(memory, bar)


def _heard(strategy: Strategy, news: News, memory: dict[str, JSON]) -> View | None:
    return strategy.on_news(memory, news)


def _overrides(strategy: Strategy, method: str) -> bool:
    return getattr(type(strategy), method) is not getattr(Strategy, method)


def _told(strategy: Strategy, answer: Answer | None, memory: dict[str, JSON]) -> View | None:
    return strategy.on_answer(memory, answer)


def _on_time(state: State, of: _Asked, on: Tracked, reached: int, ts_ingest: int) -> list[Event]:
    """Note how far the time of an instrument has come, and end the questions whose validity it has passed."""
    sent: list[Event] = []
    if not on.known:
        return sent  # no bar yet, and so no question
    on.reach(reached)
    for question in expired(state, on.name, on.reached):
        sent += _ended(state, of, on, question, answer=None, ts_ingest=ts_ingest)
    return sent


def _on_news(state: State, of: _Asked, news: News, ts_ingest: int) -> list[Event]:
    known = of.instruments.of(news.symbol, news.venue)
    if not known.known:
        return []  # no bar yet, and so no quote to trade at
    cause = Cause(news.event_id, news.event_id, news.correlation_id, known.reached + 1, ts_ingest)
    sent: list[Event] = []
    for one in of.deployments.about(news.symbol):
        if _overrides(one.strategy, "on_news"):
            method = partial(_heard, one.strategy, news)
            sent += _called(state, of, one, cause=cause, on=known, method=method)
    return sent


def _on_response(state: State, of: _Asked, response: AiResponse, ts_ingest: int) -> list[Event]:
    found = closed(state, response, of.asker.tenant_id)
    if found is None:
        return []
    questions, question, answer = found
    known = of.instruments.of(questions.symbol, questions.venue)
    assert known.known  # questions are asked about instruments that have had a bar
    return _ended(state, of, known, question, answer=answer, ts_ingest=ts_ingest)


def _ended(
    state: State,
    of: _Asked,
    known: Tracked,
    question: Question,
    *,
    answer: Answer | None,
    ts_ingest: int,
) -> list[Event]:
    """Call the deployment that asked a question, if it is still there and active."""
    one = of.deployments.at(str(question["deployment"]), int(question["since"]), int(question["version"]))
    if one is None:
        return []
    request_id = str(question["request_id"])
    cause = Cause(request_id, request_id, str(question["correlation_id"]), known.reached + 1, ts_ingest)
    method = partial(_told, one.strategy, answer)
    return _called(state, of, one, cause=cause, on=known, method=method)


def _called(
    state: State,
    of: _Asked,
    one: Deployed,
    *,
    cause: Cause,
    on: Tracked,
    method: Callable[[dict[str, JSON]], View | None],
) -> list[Event]:
    """Call a deployment; return its signal and questions, or the alert that it is quarantined."""
    if state.get(f"{QUARANTINE}{one.run}", QuarantineState) is not None:
        return []
    where = (on.symbol, on.venue)
    try:
        view, asked = call(state, of.memories, one, on, of.asker, cause=cause, method=method)
    except Failed as failed:
        failure = _failure(one.deployment, one.strategy.version, cause, str(failed))
        return _quarantined(state, one.run, failure, cause, on.name)
    keep(state, where, one, asked)
    if view is None:
        return [*asked]
    _note_view(state, one.deployment, view, where)
    signal = _signal(one.deployment, view, cause, on)
    return [*asked, signal, *([explanation(of.asker, signal)] if of.asker.explains else [])]


def _failure(deployment: Deployment, version: int, cause: Cause, reason: str) -> QuarantineState:
    return QuarantineState(
        tenant_id=deployment.tenant_id,
        account_id=deployment.account_id,
        deployment=deployment.deployment,
        strategy=deployment.strategy,
        version=version,
        ts_event=cause.at,
        reason=reason,
    )


def _quarantined(state: State, run: str, failure: QuarantineState, cause: Cause, name: str) -> list[Event]:
    """Call a deployment no more; return the alert, once."""
    if state.get(f"{QUARANTINE}{run}", QuarantineState) is not None:
        return []
    state.put(f"{QUARANTINE}{run}", failure)
    where = place_of(failure.tenant_id, failure.account_id, failure.deployment)
    alert = Alert(
        event_id=derive_id("Alert", "STRATEGY_QUARANTINED", run, cause.key),
        ts_event=cause.at,
        ts_ingest=cause.ts_ingest,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        severity="CRITICAL",
        source=failure.strategy,
        code="STRATEGY_QUARANTINED",
        message=(
            f"deployment {where} of strategy {failure.strategy} (version {failure.version}) failed on {name} and is "
            f"not asked again: {failure.reason}. Mend it and raise its version, or deploy it with other parameters."
        ),
    )
    return [alert]


def _note_view(state: State, deployment: Deployment, view: View, of: tuple[str, str]) -> None:
    """Remember where a deployment has a view that is not flat: it must leave that when it ends."""
    key = f"{VIEW}{place(deployment)}/{instrument(*of)}"
    if view.direction == "FLAT":
        state.delete(key)
        return
    known = state.get(key, ViewState)
    if known is None or known.direction != view.direction:
        kept = ViewState(
            tenant_id=deployment.tenant_id,
            account_id=deployment.account_id,
            deployment=deployment.deployment,
            symbol=of[0],
            venue=of[1],
            direction=view.direction,
        )
        state.put(key, kept)


def _signal(deployment: Deployment, view: View, cause: Cause, on: Tracked) -> Signal:
    return Signal(
        event_id=derive_id("Signal", place(deployment), cause.key),
        tenant_id=deployment.tenant_id,
        ts_event=cause.at,
        ts_ingest=cause.ts_ingest,
        correlation_id=cause.correlation_id,
        causation_id=cause.event_id,
        symbol=on.symbol,
        venue=on.venue,
        strategy=deployment.strategy,
        account_id=deployment.account_id,
        deployment=deployment.deployment,
        direction=view.direction,
        strength=float(view.strength),
        mode=deployment.mode,
        sizing=deployment.sizing,
        size=deployment.size,
        volatility=on.volatility,
        quote_bid=on.bid,
        quote_ask=on.ask,
        quote_ts=on.quote_ts,
        reason=view.reason,
    )
