"""How long the agent `ai` takes for a record, in memory: a request, and the attempt of its call."""

from __future__ import annotations

import time
from typing import TypeVar

import numpy as np

from tradewind.connectors.ai.answer import Answer, Tokens, attempt_of
from tradewind.processors.ai.processor import ai
from tradewind.processors.ai.seed import first_settings, revised
from tradewind.processors.batch import Processor
from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.ai import AiCall, AiRequest, AiResponse
from tradewind.schemas.event import Event
from tradewind.testing import MemoryState, run

E = TypeVar("E", bound=Event)
NOW_US = 1_790_000_000_000_000  # in September 2026
APART_US = 10_000_000  # 360 an hour: below the 500 that a tenant may ask
MESSAGE = {"role": "USER", "content": "Is EURUSD calm?", "name": None, "tool_call_id": None}
ANSWER = Answer("OK", text="It is calm. " * 20, finish="STOP", tokens=Tokens(input=20, output=60), first_token_us=1)


def decide_us(requests: int) -> float:
    """Return the 99th percentile of the CPU time for a record, µs. Raises `RuntimeError` if one is not answered."""
    process, state = ai(), MemoryState()
    took: list[int] = []
    run(process, [*run(tenancy(), commands_of(DEFAULT_TENANTS, 1)), *revised(first_settings(), 1, NOW_US)], state)
    for number in range(requests):
        at = NOW_US + number * APART_US
        (call,) = _decided(process, state, _request(number, at), AiCall, took)
        _decided(process, state, attempt_of(call, ANSWER, at + 1_000_000, 1_000_000), AiResponse, took)
    return float(np.percentile(took, 99)) / 1_000


def _decided(process: Processor, state: MemoryState, event: Event, what: type[E], took: list[int]) -> list[E]:
    begun = time.thread_time_ns()
    sent = run(process, [event], state)
    took.append(time.thread_time_ns() - begun)
    found = [one for one in sent if isinstance(one, what)]
    if len(found) != 1:
        raise RuntimeError(f"a record led to {sent}, and not to one {what.__name__}")
    return found


def _request(number: int, at: int) -> AiRequest:
    id_ = derive_id("bench request", number)
    return AiRequest(
        event_id=id_, tenant_id="alpha", ts_event=at, ts_ingest=at, correlation_id=id_, causation_id=id_, kind="CHAT",
        request_type="general", messages=({**MESSAGE, "tool_calls": (), "images": ()},), prompt_values=(), inputs=(),
        tools=(), max_tokens=100, stop=(), stream="NONE", cache="OFF", makes_orders=False, reply_key="bench",
        deadline_ms=60_000,
    )  # fmt: skip
