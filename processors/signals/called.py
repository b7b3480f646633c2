"""What a call of a deployment leads to: its signal, its questions, or its quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tradewind.processors.batch import State, checked
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.answers import Question, expired, keep
from tradewind.processors.signals.calling import Failed, call, questions_of
from tradewind.processors.signals.deployed import QUARANTINE, VIEW, Deployed, Deployments, place
from tradewind.processors.signals.deployments import place_of
from tradewind.processors.signals.memories import Memories
from tradewind.processors.signals.questions import Asker, Cause, collecting, explanation
from tradewind.processors.signals.strategy import Answer, View
from tradewind.processors.signals.tracked import Instruments, Tracked
from tradewind.schemas.ai import AiRequest
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Deployment, QuarantineState, Signal, ViewState


@dataclass(frozen=True, slots=True)
class Asked:
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


def sound(made: Iterable[Event], index: int) -> Iterator[Event]:
    """Yield what a record leads to; raises `PoisonRecord` for what is out of range."""
    return (checked(one, index) if isinstance(one, Signal | AiRequest) else one for one in made)


def cause_of(bar: Bar, ts_ingest: int) -> Cause:
    """Return a bar as what a call is made with."""
    return Cause(bar.event_id, bar.event_id, bar.correlation_id, bar.ts_event, ts_ingest)


def has_failed(state: State, one: Deployed) -> bool:
    """Return whether a deployment is quarantined."""
    return state.get(f"{QUARANTINE}{one.run}", QuarantineState) is not None


def on_time(of: Asked, on: Tracked, reached: int, ts_ingest: int) -> list[Event]:
    """Note how far the time of an instrument has come, and end the questions whose validity it has passed."""
    sent: list[Event] = []
    if not on.known:
        return sent  # no bar yet, and so no question
    on.reach(reached)
    for question in expired(of.state, on.name, on.reached) if on.asks else ():
        sent += ended(of, on, question, answer=None, ts_ingest=ts_ingest)
    return sent


def ended(
    of: Asked,
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
    return called(of, one, known, cause, partial(call, memory, one.strategy.on_answer, answer))


def called(of: Asked, one: Deployed, on: Tracked, cause: Cause, calling: Callable[[], View | None]) -> list[Event]:
    """Call a deployment that may ask; return its questions and its signal, or the alert that it is quarantined."""
    if one.run in of.failed or has_failed(of.state, one):
        return []
    try:
        with collecting(questions_of(of.state, one, on.name, of.asker, cause)) as found:
            view = calling()
    except Failed as failed:
        return on_failed(of, one, on, cause, failed)
    if found.asked:
        keep(of.state, (on.symbol, on.venue), one, found.asked)
        on.asks = True
    return [*found.asked, *([] if view is None else viewed(of, one, view, on, cause))]


def viewed(of: Asked, one: Deployed, view: View, on: Tracked, cause: Cause) -> list[Event]:
    """Return what a view leads to: a signal, and the question why, if a model explains signals."""
    _note_view(of.state, one, view, on)
    on.settle(of.bar_at)
    signal = signal_of(one.deployment, view, cause, on)
    return [signal, explanation(of.asker, signal)] if of.asker.explains else [signal]


def on_failed(of: Asked, one: Deployed, on: Tracked, cause: Cause, failed: Failed) -> list[Event]:
    """Return what the failure of a call leads to."""
    failure = failure_of(one.deployment, one.strategy.version, cause, str(failed))
    return quarantined(of, one.run, failure, cause, on.name)


def failure_of(deployment: Deployment, version: int, cause: Cause, reason: str) -> QuarantineState:
    """Return why a deployment is not called any more."""
    return QuarantineState(
        tenant_id=deployment.tenant_id,
        account_id=deployment.account_id,
        deployment=deployment.deployment,
        strategy=deployment.strategy,
        version=version,
        ts_event=cause.at,
        reason=reason,
    )


def quarantined(of: Asked, run: str, failure: QuarantineState, cause: Cause, name: str) -> list[Event]:
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


def signal_of(deployment: Deployment, view: View, cause: Cause, on: Tracked) -> Signal:
    """Return the signal of a view on an instrument that is settled."""
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
