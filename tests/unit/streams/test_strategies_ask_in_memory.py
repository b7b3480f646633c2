"""Strategies ask through the agents: each answer comes back to the task with the memory, also after a restart."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from processing import SECOND, START, bar, deployed, tenant_events

from tests.unit.schemas.strategies import ordinary
from tradewind.connectors.ai.answer import attempt_of
from tradewind.connectors.ai.paper import Paper
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.processor import ai as ai_processor
from tradewind.processors.ai.prompts import prompt_from
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.processors.signals.questions import Asker
from tradewind.processors.signals.strategy import JSON, Answer, Strategy, View
from tradewind.schemas.ai import AiCall, AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar
from tradewind.schemas.signals import QuestionsState, Signal
from tradewind.streams.ai import ai
from tradewind.streams.signals import signals
from tradewind.testing import MemoryAgent, MemoryBroker, MemoryState, run
from tradewind.topics import AI_ATTEMPTS, AI_CALLS, AI_RESPONSES, AI_SETTINGS, BARS, TENANT_CHANGES
from tradewind.topics.partitioner import partition_of

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSDT", "AUDUSD")
PROMPT = prompt_from("calm@1", 'user = "Is $symbol calm?"')


class Asks(Strategy):
    """Asks of each bar, and remembers of which instrument its memory is."""

    name, interval_s = "asks", 60

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Ask about the bar's instrument."""
        memory["of"] = bar.symbol
        self.ask("calm@1", {"symbol": bar.symbol}, 60)
        return None

    def on_answer(self, memory: dict[str, JSON], answer: Answer | None) -> View | None:
        """Say of which instrument the memory is."""
        assert answer is not None
        return View("LONG", 1.0, f"{memory['of']}: {answer.text}")


class Desk:
    """The agents `signals` and `ai` on one broker, and a caller that asks paper."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        prompts = {PROMPT.name: PROMPT}
        settings = Settings(_env_file=None)
        told = deployed([Asks()], Asker("alpha", prompts))
        asking = replace(signals(settings), processor=told, waits=None)
        self.signals = MemoryAgent(asking, self.broker)
        self.ai = MemoryAgent(replace(ai(settings), processor=ai_processor(prompts)), self.broker)
        self.broker.publish(TENANT_CHANGES, *tenant_events())
        self.broker.publish(AI_SETTINGS, *revised(first_settings(), 1, START))

    def answered(self) -> list[Event]:
        """Perform every call that the agent orders."""
        calls = [event for event in self.ai.run() if isinstance(event, AiCall)]
        for call in calls:
            answer = asyncio.run(Paper().ask(call, None, Sending()))
            self.broker.publish(AI_ATTEMPTS, attempt_of(call, answer, call.ts_ingest + SECOND, SECOND))
        return self.ai.run()


def test_each_answer_reaches_the_task_that_has_the_memory() -> None:
    """Whatever partition its instrument is on: the key of the response is the key of the bars."""
    desk = Desk()
    desk.signals.process({BARS: [bar(START, symbol=symbol) for symbol in SYMBOLS]})
    desk.answered()
    on = {record.partition for record in desk.broker.records(AI_RESPONSES)}
    assert on == {partition_of(f"{symbol}.OANDA".encode(), BARS.partitions) for symbol in SYMBOLS}
    assert len(on) > 1
    made = [event for event in desk.signals.run() if isinstance(event, Signal)]
    assert {signal.symbol for signal in made} == set(SYMBOLS)
    assert all(signal.reason.startswith(f"{signal.symbol}: ") for signal in made)
    for partition, state in desk.signals.states().items():
        instruments = [value for value in state.values() if isinstance(value, QuestionsState)]
        assert all(one.answered == one.asked == 1 and not one.open for one in instruments)
        assert bool(instruments) == (partition in on)


def test_a_restart_between_question_and_answer_changes_nothing() -> None:
    """What is open is restored from the changelog, with the memory that waits for it."""

    def made(*, restarted: bool) -> list[Event]:
        desk = Desk()
        asked = desk.signals.process({BARS: [bar(START, symbol=symbol) for symbol in SYMBOLS]})
        desk.answered()
        if restarted:
            desk.signals.restart()
        return [*asked, *desk.signals.run()]

    assert made(restarted=True) == made(restarted=False)
    assert sum(isinstance(event, Signal) for event in made(restarted=True)) == len(SYMBOLS)


def test_answers_do_not_depend_on_how_batches_are_cut() -> None:
    """One record of each partition at a time."""
    whole, cut = Desk(), Desk()
    bars = [bar(START + at * SECOND, symbol=symbol) for at in range(2) for symbol in SYMBOLS]
    for desk, limit in ((whole, None), (cut, 1)):
        desk.broker.publish(BARS, *bars)
        desk.signals.run(limit)
        desk.answered()
        desk.signals.run(limit)
    assert cut.signals.states() == whole.signals.states()
    assert AI_CALLS.partitions > 1


def test_the_example_of_the_page_asks_and_trades_on_the_answer() -> None:
    """docs/asking.md, as it stands."""
    page = (Path(__file__).parents[3] / "docs" / "asking.md").read_text("utf-8")
    code, text = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "toml"))
    assert code is not None
    assert text is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    prompt = prompt_from("calm@1", text[1])
    processor, state = deployed([names["Calm"]()], Asker("alpha", {prompt.name: prompt})), MemoryState()
    asked = next(event for event in run(processor, [bar(START)], state) if isinstance(event, AiRequest))
    known = ordinary(AiResponse.SCHEMA, status="ANSWERED", code=None, json=None, text="yes, it is", tenant_id="alpha")
    told = replace(known, request_id=asked.event_id, reply_key=asked.reply_key, ts_event=START)  # type: ignore[type-var]
    (signal,) = run(processor, [told], state)
    assert isinstance(signal, Signal)
    assert signal.reason == "the model says that it is calm"
