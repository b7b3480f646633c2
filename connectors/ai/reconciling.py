"""Calls in suspense, and their settlement by what a provider's bill says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tradewind.connectors.ai.answer import Tokens, unsent_attempt
from tradewind.connectors.calls.call import Unsent
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.outcomes import UNSENT, money_of
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.topics import AI_ATTEMPTS, AI_CALLS, Topic


class NotInSuspense(LookupError):
    """The call is not in suspense; the message says what to do."""


def suspended(settings: Settings, codec: Codec) -> dict[str, AiCall]:
    """Return the calls in suspense by id, as the topics tell, oldest first. Raises `StreamError`."""
    wanted = held_calls(event for event in _events(AI_ATTEMPTS, settings, codec) if isinstance(event, AiAttempt))
    calls = [
        event for event in _events(AI_CALLS, settings, codec) if isinstance(event, AiCall) and event.call_id in wanted
    ]
    return {call.call_id: call for call in sorted(calls, key=lambda call: call.ts_ingest)}


def held_calls(attempts: Iterable[AiAttempt]) -> set[str]:
    """Return the ids of calls in suspense, by all attempts in their order.

    A call is in suspense after an attempt that holds its bound, until an attempt that settles or releases it.
    """
    held: dict[str, bool] = {}
    for attempt in attempts:
        if UNKNOWN in (attempt.outcome, attempt.source):
            continue
        is_held = money_of(attempt) == "HOLD"
        if attempt.call_id not in held:
            held[attempt.call_id] = is_held
        elif held[attempt.call_id] and not is_held and attempt.outcome not in UNSENT:
            held[attempt.call_id] = False
    return {call_id for call_id, is_held in held.items() if is_held}


def settle(call: AiCall, tokens: Tokens, settings: Settings) -> None:
    """Report what a call in suspense has cost: the agent settles it by these tokens, once."""
    publish(AI_ATTEMPTS, [settled_by_hand(call, tokens, clock_us())], settings)


def settled_by_hand(call: AiCall, tokens: Tokens, now_us: int) -> AiAttempt:
    """Return the attempt that settles a call in suspense by the tokens on the bill."""
    return replace(
        unsent_attempt(call, Unsent.LOST, now_us),
        event_id=derive_id("AiAttempt", call.call_id, "reconciled"),
        error="settled by hand",
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
        counted=True,
    )


def _events(topic: Topic, settings: Settings, codec: Codec) -> Iterator[Event]:
    for record in consume(topic, settings=settings, codec=codec, on_undecodable=lambda _: None):
        if record.event is not None:
            yield record.event
