"""Call every deployment with bars, news, and the answers to what it asked; send signals, questions and alerts.

The quarantine concerns one deployment, in all instruments of the task, because its code has failed. The processor drops
the half-written memory and sends one alert with the reason. Another version of the strategy, or other parameters, end
the quarantine. A deployment that is retired, or trades an instrument no more, sends a FLAT signal where it had a view.

What a strategy decides on a bar has the time of the bar. What it decides on news, on an answer, or on the end of a
question, has the first time that no heartbeat has promised yet, which is the time of the next possible bar. It carries
the closing quote of the last bar.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from tradewind.processors.batch import Processor, Segment, State, checked, require_known, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.market.bar_rows import Read, read
from tradewind.processors.signals.answers import Question, closed, expired, keep
from tradewind.processors.signals.calling import Failed, call, call_ahead, questions_of
from tradewind.processors.signals.deployed import QUARANTINE, VIEW, Deployed, Deployments, note, place
from tradewind.processors.signals.deployments import place_of
from tradewind.processors.signals.memories import Memories, Memory
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.questions import Asker, Cause, collecting, explanation
from tradewind.processors.signals.strategy import Answer, Strategy, View
from tradewind.processors.signals.tracked import Instruments, Moves, Tracked, no_bar
from tradewind.processors.tenancy.known import note_seeded
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, News
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Deployment, QuarantineState, Signal, ViewState
from tradewind.schemas.tenancy import Seeded

MADE_OF: Final = (Bar, Heartbeat, News, AiResponse)
TOLD: Final = (Deployment, Seeded)
ALL: Final = range(2**63 - 1)
"""Every place of a segment."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an agent knows while it processes a segment."""

    state: State
    deployments: Deployments
    lengths: frozenset[int]
    """Lengths of the bars that the installed strategies look at, seconds."""
    asker: Asker
    beats: bool
    instruments: Instruments
    memories: Memories
    bar_at: Callable[[int], Bar]
    """Returns a bar of the segment by its place."""
    failed: set[str] = field(default_factory=set)
    """Runs of deployments that have failed, as far as somebody has looked."""


class _Followed(NamedTuple):
    """The bars of an instrument and a length, while a segment is processed."""

    on: Tracked
    moves: Moves | None
    """None if nobody looks at bars of this length."""
    broken: list[tuple[Deployment, str]]
    called: list[tuple[Deployed, Memory]]
    """Those that look at these bars; some may have failed."""
    places: Container[int]
    """Places of the bars at which something may have to be done for them."""


Key = tuple[str, str, int]
"""Symbol, venue, and length of bars."""


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
        of = _Asked(state, Deployments(state, known), lengths, asks, beats, Instruments(state), Memories(state), bar_at)
        sent = _on_bars(of, values, segment.ts_ingest.tolist()) if is_bars else _on_events(of, segment)
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
    return _signal(deployment, View("FLAT", 0.0, reason), cause, known)


def _on_events(of: _Asked, segment: Segment) -> list[Event]:
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
                made = _on_time(of, on, event.ts_event, ts_ingest)
            case _:
                raise TypeError(f"signals are not made of a {type(event).__name__}")
        sent += _sound(made, index)
    return sent


def _sound(made: Iterable[Event], index: int) -> Iterator[Event]:
    """Yield what a record leads to; raises `PoisonRecord` for what is out of range."""
    return (checked(one, index) if isinstance(one, Signal | AiRequest) else one for one in made)


def _on_bars(of: _Asked, values: Iterable[Read], stamps: Sequence[int]) -> list[Event]:
    """Return what bars lead to. Of most bars nothing does, so few values of them are looked at here."""
    sent: list[Event] = []
    followed = _Follows(of)
    if any(one.many for one in of.deployments.all[0]):
        values = [*values]
        _look_ahead(of, values, followed)
    for index, (symbol, venue, interval_s, ts_event, reached, mid_close) in enumerate(values):
        bars = followed[symbol, venue, interval_s]
        on, moves = bars.on, bars.moves
        on.newest = index
        if ts_event > on.reached:
            on.reached = ts_event - 1  # no bar of the instrument that follows is earlier
        if moves is not None:
            moves.closes.append(mid_close)
            on.moved = moves
        if on.asks:
            sent += _sound(_on_time(of, on, on.reached, stamps[index]), index)
        if index in bars.places:
            sent += _on_bar(of, bars, index, stamps[index])
        if reached < ts_event:
            continue  # another bar of this time may follow
        if of.beats:
            sent.append(Heartbeat(symbol=symbol, venue=venue, ts_event=reached, ts_ingest=stamps[index]))
        on.reached = max(on.reached, reached)
        if on.asks:
            sent += _sound(_on_time(of, on, reached, stamps[index]), index)
    return sent


class _Follows(dict[Key, _Followed]):
    """What is followed in a segment, from the first bar of each instrument and length on."""

    def __init__(self, of: _Asked) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, key: Key) -> _Followed:
        of, (symbol, venue, interval_s) = self._of, key
        on = of.instruments.of(symbol, venue)
        on.known = on.changed = True
        asked = [one for one in of.deployments.about(symbol) if one.strategy.interval_s == interval_s]
        broken = of.deployments.broken_about(symbol)
        of.failed.update(one.run for one in asked if _has_failed(of.state, one))
        made = self[key] = _Followed(
            on,
            of.instruments.moves(on, interval_s) if interval_s in of.lengths else None,
            broken,
            [(one, of.memories.of(one, on)) for one in asked],
            ALL if asked or broken else (),
        )
        return made


def _look_ahead(of: _Asked, values: Sequence[Read], followed: _Follows) -> None:
    """Let those that take many bars at once look at theirs, before anything is made of their views.

    If a deployment fails on one instrument, it is called for each bar of every instrument, up to the one that fails.
    """
    places: dict[Key, list[int]] = {}
    for index, value in enumerate(values):
        places.setdefault(value[:3], []).append(index)
    looked: list[tuple[str, Memory]] = []
    unsound: set[str] = set()
    for key, own in places.items():
        for one, memory in followed[key].called:
            if one.many and one.run not in unsound | of.failed:
                looked.append((one.run, memory))
                if not call_ahead(memory, one.strategy, own, of.bar_at):
                    unsound.add(one.run)
    for run, memory in looked:
        if run in unsound:
            memory.reset()
    for key, bars in followed.items():
        followed[key] = bars._replace(places=_places(bars))


def _places(bars: _Followed) -> Container[int]:
    """Return at which bars something has to be done."""
    found: set[int] = set()
    for _, memory in bars.called:
        if memory.ahead is None:
            return ALL
        found.update(memory.ahead)
    return ALL if bars.broken else found


def _has_failed(state: State, one: Deployed) -> bool:
    return state.get(f"{QUARANTINE}{one.run}", QuarantineState) is not None


def _on_bar(of: _Asked, bars: _Followed, index: int, ts_ingest: int) -> list[Event]:
    sent: list[Event] = []
    on, bar = bars.on, of.bar_at(index)
    for deployment, reason in bars.broken:
        run, cause = f"{place(deployment)}/{deployment.since}/0", _cause_of(bar, ts_ingest)
        sent += _quarantined(of, run, _failure(deployment, 0, cause, reason), cause, on.name)
    for one, memory in bars.called:
        if one.run in of.failed:
            continue
        if memory.ahead is not None:
            view = memory.ahead.get(index)
            if view is not None:
                sent += _viewed(of, one, view, on, _cause_of(bar, ts_ingest))
            continue
        if one.asks:
            asking = partial(call, memory, one.strategy.on_bar, bar)
            sent += _called(of, one, on, _cause_of(bar, ts_ingest), asking)
            continue
        try:
            view = call(memory, one.strategy.on_bar, bar)
        except Failed as failed:
            sent += _on_failed(of, one, on, _cause_of(bar, ts_ingest), failed)
        else:
            if view is not None:
                sent += _viewed(of, one, view, on, _cause_of(bar, ts_ingest))
    return [*_sound(sent, index)] if sent else sent


def _cause_of(bar: Bar, ts_ingest: int) -> Cause:
    return Cause(bar.event_id, bar.event_id, bar.correlation_id, bar.ts_event, ts_ingest)


def _overrides(strategy: Strategy, method: str) -> bool:
    return getattr(type(strategy), method) is not getattr(Strategy, method)


def _on_time(of: _Asked, on: Tracked, reached: int, ts_ingest: int) -> list[Event]:
    """Note how far the time of an instrument has come, and end the questions whose validity it has passed."""
    sent: list[Event] = []
    if not on.known:
        return sent  # no bar yet, and so no question
    on.reach(reached)
    for question in expired(of.state, on.name, on.reached) if on.asks else ():
        sent += _ended(of, on, question, answer=None, ts_ingest=ts_ingest)
    return sent


def _on_news(of: _Asked, news: News, ts_ingest: int) -> list[Event]:
    known = of.instruments.of(news.symbol, news.venue)
    if not known.known:
        return []  # no bar yet, and so no quote to trade at
    cause = Cause(news.event_id, news.event_id, news.correlation_id, known.reached + 1, ts_ingest)
    sent: list[Event] = []
    for one in of.deployments.about(news.symbol):
        if _overrides(one.strategy, "on_news"):
            memory = of.memories.of(one, known)
            sent += _called(of, one, known, cause, partial(call, memory, one.strategy.on_news, news))
    return sent


def _on_response(of: _Asked, response: AiResponse, ts_ingest: int) -> list[Event]:
    found = closed(of.state, response, of.asker.tenant_id)
    if found is None:
        return []
    questions, question, answer = found
    known = of.instruments.of(questions.symbol, questions.venue)
    assert known.known  # questions are asked about instruments that have had a bar
    return _ended(of, known, question, answer=answer, ts_ingest=ts_ingest)


def _ended(
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
    memory = of.memories.of(one, known)
    return _called(of, one, known, cause, partial(call, memory, one.strategy.on_answer, answer))


def _called(of: _Asked, one: Deployed, on: Tracked, cause: Cause, calling: Callable[[], View | None]) -> list[Event]:
    """Call a deployment that may ask; return its questions and its signal, or the alert that it is quarantined."""
    if one.run in of.failed or _has_failed(of.state, one):
        return []
    try:
        with collecting(questions_of(of.state, one, on.name, of.asker, cause)) as found:
            view = calling()
    except Failed as failed:
        return _on_failed(of, one, on, cause, failed)
    if found.asked:
        keep(of.state, (on.symbol, on.venue), one, found.asked)
        on.asks = True
    return [*found.asked, *([] if view is None else _viewed(of, one, view, on, cause))]


def _viewed(of: _Asked, one: Deployed, view: View, on: Tracked, cause: Cause) -> list[Event]:
    _note_view(of.state, one, view, on)
    on.settle(of.bar_at)
    signal = _signal(one.deployment, view, cause, on)
    return [signal, explanation(of.asker, signal)] if of.asker.explains else [signal]


def _on_failed(of: _Asked, one: Deployed, on: Tracked, cause: Cause, failed: Failed) -> list[Event]:
    failure = _failure(one.deployment, one.strategy.version, cause, str(failed))
    return _quarantined(of, one.run, failure, cause, on.name)


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


def _quarantined(of: _Asked, run: str, failure: QuarantineState, cause: Cause, name: str) -> list[Event]:
    """Call a deployment no more; return the alert, once."""
    if of.state.get(f"{QUARANTINE}{run}", QuarantineState) is not None:
        return []
    of.state.put(f"{QUARANTINE}{run}", failure)
    of.failed.add(run)
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


def _note_view(state: State, one: Deployed, view: View, on: Tracked) -> None:
    """Remember where a deployment has a view that is not flat: it must leave that when it ends."""
    key = f"{VIEW}{one.place}/{on.name}"
    if view.direction == "FLAT":
        state.delete(key)
        return
    known = state.get(key, ViewState)
    if known is None or known.direction != view.direction:
        kept = ViewState(
            tenant_id=one.deployment.tenant_id,
            account_id=one.deployment.account_id,
            deployment=one.deployment.deployment,
            symbol=on.symbol,
            venue=on.venue,
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
