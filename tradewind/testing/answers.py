"""Answers of a recording to what strategies ask: each comes when event time has reached the end of its call."""

from __future__ import annotations

from tradewind.connectors.ai.answer import answer_of, attempt_of
from tradewind.processors.ai.recording import Recording
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.schemas.event import Event
from tradewind.testing.agent import MemoryAgent
from tradewind.testing.broker import MemoryBroker
from tradewind.topics import AI_ATTEMPTS, AI_SETTINGS

FIRST_US = 1  # of the settings: before any request


class RecordedAnswers:
    """The agent `ai` with a caller that answers from a recording."""

    def __init__(self, agent: MemoryAgent, broker: MemoryBroker, recording: Recording) -> None:
        self._agent, self._broker, self._recording = agent, broker, recording
        self._due: list[tuple[int, AiAttempt]] = []
        broker.publish(AI_SETTINGS, *revised(first_settings(), 1, FIRST_US))

    def ask(self) -> list[Event]:
        """Perform the calls that are ordered; return what the agent sent. Raises `NotRecorded` for a miss."""
        sent = self._agent.run()
        for call in sent:
            if isinstance(call, AiCall):
                found = self._recording.answer(call.digest, f"request {call.request_id} of {call.reply_key}")
                ended_us = call.ts_ingest + found.total_us
                attempt = attempt_of(call, answer_of(found), ended_us, found.total_us)
                self._due.append((call.ts_event + found.total_us, attempt))
        self._due.sort(key=lambda due: (due[0], due[1].call_id))
        return sent

    def tell(self, ts_event: int) -> list[Event]:
        """Tell the agent of the calls that have ended by an event time, µs; return what it sent."""
        ended = [attempt for at, attempt in self._due if at <= ts_event]
        if not ended:
            return []
        self._due = [due for due in self._due if due[0] > ts_event]
        self._broker.publish(AI_ATTEMPTS, *ended)
        return self._agent.run()
