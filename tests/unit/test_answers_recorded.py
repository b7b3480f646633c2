"""A pipeline in memory answers strategies from a recording: at the time that the call ended, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from processing import SECOND, START, tick

from tradewind.processors.ai.prompts import prompt_from
from tradewind.processors.ai.recording import NotRecorded, Recorded, Recording, first_of
from tradewind.processors.signals.questions import Asker
from tradewind.processors.signals.strategy import JSON, Answer, Strategy, View
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.schemas.signals import Signal
from tradewind.testing import Pipeline
from tradewind.topics import AI_CALLS

PROMPT = prompt_from("calm@1", 'user = "Is $symbol calm at $close?"')
ASKER = Asker("alpha", {PROMPT.name: PROMPT})
TICKS = [tick(START + at * SECOND // 4, 1.1 + at / 10_000, 1.1001 + at / 10_000, seq=at) for at in range(60)]


class Asks(Strategy):
    """Asks about every bar, and says what it was told."""

    name, interval_s = "asks", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Ask about the bar's close."""
        self.ask("calm@1", {"symbol": bar.symbol, "close": bar.mid_close}, 3)
        return None

    def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
        """Say it."""
        return View("LONG", 0.5, answer.text if answer else "nothing")


def recording_of_run(took_us: int) -> Recording:
    """Return a recording that answers all that the strategy asks on `TICKS`."""
    pipeline = Pipeline([Asks()], asker=ASKER, recording=Anything(took_us))
    pipeline.run(TICKS)
    calls = list(pipeline.broker.events(AI_CALLS))
    return first_of(answer(call.digest, took_us) for call in calls)  # type: ignore[attr-defined]


def answer(digest: str, took_us: int) -> Recorded:
    """Return an answer that took some time."""
    return Recorded(digest=digest, provider="p", model="m", text=f"told {digest[:4]}", finish="STOP", total_us=took_us)


class Anything(Recording):
    """Answers everything."""

    def __init__(self, took_us: int) -> None:
        object.__setattr__(self, "answers", {})
        object.__setattr__(self, "took_us", took_us)

    def answer(self, digest: str, what: str) -> Recorded:
        """Answer."""
        return answer(digest, self.took_us)  # type: ignore[attr-defined]

    __slots__ = ("took_us",)


def signals_of(recording: Recording) -> list[Signal]:
    """Return the signals of a run."""
    return Pipeline([Asks()], asker=ASKER, recording=recording).run(TICKS).of(Signal)


def test_a_run_with_its_recording_is_done_again_equal() -> None:
    """The same answers at the same times, and so the same signals."""
    found = signals_of(recording_of_run(SECOND))
    assert len(found) > 5
    ended = TICKS[-1].ts_event + SECOND  # what is open when the source ends gets no answer
    assert all(signal.reason.startswith("told") for signal in found if signal.ts_event < ended)
    assert found == signals_of(recording_of_run(SECOND)) == signals_of(Anything(SECOND))


def test_an_answer_comes_when_event_time_has_reached_the_end_of_its_call() -> None:
    """Not with the bar that it is about: nobody knows an answer before the provider has given it."""
    outcome = Pipeline([Asks()], asker=ASKER, recording=Anything(2 * SECOND)).run(TICKS)
    asked = {request.event_id: request for request in outcome.of(AiRequest)}
    answered = {response.request_id: response for response in outcome.of(AiResponse)}
    for signal in outcome.of(Signal):
        if signal.reason.startswith("told"):
            assert signal.ts_event >= asked[signal.causation_id].ts_event + SECOND
            assert answered[signal.causation_id].ts_event == asked[signal.causation_id].ts_event + 2 * SECOND
    late = signals_of(Anything(4 * SECOND))
    assert {signal.reason for signal in late} == {"nothing"}


def test_a_miss_is_an_error() -> None:
    """Another price is another question."""
    recording = recording_of_run(SECOND)
    other: list[Event] = [replace(one, ask=one.ask + 0.01) for one in TICKS]
    with pytest.raises(NotRecorded, match=r"of EURUSD.OANDA is not recorded"):
        Pipeline([Asks()], asker=ASKER, recording=recording).run(other)  # type: ignore[arg-type]
